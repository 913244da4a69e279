"""Metrics and traces of tasks, in each process of a worker's pool and over all of them."""

import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from socket import gethostname
from typing import Any

import structlog
from celery import signals
from prometheus_client import start_http_server

from vestibule.client_service.settings import WorkerSettings
from vestibule.contracts.tasks import DEFAULT_PROCESSOR, SENT_AT
from vestibule.runtime.log_context import bind_log_fields, unbind_log_field
from vestibule.service_kit.logging.logging_config import show_lost_lines
from vestibule.service_kit.metrics.catalogue import (
    TASK_DURATION,
    TASK_WAIT,
    TASKS,
    TASKS_REDELIVERED,
    WORKER_PROCESSES_REPLACED,
)
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.metrics.sharing import Publisher, clear_shared, read_shared
from vestibule.service_kit.tracing import TRACEPARENT, SpanKind, Tracer, entered, open_tracer, trace_id_of

STATES = {"SUCCESS": "succeeded", "RETRY": "retried"}
FAILED = "failed"
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
        for processor in processors:
            for state in (*STATES.values(), FAILED):
                metrics.expect(TASKS, processor, state)

    def begin_task(self, task: Any, args: Any = (), kwargs: Any = None, **_ignored: Any) -> None:
        """Start the clock, and continue the trace of the request that sent the task."""
        request = task.request
        self._began = time.perf_counter()
        sent_at = getattr(request, SENT_AT, None)
        if isinstance(sent_at, int | float):
            self._metrics.observe(TASK_WAIT, max(0.0, time.time() - sent_at))
        if (request.delivery_info or {}).get("redelivered"):
            self._metrics.count(TASKS_REDELIVERED)
        if self._tracer is None:
            return
        parent = getattr(request, TRACEPARENT, None)
        attributes = {
            "messaging.system": "celery",
            "vestibule.processor": self._processor_of(args, kwargs),
            "vestibule.task_id": str(request.id),
        }
        begun = self._tracer.begin(
            f"run {task.name}", SpanKind.CONSUMER, parent if isinstance(parent, str) else None, attributes
        )
        bind_log_fields(trace_id=trace_id_of(begun))
        self._open.callback(unbind_log_field, "trace_id")
        self._open.enter_context(entered(self._tracer, begun))

    def end_task(
        self, task: Any = None, args: Any = (), kwargs: Any = None, state: str | None = None, **_ignored: Any
    ) -> None:
        """Count the attempt, and end its span. A task that was handed back because it is paused is no attempt."""
        if not getattr(getattr(task, "request", None), "handed_back", False):
            processor = self._processor_of(args, kwargs)
            self._metrics.count(TASKS, processor, STATES.get(str(state), FAILED))
            self._metrics.observe(TASK_DURATION, time.perf_counter() - self._began, processor)
        self._open.close()

    def _processor_of(self, args: Any, kwargs: Any) -> str:
        # The name is the second argument. An unknown one could be anything, even the data.
        named = (kwargs or {}).get("processor") or (args[1] if args and len(args) > 1 else DEFAULT_PROCESSOR)
        return named if isinstance(named, str) and named in self._processors else UNKNOWN


class PoolTelemetry:
    """Observes every process of a pool. The parent aggregates their metrics, and serves them if it has a port."""

    def __init__(
        self, name: str, settings: WorkerSettings, processors: Collection[str], on_metrics: Callable[[Metrics], None]
    ) -> None:
        """Take the parts; `on_metrics` is called with the metrics of each process, to register more of them."""
        self._name = name
        self._on_metrics = on_metrics
        self._settings = settings
        self._processors = processors
        # Several workers may share the data directory; containers have names of their own.
        self._folder: Path = settings.metrics_dir / f"{name}@{gethostname()}"
        self._is_shown = settings.embedded or settings.metrics_port is not None
        self._tracer: Tracer | None = None
        self._publisher: Publisher | None = None

    def connect(self) -> None:
        """Connect to Celery's signals in the parent process, before the pool starts."""
        if self._is_shown:
            clear_shared(self._folder)
        signals.worker_process_init.connect(self._begin_process, weak=False)
        signals.worker_process_shutdown.connect(self._end_process, weak=False)
        signals.worker_ready.connect(self._show, weak=False)

    def _begin_process(self, **_ignored: Any) -> None:
        metrics = Metrics(self._name)
        metrics.expect(WORKER_PROCESSES_REPLACED)
        show_lost_lines(metrics)
        self._on_metrics(metrics)
        self._tracer = open_tracer(self._name, self._settings, metrics)
        telemetry = TaskTelemetry(metrics, self._tracer, self._processors)
        signals.task_prerun.connect(telemetry.begin_task, weak=False)
        signals.task_postrun.connect(telemetry.end_task, weak=False)
        if self._is_shown:
            count_replaced = partial(metrics.count, WORKER_PROCESSES_REPLACED)
            self._publisher = Publisher(self._folder, metrics.snapshot, count_replaced)
            self._publisher.start()

    def _end_process(self, **_ignored: Any) -> None:
        if self._publisher is not None:
            self._publisher.close()
        if self._tracer is not None:
            self._tracer.close()

    def _show(self, **_ignored: Any) -> None:
        port = self._settings.metrics_port
        if port is None or self._settings.embedded:
            return
        metrics = Metrics(self._name)
        metrics.join(lambda: read_shared(self._folder))
        try:
            start_http_server(port, self._settings.host, registry=metrics)
        except OSError as error:
            structlog.get_logger("vestibule.metrics").error("metrics_not_served", port=port, errno=error.errno)
