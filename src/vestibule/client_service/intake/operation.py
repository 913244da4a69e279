"""The id of the effect of a repeatable request: its task or its write has the same id each time it is repeated."""

from contextvars import ContextVar

operation_id: ContextVar[str | None] = ContextVar("operation_of_a_repeatable_request", default=None)


def operation_of_request() -> str | None:
    """Return the id that the effect of this request, its task or its write, has each time that it is repeated.

    None where the request came without a key.
    """
    return operation_id.get()
