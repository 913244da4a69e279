"""The consumer of the worker: accepts only messages that were encrypted for the task that they name."""

from typing import Any
from uuid import UUID

import structlog
from celery.worker.consumer import Consumer
from redis.exceptions import RedisError

from vestibule.client_service.queue.application import CONTENT_TYPE, bound_to
from vestibule.client_service.queue.result_backend import AttemptFailed
from vestibule.encryption import DecryptionFailed


class VerifyingConsumer(Consumer):  # type: ignore[misc]
    """Celery's consumer with a check of each message: some malformed messages would crash the worker."""

    def create_task_handler(self, *args: Any, **options: Any) -> Any:
        """Return the handler of each message."""
        handle = super().create_task_handler(*args, **options)

        def receive(message: Any) -> None:
            try:
                _verify(message)
            except Exception as error:  # noqa: BLE001 - a message can be malformed in any way
                self.on_decode_error(message, error)
            else:
                handle(message)

        return receive

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Drop a message, log it without its content, and report a failed attempt: the ledger has the task."""
        task_id = _task_id(message)
        log = structlog.get_logger("vestibule.worker")
        log.error("message_refused", task_id=task_id, reason=_reason(exc))
        if task_id:
            try:
                failed = AttemptFailed(task_id, "MessageRefused", _attempts(message) + 1, worker=self.hostname)
                self.app.backend.report_failed_attempt(failed)
            except (RedisError, OSError) as error:
                log.warning("refusal_not_recorded", task_id=task_id, error=type(error).__name__)
        message.ack()


def _verify(message: Any) -> None:
    if message.content_type != CONTENT_TYPE:
        raise DecryptionFailed("it is not encrypted")
    _arguments, _keywords, embedded = message.payload
    if embedded["sealed_for"] != bound_to(message.headers["task"], message.headers["id"]):
        raise DecryptionFailed("it was encrypted for another task")


def _task_id(message: Any) -> str | None:
    try:
        return str(UUID(message.headers["id"]))
    except (TypeError, ValueError, LookupError, AttributeError):
        return None


def _attempts(message: Any) -> int:
    attempts = message.headers.get("attempts")
    return attempts if isinstance(attempts, int) and attempts >= 0 else 0


def _reason(error: Exception) -> str:
    # Other errors may quote what they could not read.
    cause = error.__cause__ if isinstance(error.__cause__, DecryptionFailed) else error
    return str(cause) if isinstance(cause, DecryptionFailed) else type(error).__name__
