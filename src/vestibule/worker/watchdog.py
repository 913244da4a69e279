"""The worker's heartbeat, its record, and its watchdog: it exits a worker that consumes nothing while tasks wait.

All run on timers of the worker's own event loop: a blocked loop sends no heartbeat.
"""

import os
import time
from collections.abc import Callable, Collection
from pathlib import Path
from socket import gethostname
from threading import Thread
from typing import Any

import structlog
from celery import Celery, bootsteps
from celery.worker import state
from redis.exceptions import RedisError

from vestibule import __version__
from vestibule.contracts.queue import WORKER_PREFIX, RunningTask, WorkerRecord
from vestibule.contracts.tasks import ALL_QUEUES, BEAT_INTERVAL_S, FORGOTTEN_AFTER_S, WORKERS_KEY

CHECK_INTERVAL_S = 5.0
# A changed record is written this often, an unchanged one with each heartbeat.
RECORD_INTERVAL_S = 1.0
REMOVAL_TIMEOUT_S = 0.5
# Longer than a reconnect takes, and than the queue takes to redeliver the messages of a dead worker.
STOPPED_AFTER_S = 45.0
EXIT_STOPPED = 75  # EX_TEMPFAIL of sysexits.h


class ConsumerWatchdog:
    """Detects that a worker has stopped consuming: tasks wait, and it has none."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._idle_since: float | None = None

    def has_stopped(self, waiting: int, is_busy: bool) -> bool:
        """Say whether the worker has been idle for too long while tasks were waiting."""
        if is_busy or not waiting:
            self._idle_since = None
            return False
        self._idle_since = self._clock() if self._idle_since is None else self._idle_since
        return self._clock() - self._idle_since >= STOPPED_AFTER_S


def start_watchdog(redis: Any, timer: Any) -> None:
    """Exit this worker when it has stopped consuming, so that it is restarted."""
    watchdog = ConsumerWatchdog()
    log = structlog.get_logger("vestibule.worker")

    def check() -> None:
        try:
            with redis.pipeline(transaction=False) as pipeline:
                for queue in ALL_QUEUES:
                    pipeline.llen(queue)
                waiting = sum(pipeline.execute())
        except (RedisError, OSError):
            return  # Redis is unavailable, which is reported elsewhere
        if watchdog.has_stopped(waiting, is_busy=bool(state.reserved_requests)):
            log.error("consumer_stopped", waiting=waiting)
            # At once: it holds no task, and a clean shutdown needs the connection that is broken.
            os._exit(EXIT_STOPPED)

    timer.call_repeatedly(CHECK_INTERVAL_S, check)


class WorkerObserver:
    """Knows what the worker says of itself, from the state of Celery in its main process."""

    def __init__(self, name: str, processes: int, processors: Collection[str]) -> None:
        self._name = name
        self._processes = processes
        self._processors = processors
        self._host = gethostname()
        self._started_at = time.time()
        # When each running task was first seen; Celery's own times are of a clock that no other machine has.
        self._seen: dict[str, float] = {}

    def read(self) -> str:
        """Return the record as it is now, as JSON."""
        running = {str(request.id): request for request in tuple(state.active_requests)}
        self._seen = {task_id: self._seen.get(task_id) or time.time() for task_id in running}
        return WorkerRecord(
            name=self._name,
            host=self._host,
            version=__version__,
            processes=self._processes,
            started_at=self._started_at,
            tasks_taken=sum(state.total_count.values()),
            running=[
                RunningTask(task_id=task_id, processor=self._processor_of(request), since=self._seen[task_id])
                for task_id, request in running.items()
            ],
            reserved=sorted({str(request.id) for request in tuple(state.reserved_requests)} - running.keys()),
        ).model_dump_json()

    def _processor_of(self, request: Any) -> str:
        # An unknown name could be anything, even the data.
        named = request.args[1] if len(request.args) > 1 else None
        return named if isinstance(named, str) and named in self._processors else "unknown"


def start_heartbeat(name: str, redis: Any, timer: Any, heartbeat_file: Path, observer: WorkerObserver) -> None:
    """Send heartbeats for the worker `name`; each touches `heartbeat_file` too, for a health check on this machine.

    Its record goes with each, and in between where it has changed.
    """
    log = structlog.get_logger("vestibule.worker")
    last = ""

    def beat() -> None:
        now = time.time()
        try:
            heartbeat_file.touch()
            with redis.pipeline(transaction=False) as pipeline:
                pipeline.zadd(WORKERS_KEY, {name: now})
                pipeline.zremrangebyscore(WORKERS_KEY, 0, now - FORGOTTEN_AFTER_S)
                pipeline.set(WORKER_PREFIX + name, observer.read(), ex=int(FORGOTTEN_AFTER_S))
                pipeline.execute()
        except (RedisError, OSError) as error:
            log.warning("heartbeat_failed", error=type(error).__name__)

    def tell_changes() -> None:
        nonlocal last
        record = observer.read()
        if record != last:
            try:
                redis.set(WORKER_PREFIX + name, record, ex=int(FORGOTTEN_AFTER_S))
            except (RedisError, OSError):
                return  # the next heartbeat reports it
            last = record

    beat()
    timer.call_repeatedly(BEAT_INTERVAL_S, beat)
    timer.call_repeatedly(RECORD_INTERVAL_S, tell_changes)


def end_heartbeat(name: str, redis: Any) -> None:
    """Remove a worker that has shut down from those that are known; where Redis is slow, it counts as missing later."""

    def remove() -> None:
        try:
            with redis.pipeline(transaction=False) as pipeline:
                pipeline.zrem(WORKERS_KEY, name)
                pipeline.delete(WORKER_PREFIX + name)
                pipeline.execute()
        except (RedisError, OSError):
            structlog.get_logger("vestibule.worker").info("worker_not_removed")

    thread = Thread(target=remove, daemon=True)
    thread.start()
    thread.join(REMOVAL_TIMEOUT_S)


def on_event_loop(app: Celery, begin: Callable[[Any], None]) -> None:
    """Call `begin` with the timer of the loop, at the start of a worker and after each reconnect.

    Celery discards all timers when it loses its connection.
    """

    class Begin(bootsteps.StartStopStep):  # type: ignore[misc]
        """A step of the consumer; Celery calls it each time that the event loop restarts."""

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def register_with_event_loop(self, _consumer: Any, hub: Any) -> None:
            begin(hub.timer)

    app.steps["consumer"].add(Begin)
