"""Traces: how long each part took for one request, from the client service to store, queue and worker.

Off unless an endpoint is set; then nothing of OpenTelemetry is loaded, and a span costs the look at one variable.
A span holds names of routes, parts and operations, and never a value, a key, a query or the text of an error.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from enum import StrEnum
from typing import Protocol

TRACEPARENT = "traceparent"  # Source: W3C Trace Context


class SpanKind(StrEnum):
    """The side of a call that a span describes."""

    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"
    INTERNAL = "internal"


Attributes = Mapping[str, str | int | float | bool]


class Span(Protocol):
    """A span: one operation that has begun."""

    @property
    def traceparent(self) -> str:
        """The header value that names this span as a parent."""
        ...

    @property
    def trace_id(self) -> str:
        """The id of the whole trace: 32 hexadecimal digits."""
        ...

    def begin_child(self, name: str, kind: SpanKind, attributes: Attributes) -> "Span":
        """Return a span within this one."""
        ...

    def rename(self, name: str) -> None:
        """Give it the name that is known only now."""
        ...

    def note(self, name: str, value: str | int) -> None:
        """Add an attribute."""
        ...

    def fail(self, kind: str) -> None:
        """Mark it as failed; `kind` is the name of the error's class."""
        ...

    def end(self) -> None:
        """End it and have it sent, later and elsewhere."""
        ...


class Tracer(Protocol):
    """Starts traces, or continues those of a caller."""

    def begin(self, name: str, kind: SpanKind, parent: str | None, attributes: Attributes) -> Span:
        """Return a span; `parent` is a traceparent, and one that is malformed counts as none."""
        ...

    def close(self) -> None:
        """Send what is left, for a short time at most."""
        ...


_NOTHING: nullcontext[None] = nullcontext()
_current: ContextVar[Span | None] = ContextVar("vestibule_span", default=None)


@contextmanager
def entered(begun: Span) -> Iterator[Span]:
    """Make a span the current one, and end it at the end of the block."""
    token = _current.set(begun)
    try:
        yield begun
    except BaseException as error:
        begun.fail(type(error).__name__)
        raise
    finally:
        _current.reset(token)
        begun.end()


def span(name: str, kind: SpanKind = SpanKind.INTERNAL, **attributes: str | int) -> AbstractContextManager[Span | None]:
    """Trace a block as a child of the current span; do nothing if there is none."""
    parent = _current.get()
    return _NOTHING if parent is None else entered(parent.begin_child(name, kind, attributes))


def current_traceparent() -> dict[str, str]:
    """Return the header that propagates the current span to another process, if there is one."""
    current = _current.get()
    return {} if current is None else {TRACEPARENT: current.traceparent}
