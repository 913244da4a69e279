"""A real worker that is asked to end while Redis is there, while it is gone, and while it is silent."""

import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

WITHIN_S = 60
ENDS_WITHIN_S = 5
Until = Callable[..., Any]


def test_a_worker_sends_no_events_that_nobody_reads(place: Any, start_worker: Until, wait_until: Until) -> None:
    """While Redis is silent, their sender would hold a lock for which a shutdown waits, until it is killed."""
    with Redis.from_url(place.settings.redis_url) as redis, redis.pubsub(ignore_subscribe_messages=True) as events:
        events.psubscribe("*celeryev*")
        events.get_message(timeout=WITHIN_S)
        output = start_worker()
        # The first one would be sent before this.
        wait_until(lambda: "worker_ready" in output.read_text(), WITHIN_S, "the start of the worker")
        assert events.get_message(timeout=0.5) is None


@pytest.mark.parametrize("redis", ["there", "gone", "frozen"])
def test_an_idle_worker_ends_at_once(
    place: Any,
    start_worker: Until,
    workers: list["subprocess.Popen[bytes]"],
    wait_until: Until,
    redis: str,
) -> None:
    """A deployment that stops as a whole takes Redis away first; one that does not answer is asked several times."""
    output = start_worker()
    wait_until(lambda: "worker_ready" in output.read_text(), WITHIN_S, "the start of the worker")
    worker = workers.pop()
    if redis == "frozen":
        place.redis.process.send_signal(signal.SIGSTOP)
    if redis == "gone":
        place.redis.process.kill()
        # It tries to connect again, for ever.
        wait_until(lambda: "Cannot connect" in output.read_text(), WITHIN_S, "the notice of the worker")
    asked_at = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    try:
        assert 0 == worker.wait(WITHIN_S)
    finally:
        worker.kill()
    assert time.monotonic() - asked_at < ENDS_WITHIN_S
