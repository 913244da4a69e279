"""Runs a worker: Celery with Vestibule's logging in every process of its pool."""

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from celery import signals
from celery.apps import worker as celery_program

# Imported for its tasks: a worker knows those whose modules were imported.
from vestibule.client_service import tasks  # noqa: F401
from vestibule.client_service.celery_app import create_consumer
from vestibule.client_service.queue.application import REALM, VestibuleCelery
from vestibule.client_service.settings import WorkerSettings
from vestibule.detection import Scanner
from vestibule.encryption import Cipher, KeyRingSource
from vestibule.processor_adapters import build_pseudonymizer, build_registry
from vestibule.processor_adapters.settings import open_policy
from vestibule.service_kit.logging.logging_config import configure_logging, flush_log
from vestibule.worker.result_screening import ResultScreener
from vestibule.worker.telemetry import PoolTelemetry
from vestibule.worker.watchdog import on_event_loop, start_heartbeat, start_watchdog


def build_worker(name: str, settings: WorkerSettings, ring: KeyRingSource) -> VestibuleCelery:
    """Return the application of a worker with all that its tasks need; the processes of its pool are forks of it.

    Raises:
        InvalidPolicy: the policy file is invalid.
        ValueError: the settings name an entity or a channel that does not exist, or an operator's own processor cannot
            be used.
    """
    scanner = Scanner.from_settings(settings.detection)
    scanner.warm_up()
    policies = open_policy(settings)
    pseudonymizer = build_pseudonymizer(ring)
    processors = build_registry(settings, lambda: scanner, lambda: policies.current, pseudonymizer)
    app = create_consumer(settings, Cipher(ring, REALM), processors)
    results = app.results = ResultScreener(name, settings, scanner, policies, pseudonymizer)
    signals.worker_process_init.connect(lambda **_ignored: results.follow_policy(), weak=False)
    PoolTelemetry(name, settings, processors.names, results.count_into).connect()
    return app


def run_worker(
    name: str,
    concurrency: int,
    settings: WorkerSettings,
    app: VestibuleCelery,
    *,
    ready_file: Path,
    on_fork: Callable[..., None],
    has_colour: bool = True,
) -> int:
    """Work until SIGTERM and return the exit code.

    `ready_file` is touched when tasks are about to be taken, and at each heartbeat; each process of the pool calls
    `on_fork` when it starts.
    """
    log = structlog.get_logger("vestibule.worker")

    def configure(**_ignored: Any) -> None:
        configure_logging(name, settings, has_colour=has_colour)

    def configure_process(**_ignored: Any) -> None:
        on_fork()
        # Again in each process of the pool, after Celery's own set-up.
        configure()

    def begin(timer: Any) -> None:
        ready_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        start_heartbeat(name, app.backend.client, timer, ready_file)
        start_watchdog(app.backend.client, timer)

    signals.setup_logging.connect(configure, weak=False)
    signals.worker_process_init.connect(configure_process, weak=False)
    # A process of the pool ends without Python's own shutdown, which would flush the log.
    signals.worker_process_shutdown.connect(lambda **_ignored: flush_log(), weak=False)
    signals.worker_ready.connect(lambda **_ignored: log.info("worker_ready", concurrency=concurrency), weak=False)
    on_event_loop(app, begin)
    # It prints directly to stdout when it stops.
    celery_program.safe_say = lambda *_ignored: None
    worker = app.Worker(
        hostname=f"{name}@%h",
        concurrency=concurrency,
        loglevel=settings.log_level.upper(),
        without_gossip=True,
        without_mingle=True,
        # Nobody reads these events. While Redis is silent, a shutdown would wait for a lock of their sender.
        without_heartbeat=True,
        quiet=True,
    )
    # The processes of the pool share this memory, the scanner above all, until something writes to it; the garbage
    # collector would, into every object.
    gc.collect()
    gc.freeze()
    worker.start()
    return int(worker.exitcode or 0)
