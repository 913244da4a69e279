"""The ports of processors, which a service connects when it builds its registry.

Processors are independent of scanner, policy and network. `UNCONFIGURED` is for registries that only list and validate;
`echo_egress` has the test double.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from vestibule.contracts.work import WorkOrigin


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
