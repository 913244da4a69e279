"""A service says whether it lives, and what it waits for."""

import asyncio
import time
from dataclasses import replace
from typing import Any

from vestibule.service_kit.http.health import CHECK_TIMEOUT_S, Readiness
from vestibule.service_kit.wiring import frame_of


async def _answers() -> bool:
    return True


async def _denies() -> bool:
    return False


async def _breaks() -> bool:
    raise OSError("away")


async def _hangs() -> bool:
    await asyncio.Event().wait()
    return True


async def test_everything_that_does_not_answer_is_missing() -> None:
    """A part that denies, breaks or hangs is missing, and hanging parts are waited for together."""
    hanging = [f"d{number}" for number in range(30)]
    began = time.monotonic()
    readiness = Readiness({"a": _answers, "b": _denies, "c": _breaks, **dict.fromkeys(hanging, _hangs)})
    assert ["b", "c", *hanging] == await readiness.missing()
    assert time.monotonic() - began < len(hanging) * CHECK_TIMEOUT_S / 2


async def test_a_service_that_waits_for_a_part_is_not_ready_and_lives(service: Any) -> None:
    """Without a token, `/readyz` says 503 and names the part while `/health` says 200."""
    readiness = Readiness({"queue": _denies, "database": _answers})
    frame_of(service.app).wiring = replace(service.wiring, readiness=readiness)
    async with service.client(token=None) as client:
        ready, lives = await client.get("/readyz"), await client.get("/health")
    assert (503, "queue", "1") == (ready.status_code, ready.json()["part"], ready.headers["retry-after"])
    assert (200, "ok", "sample") == (lives.status_code, lives.json()["status"], lives.json()["service"])
    assert [] == service.auth_failures
