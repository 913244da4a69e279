"""What every log line of a request or task says beside its own fields: the ids of request, task and token.

It is one variable of the current context. structlog's own are a variable for each field, which are collected from all
variables of the context for each line and each look.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_fields: ContextVar[Mapping[str, Any]] = ContextVar("log_fields", default={})  # noqa: B039 - nothing changes a mapping

# Returns the fields that are bound now.
log_fields = _fields.get
# Binds the fields of a mapping, and none of those that were bound before.
begin_log_fields = _fields.set


def bind_log_fields(**fields: Any) -> None:
    """Bind fields from now on, in the current context."""
    _fields.set({**_fields.get(), **fields})


def unbind_log_field(name: str) -> None:
    """Bind a field no longer."""
    _fields.set({one: value for one, value in _fields.get().items() if one != name})


@contextmanager
def bound_log_fields(**fields: Any) -> Iterator[None]:
    """Bind fields while the context is open."""
    before = _fields.set({**_fields.get(), **fields})
    try:
        yield
    finally:
        _fields.reset(before)
