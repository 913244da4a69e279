"""The operation id of a request with an `Idempotency-Key`: the same for each repetition of the request."""

from contextvars import ContextVar

operation_id: ContextVar[str | None] = ContextVar("operation_of_a_repeatable_request", default=None)


def operation_of_request() -> str | None:
    """Return the id of the task or write that this request creates, the same for each repetition.

    None if the request has no `Idempotency-Key`.
    """
    return operation_id.get()
