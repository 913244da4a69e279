"""The ports and the errors of processors. A service connects the ports when it builds its registry.

Processors are independent of scanner, policy and network. `UNCONFIGURED` is for registries that only list and
validate. Temporary errors (`MAY_PASS`) are retried, permanent ones (`CannotProcess`) are not. Their messages are for
the log; callers get the text of `contracts.tasks.ERROR_DETAILS`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from vestibule.contracts.tasks import WorkOrigin


class ProcessingInterrupted(Exception):
    """A temporary error: the work can be retried later."""


class CannotProcess(Exception):
    """A permanent error: the processor cannot process this data."""

    @property
    def kind(self) -> str:
        """What callers are told, a key of `ERROR_DETAILS`; a kind that is not among them tells them nothing."""
        return type(self).__name__


class DataTooLarge(CannotProcess):
    """The data is longer than the processor's limit."""


class NotJson(CannotProcess):
    """The data is not valid JSON."""


class PointerLeadsNowhere(CannotProcess):
    """The JSON pointer does not match the document."""


class ForwardForbidden(CannotProcess):
    """The address is not allowed."""


class ForwardRefused(CannotProcess):
    """The receiver refused it."""


class AnswerTooLarge(CannotProcess):
    """The response of the receiver is too large."""


class ResultNotText(CannotProcess):
    """The result is not text that can be encoded as UTF-8."""


class InvalidProcessor(ValueError):
    """A processor is declared incorrectly."""


# Of these a task is tried again, some time later. Any other error says that the processor cannot do this data at all.
MAY_PASS = (ProcessingInterrupted, ConnectionError, TimeoutError)


class Inspection(Protocol):
    """Scans for personal data and secrets, and applies the policy."""

    def count(self, text: str) -> Mapping[str, int]:
        """Return how often each kind stands in `text`.

        Raises:
            DataTooLarge: the text is longer than the scanner takes.
            ProcessingInterrupted: the scanner could not judge it in time.
        """
        ...

    def redact(self, text: str, origin: WorkOrigin, entities: Collection[str], action: str | None) -> str:
        """Return `text` with something in place of what the policy does not ignore, or of `entities` alone.

        What stands there is what the policy says, or `action`. Raises what `count` raises.
        """
        ...


@dataclass(frozen=True, slots=True)
class EgressReply:
    """The response of a receiver."""

    status: int
    body: bytes


class HttpEgress(Protocol):
    """Sends data to allowed addresses only."""

    def refusal_of(self, url: str) -> str | None:
        """Return why nothing may be sent to `url`, None where it may; names are not looked up for it."""
        ...

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> EgressReply:
        """Send `body` and return the answer, whatever its status.

        Raises:
            ForwardForbidden: nothing may be sent there.
            AnswerTooLarge: the answer is larger than what is read.
            ProcessingInterrupted: nobody answered in time.
        """
        ...


class Processors(Protocol):
    """The other processors, for those that combine several."""

    @property
    def names(self) -> list[str]:
        """What they are called, in order."""
        ...

    def read_options(self, name: str, given: Mapping[str, Any], place: tuple[str | int, ...]) -> BaseModel | None:
        """Return the options of a processor as its model, None where it takes none.

        Raises:
            InvalidInput: there is no such processor, or they are not valid; `errors` says where, beneath `place`.
        """
        ...

    def process(self, name: str, data: str, options: Mapping[str, Any], job: "Job") -> str:
        """Return what the processor called `name` makes of `data`."""
        ...


class _Unconfigured:
    """The ports of a registry that is not connected."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("this registry was built without ports; see `processor_adapters.build_registry`")


@dataclass(frozen=True, slots=True)
class ProcessorContext:
    """The ports that a processor may use."""

    inspection: Inspection
    egress: HttpEgress
    processors: Processors


UNCONFIGURED = ProcessorContext(_Unconfigured(), _Unconfigured(), _Unconfigured())


NO_ORIGIN = WorkOrigin()


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work: its id, the same at each attempt, on whose behalf it is done, and what may be used for it."""

    id: str
    origin: WorkOrigin = NO_ORIGIN
    context: ProcessorContext = UNCONFIGURED


ECHO = "https://receiver.example/echo"


class EchoEgress:
    """Allows one address, and records what was sent there."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Mapping[str, str]]] = []

    def refusal_of(self, url: str) -> str | None:
        """Let the one address pass."""
        return None if url == ECHO else "the one address that there is"

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> EgressReply:
        """Answer with what was sent."""
        assert url == ECHO  # noqa: S101 - anything else was refused before
        self.sent.append((body, headers))
        return EgressReply(200, body)
