"""Runs a worker: Celery with Vestibule's logging in every process of its pool."""

import gc
from collections.abc import Callable
from pathlib import Path
from socket import gethostname
from typing import Any

import structlog
from celery import signals
from celery.apps import worker as celery_program
from redis.exceptions import RedisError

# Imported for its tasks: a worker knows those whose modules were imported.
from vestibule.client_service import tasks  # noqa: F401
from vestibule.client_service.allowances.copy import CopiedAllowances
from vestibule.client_service.celery_app import create_consumer
from vestibule.client_service.queue.application import REALM, VestibuleCelery
from vestibule.client_service.settings import WorkerSettings
from vestibule.detection import Scanner
from vestibule.encryption import Cipher, KeyRingSource
from vestibule.processor_adapters import build_pseudonymizer, build_registry
from vestibule.processor_adapters.settings import open_policy
from vestibule.service_kit.logging.logging_config import configure_logging, flush_log
from vestibule.worker.decision_shipping import ShippingThread
from vestibule.worker.result_screening import ResultScreener
from vestibule.worker.shutdown import PunctualWorker
from vestibule.worker.telemetry import PoolTelemetry
from vestibule.worker.watchdog import WorkerObserver, end_heartbeat, on_event_loop, start_heartbeat, start_watchdog


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
    pseudonymizer = build_pseudonymizer(ring, lambda: scanner)
    processors = build_registry(settings, lambda: scanner, lambda: policies.current, pseudonymizer)
    app = create_consumer(settings, Cipher(ring, REALM), processors)
    results = app.results = ResultScreener(name, settings, scanner, policies, pseudonymizer, CopiedAllowances(ring))
    signals.worker_process_init.connect(lambda **_ignored: results.begin(app.backend.client), weak=False)
    if not settings.broker_url:
        # Acknowledgements go to the same Redis as the ends, so one packet has both.
        signals.worker_process_init.connect(lambda **_ignored: app.backend.hold_ends(), weak=False)
    # A process of the pool ends without Python's own shutdown, which would write what waits.
    signals.worker_process_shutdown.connect(lambda **_ignored: results.audit.log.close(), weak=False)
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
    least_level: str = "",
) -> int:
    """Work until SIGTERM and return the exit code.

    `ready_file` is touched when tasks are about to be taken, and at each heartbeat; each process of the pool calls
    `on_fork` when it starts.
    """
    log = structlog.get_logger("vestibule.worker")
    observer = WorkerObserver(name, concurrency, app.processors.names)

    def configure(**_ignored: Any) -> None:
        configure_logging(name, settings, has_colour=has_colour, least_level=least_level)

    def configure_process(**_ignored: Any) -> None:
        on_fork()
        # Again in each process of the pool, after Celery's own set-up.
        configure()

    def begin(timer: Any) -> None:
        ready_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        start_heartbeat(name, redis, timer, ready_file, observer)
        start_watchdog(redis, timer)

    def leave() -> None:
        write_ends(app, redis)
        ready_file.unlink(missing_ok=True)
        flush_log()

    # These timers run in the loop that takes tasks, and ends: none may hold it up while Redis is silent.
    redis = app.backend.open_brief_client()
    signals.setup_logging.connect(configure, weak=False)
    signals.worker_process_init.connect(configure_process, weak=False)
    # A process of the pool ends without Python's own shutdown, which would flush the log.
    signals.worker_process_shutdown.connect(lambda **_ignored: flush_log(), weak=False)
    signals.worker_ready.connect(lambda **_ignored: log.info("worker_ready", concurrency=concurrency), weak=False)
    shipping = ShippingThread(settings)
    signals.worker_ready.connect(lambda **_ignored: shipping.start(), weak=False)
    on_event_loop(app, begin)
    # It prints directly to stdout when it stops.
    celery_program.safe_say = lambda *_ignored: None
    worker = _make_worker(app, name, concurrency, settings)
    worker.before_end = leave
    # The processes of the pool share this memory, the scanner above all, until something writes to it; the garbage
    # collector would, into every object.
    gc.collect()
    gc.freeze()
    worker.start()
    # From here on Python refuses work for other threads.
    shipping.stop()
    write_ends(app, redis)
    end_heartbeat(name, redis)
    return int(worker.exitcode or 0)


def _make_worker(app: VestibuleCelery, name: str, concurrency: int, settings: WorkerSettings) -> Any:
    return app.subclass_with_self(PunctualWorker)(
        hostname=f"{name}@{gethostname()}",
        concurrency=concurrency,
        loglevel=settings.log_level.upper(),
        without_gossip=True,
        without_mingle=True,
        # Nobody reads these events. While Redis is silent, a shutdown would wait for a lock of their sender.
        without_heartbeat=True,
        quiet=True,
    )


def write_ends(app: VestibuleCelery, redis: Any) -> None:
    """Write what the pool has handed over since the connection of the acknowledgements was closed."""
    commands = app.ends.take(app)
    if not commands:
        return
    try:
        with redis.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)
            pipeline.execute()
    except (RedisError, OSError) as error:
        # Their messages are not acknowledged, so they run again.
        structlog.get_logger("vestibule.worker").warning("ends_not_written", error=type(error).__name__)
