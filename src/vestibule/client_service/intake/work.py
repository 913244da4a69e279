"""Work for processors: the data, the processor, the time, where the result goes, and on whose behalf."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from vestibule.client_service.intake.requests import ProcessorChoice
from vestibule.contracts.tasks import NO_TERMS, Priority, WorkOrigin, WorkTerms
from vestibule.policy import Situation


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A unit of work over the given data or over the value under a key."""

    tenant: str
    processor: str
    data: str | None = None
    key: str | None = None
    priority: Priority = Priority.NORMAL
    delay_s: float = 0.0
    unique_keys: Sequence[str] = ()
    unique_for_s: float | None = None
    task_id: str | None = None
    terms: WorkTerms = NO_TERMS
    callback: str | None = None


class TaskAcceptor(Protocol):
    """Accepts work as background tasks."""

    async def accept(self, work: Work) -> str:
        """Record work and return the id of its task."""
        ...


def situation_of_result(choice: ProcessorChoice, sender: Situation) -> Situation:
    """Return the situation of a result: under its own key, if the request names one."""
    return sender if choice.write_to is None else sender.under(choice.write_to)


def terms_of(choice: ProcessorChoice, sender: Situation, key: str | None) -> WorkTerms:
    """Return the terms of work over the value under `key`, or over a text if `key` is None."""
    origin = WorkOrigin.model_construct(
        route=sender.route,
        tenant=sender.tenant,
        token_id=sender.token_id,
        token_name=sender.token_name,
        key=choice.write_to or key,
    )
    # Its members were validated before.
    return WorkTerms.model_construct(options=choice.options, write_to=choice.write_to, origin=origin)
