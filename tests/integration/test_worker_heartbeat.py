"""A real worker whose connection to Redis breaks."""

from collections.abc import Callable
from typing import Any

from redis import Redis

WITHIN_S = 60


def test_a_worker_beats_on_over_a_broken_connection(
    place: Any, start_worker: Callable[..., Any], wait_until: Callable[..., Any]
) -> None:
    """It touches its file for the health check, and tells the queue that it lives, on the new connection as well."""
    sign = place.settings.data_dir / "run" / "worker1.ready"
    output = start_worker()
    wait_until(lambda: "worker_ready" in output.read_text(), WITHIN_S, "the start of the worker")
    with Redis.from_url(place.settings.redis_url) as redis:
        redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        redis.delete("vestibule:workers")
        sign.unlink()
        wait_until(sign.exists, WITHIN_S, "the sign of life")
        wait_until(lambda: redis.zscore("vestibule:workers", "worker1"), WITHIN_S, "the heartbeat")
