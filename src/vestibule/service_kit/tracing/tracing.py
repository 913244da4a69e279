"""Traces: which part took how long for one request, from the door through store and queue to the worker.

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
    """Which side of a call a span is."""

    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"
    INTERNAL = "internal"


Attributes = Mapping[str, str | int | float | bool]


class Span(Protocol):
    """One stretch of work that has begun."""

    @property
    def traceparent(self) -> str:
        """What tells another process which span is the parent of its own."""
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
    """Begins traces, or goes on with those of others."""

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
    """Trace a block as a part of the current span; do nothing where there is none."""
    parent = _current.get()
    return _NOTHING if parent is None else entered(parent.begin_child(name, kind, attributes))


def current_traceparent() -> dict[str, str]:
    """Return the header that carries the current span to another process, or nothing where there is none."""
    current = _current.get()
    return {} if current is None else {TRACEPARENT: current.traceparent}
