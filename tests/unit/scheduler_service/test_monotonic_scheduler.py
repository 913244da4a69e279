"""Jobs run on the monotonic clock: when the wall clock is set, none runs twice and none is skipped."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from apscheduler.schedulers import base

from vestibule.scheduler_service.jobs import MonotonicScheduler

INTERVAL_S = 0.2
HOUR_S = 3600.0


class Wall:
    """A wall clock that can be set."""

    def __init__(self) -> None:
        self.set_by_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.set_by_s


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    """The clock that APScheduler sees, too."""
    clock = Wall()

    class Shown(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Shown":
            return cls.fromtimestamp(clock(), tz)

    monkeypatch.setattr(base, "datetime", Shown)
    return clock


@pytest.fixture
async def scheduler(wall: Wall) -> AsyncIterator[MonotonicScheduler]:
    """A running scheduler."""
    scheduler = MonotonicScheduler(wall)
    scheduler.start()
    yield scheduler
    scheduler.shutdown(wait=False)


def _start_job(scheduler: MonotonicScheduler, wall: Wall) -> list[float]:
    ran: list[float] = []

    async def run() -> None:
        ran.append(time.monotonic())

    begin = datetime.fromtimestamp(wall(), UTC)
    options: dict[str, Any] = {"misfire_grace_time": None, "coalesce": True}
    scheduler.add_job(run, "interval", seconds=INTERVAL_S, next_run_time=begin, **options)
    return ran


async def _until(ran: list[float], count: int) -> None:
    async with asyncio.timeout(60):
        while len(ran) < count:  # noqa: ASYNC110 - the list is filled by another task
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("set_by_s", [HOUR_S, -HOUR_S, 30.0, -30.0])
async def test_a_clock_that_is_set_changes_nothing(scheduler: MonotonicScheduler, wall: Wall, set_by_s: float) -> None:
    """No run more and none less: the runs keep their interval."""
    began = time.monotonic()
    ran = _start_job(scheduler, wall)
    await _until(ran, 2)
    wall.set_by_s = set_by_s
    await _until(ran, 6)
    # However late a busy machine runs them, none comes before its time.
    assert [] == [number for number, at in enumerate(ran) if at - began < number * INTERVAL_S - 0.05]


async def test_every_job_keeps_its_time(scheduler: MonotonicScheduler, wall: Wall) -> None:
    """A job that is due in an hour is still due in an hour."""
    ran = _start_job(scheduler, wall)
    job = scheduler.add_job(asyncio.sleep, "interval", args=[0], hours=1)
    before = job.next_run_time.timestamp() - wall()
    await _until(ran, 1)
    wall.set_by_s = HOUR_S
    await _until(ran, 3)
    assert abs(job.next_run_time.timestamp() - wall() - before) < 60
