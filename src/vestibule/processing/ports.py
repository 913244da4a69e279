"""The ports and the errors of processors. A service connects the ports when it builds its registry.

Processors are independent of scanner, policy and network. `UNCONFIGURED` is for registries that only list and
validate. Temporary errors (`MAY_PASS`) are retried, permanent ones (`CannotProcess`) are not. Their messages are for
the log; callers get the text of `contracts.tasks.ERROR_DETAILS`.
"""

import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from vestibule.contracts.tasks import Cause, WorkOrigin

NO_ORIGIN = WorkOrigin()
ECHO = "https://receiver.example/echo"


class ProcessingInterrupted(Exception):
    """A temporary error: the work can be retried, after `retry_after_s` seconds at the earliest.

    A `cause` is one of `contracts.tasks.Cause`, or `http_<status>`.
    """

    def __init__(self, message: str = "", *, cause: str | None = None, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.cause = cause
        self.retry_after_s = retry_after_s


class CannotProcess(Exception):
    """A permanent error: the processor cannot process this data. A `cause` is that of `ProcessingInterrupted`."""

    def __init__(self, message: str = "", *, cause: str | None = None) -> None:
        super().__init__(message)
        self.cause = cause

    @property
    def kind(self) -> str:
        """The name of the error for callers, a key of `ERROR_DETAILS`; others have a general text there."""
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
    """The receiver rejected the data."""


class AnswerTooLarge(CannotProcess):
    """The response of the receiver is too large."""


class ResultNotText(CannotProcess):
    """The result is not text that can be encoded as UTF-8."""


class ProcessorExited(CannotProcess):
    """The processor raised `SystemExit` or the like, which would end the process it runs in."""


class InvalidProcessor(ValueError):
    """A processor is declared incorrectly."""


# A task is retried after these errors. Any other error is permanent.
MAY_PASS = (ProcessingInterrupted, ConnectionError, TimeoutError, socket.gaierror)


def cause_of(error: Exception) -> str | None:
    """Return the cause of an error, where it is known better than by its kind."""
    if isinstance(error, ConnectionError):
        is_refused = isinstance(error, ConnectionRefusedError)
        return Cause.CONNECTION_REFUSED if is_refused else Cause.CONNECTION_LOST
    if isinstance(error, TimeoutError):
        return Cause.TIMEOUT
    if isinstance(error, socket.gaierror):
        return Cause.DNS
    return getattr(error, "cause", None) if isinstance(error, (ProcessingInterrupted, CannotProcess)) else None


class Inspection(Protocol):
    """Scans for personal data and secrets, and applies the policy."""

    def count(self, text: str) -> Mapping[str, int]:
        """Return the number of findings in `text` by entity.

        Raises:
            DataTooLarge: the text exceeds the limit of the scanner.
            ProcessingInterrupted: the scan did not finish in time.
        """
        ...

    def redact(self, text: str, origin: WorkOrigin, entities: Collection[str], action: str | None) -> str:
        """Return `text` with findings replaced: those that the policy does not ignore, or all of `entities`.

        `action` replaces the action of the policy. Raises what `count` raises.
        """
        ...


@dataclass(frozen=True, slots=True)
class EgressReply:
    """The response of a receiver, and the seconds of its header `Retry-After`."""

    status: int
    body: bytes
    retry_after_s: float = 0.0


class HttpEgress(Protocol):
    """Sends data to allowed addresses only."""

    def refusal_of(self, url: str) -> str | None:
        """Return what is expected instead of `url`; None if it is allowed. Host names are not resolved."""
        ...

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> EgressReply:
        """Send `body` and return the response, whatever its status.

        Raises:
            ForwardForbidden: the address is not allowed.
            AnswerTooLarge: the response exceeds the limit.
            ProcessingInterrupted: there was no response in time.
        """
        ...


class Processors(Protocol):
    """The other processors, for a processor that runs several."""

    @property
    def names(self) -> list[str]:
        """The names, sorted."""
        ...

    def read_options(self, name: str, given: Mapping[str, Any], place: tuple[str | int, ...]) -> BaseModel | None:
        """Return the validated options of a processor; None if it takes none.

        Raises:
            InvalidInput: the processor is unknown or the options are invalid; `errors` has the places below `place`.
        """
        ...

    def process(self, name: str, data: str, options: Mapping[str, Any], job: "Job") -> str:
        """Return the result of the processor `name` for `data`."""
        ...


class _Unconfigured:
    """The ports of a registry that only lists and validates."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("this registry was built without ports; see `processor_adapters.build_registry`")


@dataclass(frozen=True, slots=True)
class ProcessorContext:
    """The ports that a processor may use."""

    inspection: Inspection
    egress: HttpEgress
    processors: Processors


UNCONFIGURED = ProcessorContext(_Unconfigured(), _Unconfigured(), _Unconfigured())


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work: its id, which is the same at each attempt, its origin, and the ports it may use."""

    id: str
    origin: WorkOrigin = NO_ORIGIN
    context: ProcessorContext = UNCONFIGURED


class EchoEgress:
    """The test double of `HttpEgress`: allows the address `ECHO`, returns what is sent, and records it in `sent`."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, Mapping[str, str]]] = []

    def refusal_of(self, url: str) -> str | None:
        """Allow `ECHO` only."""
        return None if url == ECHO else f"the address {ECHO}"

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> EgressReply:
        """Return `body`."""
        assert url == ECHO  # noqa: S101 - `refusal_of` has refused any other
        self.sent.append((body, headers))
        return EgressReply(200, body)
