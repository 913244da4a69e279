"""Sends the worker's heartbeat to Redis."""

import time
from pathlib import Path
from typing import Any

import structlog
from redis.exceptions import RedisError

from vestibule.contracts.tasks import BEAT_INTERVAL_S, FORGOTTEN_AFTER_S, WORKERS_KEY


def start_heartbeat(name: str, redis: Any, timer: Any, heartbeat_file: Path) -> None:
    """Send heartbeats for the worker `name` on `timer`, the one of its own event loop: a blocked loop sends none.

    Each heartbeat touches `heartbeat_file` too, for a health check on this machine.
    """
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
