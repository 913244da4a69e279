"""Exits a worker that takes no tasks although some wait, as after a broken connection, so that it is restarted."""

import os
import time
from collections.abc import Callable
from typing import Any

import structlog
from celery.worker import state
from redis.exceptions import RedisError

from vestibule.contracts.tasks import QUEUES

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
    """Watch this worker on `timer`, the one of its own event loop."""
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
