"""Metrics and traces of a worker, over all processes of its pool."""

from collections.abc import Callable, Collection
from pathlib import Path
from socket import gethostname
from typing import Any

import structlog
from celery import signals
from prometheus_client import start_http_server

from vestibule.client_service.settings import WorkerSettings
from vestibule.service_kit.logging.logging_config import show_lost_lines
from vestibule.service_kit.metrics.catalogue import WORKER_PROCESSES_REPLACED
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.metrics.sharing import Publisher, clear_shared, read_shared
from vestibule.service_kit.tracing import Tracer, open_tracer
from vestibule.worker.task_telemetry import TaskTelemetry


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
        observation = TaskTelemetry(metrics, self._tracer, self._processors)
        signals.task_prerun.connect(observation.begin_task, weak=False)
        signals.task_postrun.connect(observation.end_task, weak=False)
        if self._is_shown:
            self._publish(metrics)

    def _end_process(self, **_ignored: Any) -> None:
        if self._publisher is not None:
            self._publisher.close()
        if self._tracer is not None:
            self._tracer.close()

    def _publish(self, metrics: Metrics) -> None:
        self._publisher = Publisher(self._folder, metrics.snapshot, lambda: metrics.count(WORKER_PROCESSES_REPLACED))
        self._publisher.start()

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
