"""The Celery application of producer and workers, with messages that hide their arguments."""

import time
from typing import Any, Protocol

import structlog
from celery import Celery
from celery.app.task import Task

from vestibule.client_service.queue.encrypted_content import BoundMessages
from vestibule.client_service.queue.settings import QueueSettings
from vestibule.contracts.queue_names import SENT_AT
from vestibule.contracts.work import WorkOrigin
from vestibule.encryption import Cipher
from vestibule.processing import ProcessorRegistry
from vestibule.service_kit.tracing import SpanKind, current_traceparent, span

HIDDEN = "(hidden)"


class QuietTask(Task):  # type: ignore[misc]
    """A task whose messages hide its arguments and carry the request id, for the log lines of the worker."""

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Send the task as Celery does, with its arguments' text form hidden from headers and logs."""
        options.setdefault("argsrepr", HIDDEN)
        options.setdefault("kwargsrepr", HIDDEN)
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        with span(f"send {self.name}", SpanKind.PRODUCER):
            ours = {"request_id": request_id, SENT_AT: time.time(), **current_traceparent()}
            options["headers"] = {**ours, **(options.get("headers") or {})}
            return super().apply_async(args, kwargs, **options)


class ResultScreening(Protocol):
    """Screens results."""

    def screen_result(self, result: str, origin: WorkOrigin) -> str:
        """Return a result as the policy changes it."""
        ...


class VestibuleCelery(Celery):  # type: ignore[misc]
    """Celery with the parts that its tasks need, so that tasks need no global state."""

    task_cls = QuietTask
    amqp_cls = BoundMessages
    processors: ProcessorRegistry
    settings: QueueSettings
    cipher: Cipher
    results: ResultScreening | None = None

    def time_limit_s(self, processor: str) -> float:
        """Return the time limit of a task of `processor`."""
        limits_s = [self.settings.task_time_limit_s, self.processors.time_limit_s(processor)]
        return min(limit_s for limit_s in limits_s if limit_s is not None)
