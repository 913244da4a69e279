"""A real worker that is asked to end while Redis is there, and while it is gone."""

import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest

WITHIN_S = 60
ENDS_WITHIN_S = 5


@pytest.mark.parametrize("redis", ["there", "gone", "just gone"])
def test_an_idle_worker_ends_at_once(
    place: Any,
    start_worker: Callable[..., Any],
    workers: list["subprocess.Popen[bytes]"],
    wait_until: Callable[..., Any],
    redis: str,
) -> None:
    """A deployment that stops as a whole takes Redis away first, or meanwhile."""
    output = start_worker()
    wait_until(lambda: "worker_ready" in output.read_text(), WITHIN_S, "the start of the worker")
    worker = workers.pop()
    if redis != "there":
        place.redis.process.kill()
        place.redis.process.wait()
    if redis == "gone":
        # It tries to connect again, for ever.
        wait_until(lambda: "Cannot connect" in output.read_text(), WITHIN_S, "the notice of the worker")
    asked_at = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    try:
        assert 0 == worker.wait(WITHIN_S)
    finally:
        worker.kill()
    assert time.monotonic() - asked_at < ENDS_WITHIN_S
