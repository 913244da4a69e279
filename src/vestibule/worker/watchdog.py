"""The worker's heartbeat, and its watchdog: it exits a worker that consumes nothing while tasks wait.

Both run on timers of the worker's own event loop: a blocked loop sends no heartbeat.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from celery import Celery, bootsteps
from celery.worker import state
from redis.exceptions import RedisError

from vestibule.contracts.tasks import BEAT_INTERVAL_S, FORGOTTEN_AFTER_S, QUEUES, WORKERS_KEY

CHECK_INTERVAL_S = 5.0
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
                for queue in QUEUES.values():
                    pipeline.llen(queue)
                waiting = sum(pipeline.execute())
        except (RedisError, OSError):
            return  # Redis is unavailable, which is reported elsewhere
        if watchdog.has_stopped(waiting, is_busy=bool(state.reserved_requests)):
            log.error("consumer_stopped", waiting=waiting)
            # At once: it holds no task, and a clean shutdown needs the connection that is broken.
            os._exit(EXIT_STOPPED)

    timer.call_repeatedly(CHECK_INTERVAL_S, check)


def start_heartbeat(name: str, redis: Any, timer: Any, heartbeat_file: Path) -> None:
    """Send heartbeats for the worker `name`; each touches `heartbeat_file` too, for a health check on this machine."""
    log = structlog.get_logger("vestibule.worker")

    def beat() -> None:
        now = time.time()
        try:
            heartbeat_file.touch()
            with redis.pipeline(transaction=False) as pipeline:
                pipeline.zadd(WORKERS_KEY, {name: now})
                pipeline.zremrangebyscore(WORKERS_KEY, 0, now - FORGOTTEN_AFTER_S)
                pipeline.execute()
        except (RedisError, OSError) as error:
            log.warning("heartbeat_failed", error=type(error).__name__)

    beat()
    timer.call_repeatedly(BEAT_INTERVAL_S, beat)


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
