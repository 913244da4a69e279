"""Metrics and traces of tasks, in each process of a worker's pool."""

import time
from collections.abc import Collection
from contextlib import ExitStack
from typing import Any

import structlog

from vestibule.contracts.queue_names import SENT_AT
from vestibule.contracts.work import DEFAULT_PROCESSOR
from vestibule.service_kit.metrics.catalogue import (
    TASK_DURATION,
    TASK_WAIT,
    TASKS,
    TASKS_REDELIVERED,
)
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.tracing import TRACEPARENT, SpanKind, Tracer, entered, trace_id_of

STATES = {"SUCCESS": "succeeded", "RETRY": "retried"}
UNKNOWN = "unknown"


class TaskTelemetry:
    """The metrics and traces of one process. Celery calls its methods; none of them may fail a task."""

    def __init__(self, metrics: Metrics, tracer: Tracer | None, processors: Collection[str]) -> None:
        self._metrics = metrics
        self._tracer = tracer
        self._processors = processors
        self._began = 0.0
        self._open = ExitStack()
        metrics.expect(TASKS_REDELIVERED)

    def begin_task(self, task: Any, args: Any = (), kwargs: Any = None, **_ignored: Any) -> None:
        """Take the time, and go on with the trace of the request that sent the task."""
        request = task.request
        self._began = time.perf_counter()
        sent_at = getattr(request, SENT_AT, None)
        if isinstance(sent_at, int | float):
            self._metrics.observe(TASK_WAIT, max(0.0, time.time() - sent_at))
        if (request.delivery_info or {}).get("redelivered"):
            self._metrics.count(TASKS_REDELIVERED)
        if self._tracer is not None:
            self._enter_span(self._tracer, task, self._processor_of(args, kwargs))

    def end_task(self, args: Any = (), kwargs: Any = None, state: str | None = None, **_ignored: Any) -> None:
        """Count the attempt, and end its span."""
        processor = self._processor_of(args, kwargs)
        self._metrics.count(TASKS, processor, STATES.get(str(state), "failed"))
        self._metrics.observe(TASK_DURATION, time.perf_counter() - self._began, processor)
        self._open.close()

    def _enter_span(self, tracer: Tracer, task: Any, processor: str) -> None:
        parent = getattr(task.request, TRACEPARENT, None)
        attributes = {
            "messaging.system": "celery",
            "vestibule.processor": processor,
            "vestibule.task_id": str(task.request.id),
        }
        begun = tracer.begin(
            f"run {task.name}", SpanKind.CONSUMER, parent if isinstance(parent, str) else None, attributes
        )
        structlog.contextvars.bind_contextvars(trace_id=trace_id_of(begun))
        self._open.callback(structlog.contextvars.unbind_contextvars, "trace_id")
        self._open.enter_context(entered(tracer, begun))

    def _processor_of(self, args: Any, kwargs: Any) -> str:
        # The name is the second argument; one that nothing goes by could be anything, even the data.
        named = (kwargs or {}).get("processor") or (args[1] if args and len(args) > 1 else DEFAULT_PROCESSOR)
        return named if isinstance(named, str) and named in self._processors else UNKNOWN
