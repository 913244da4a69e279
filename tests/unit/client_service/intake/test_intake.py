"""Messages that are processed at once: the reply if the service is unavailable, or the result is too large."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from vestibule.client_service.intake.intake import Intake, MessageOutcome
from vestibule.client_service.intake.message_routing import MessageRoute, MessageRoutes
from vestibule.client_service.intake.work import Message
from vestibule.client_service.screening.screener import Screened
from vestibule.contracts.entries import MAX_VALUE_BYTES, BatchPair, Pair
from vestibule.contracts.errors import NotProcessable, Unavailable
from vestibule.contracts.task_ledger import NewTask
from vestibule.policy import Situation
from vestibule.processing import ProcessorRegistry
from vestibule.service_kit.service_client import ServiceResponse


class _Fakes:
    """Everything that an intake calls: accepts all, records what it gets, and replies with what it was made with."""

    def __init__(self, reply: str | None) -> None:
        self.reply = reply
        self.asked: list[str] = []
        self.accepted: list[NewTask] = []
        self.written: list[Pair] = []
        # The limit of the work, and the timeout of the call.
        self.limits: list[tuple[float | None, float | None]] = []
        self.timeout_s = 0.9
        self.policies = SimpleNamespace(current=SimpleNamespace(retention=None))

    async def screen(self, _situation: Situation, _field: str, text: str, _options: str | None = None) -> Screened:
        return Screened(text, {})

    async def call(self, _method: str, _path: str, *, body: Any, timeout_s: float | None) -> ServiceResponse:
        self.asked.append(body["work_id"])
        self.limits.append((body.get("time_limit_s"), timeout_s))
        if self.reply is None:
            raise Unavailable("business_logic", "It does not answer.")
        return ServiceResponse(200, {"processed_data": self.reply})

    async def accept(self, task: NewTask, _callback: str | None = None) -> str:
        self.accepted.append(task)
        return task.task_id

    async def write_batch(self, pairs: Sequence[Pair]) -> list[int]:
        return list(range(len(pairs)))

    async def write(self, pair: Pair, *, operation: str | None = None) -> None:
        self.written.append(pair)


def _intake(fakes: Any) -> Intake:
    rules = [MessageRoute.model_validate({"to": "business_logic", "prefixes": ["now:"]})]
    known = ProcessorRegistry.discover()
    routes = MessageRoutes(rules, known.names)
    return Intake(
        fakes,
        lambda _caller: fakes,
        fakes.accept,
        fakes,
        known,
        fingerprinter=fakes,
        routes=routes,
        webhooks=fakes,
        time_limit_s=15,
    )


async def _process(fakes: Any, **message: Any) -> MessageOutcome:
    return await _intake(fakes).process_message(Message(**message), Situation("/messages"))


async def test_a_routed_message_goes_to_the_background_where_the_service_is_unavailable() -> None:
    """The service may have processed it all the same, so the task has the same id."""
    fakes = _Fakes(reply=None)
    processed = await _process(fakes, text="now: hi")
    assert (False, fakes.asked) == (processed.is_reply, [task.task_id for task in fakes.accepted])
    with pytest.raises(Unavailable):
        await _process(fakes, text="now: hi", mode="sync")
    assert 1 == len(fakes.accepted)


async def test_who_asks_for_a_reply_waits_as_long_as_a_task_may_take() -> None:
    """The call ends after the processor does; where the background can do it, neither takes longer than a call."""
    fakes = _Fakes(reply="HI")
    await _process(fakes, text="now: hi", mode="sync")
    await _process(fakes, text="now: hi")
    assert [(None, 16.0), (0.9, None)] == fakes.limits


async def test_a_reply_is_written_before_it_is_given() -> None:
    """Under the key that was asked for."""
    fakes = _Fakes(reply="HI")
    processed = await _process(fakes, text="now: hi", write_to="reply")
    assert (True, "HI", [Pair(key="reply", value="HI")]) == (processed.is_reply, processed.outcome, fakes.written)


async def test_a_reply_that_is_too_large_for_its_key_is_refused() -> None:
    """As it would be in the background."""
    fakes = _Fakes(reply="x" * (MAX_VALUE_BYTES + 1))
    with pytest.raises(NotProcessable):
        await _process(fakes, text="now: hi", write_to="reply")
    assert [] == fakes.written


async def test_a_batch_lets_others_be_served_between_its_entries() -> None:
    """Screening a thousand entries takes long, and does not wait for anything by itself."""
    served, is_over = 0, False

    async def serve_others() -> None:
        nonlocal served
        while not is_over:
            served += 1
            await asyncio.sleep(0)

    others = asyncio.create_task(serve_others())
    pairs = [BatchPair(key=f"k{number}", value="x") for number in range(100)]
    assert 100 == len(await _intake(_Fakes(reply=None)).add_batch(pairs, Situation("/add/batch")))
    is_over = True
    await others
    assert served >= 100
