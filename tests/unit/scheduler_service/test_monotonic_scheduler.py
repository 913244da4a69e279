"""Jobs run on the monotonic clock: when the wall clock is set, none runs twice and none is skipped."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from apscheduler.schedulers import base

from vestibule.scheduler_service import jobs
from vestibule.scheduler_service.jobs import JobRunner, MonotonicScheduler
from vestibule.scheduler_service.lease import Lease

from .conftest import FallbackLocks, LocalEntries, SteadyClock

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


async def test_an_error_of_the_scheduler_does_not_end_the_jobs(
    scheduler: MonotonicScheduler, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged, and the jobs that are due are started at the next attempt."""
    monkeypatch.setattr(jobs, "ERROR_PAUSE_S", 0.01)
    move_jobs, failures = scheduler._move_jobs, iter([True])

    def fail_once(by: timedelta) -> None:
        if next(failures, False):
            raise ZeroDivisionError
        move_jobs(by)

    monkeypatch.setattr(scheduler, "_move_jobs", fail_once)
    ran = _start_job(scheduler, wall)
    await _until(ran, 1)
    with structlog.testing.capture_logs() as lines:
        wall.set_by_s = 30.0
        await _until(ran, 3)
    assert "job_scheduling_failed" in [line["event"] for line in lines]


async def test_a_job_that_fails_again_and_again_is_reported(store: LocalEntries, clock: SteadyClock) -> None:
    """It runs again each time; after three failures the runner is not ready, and after a success it is."""
    runner = JobRunner(Lease(store, FallbackLocks(), "one", 60, clock))
    outcomes = [ZeroDivisionError, ZeroDivisionError, ZeroDivisionError, None]
    ready: list[bool] = []

    async def work() -> None:
        if outcomes:
            ready.append(await runner.are_working())
            if (error := outcomes.pop(0)) is not None:
                raise error

    runner.add_everywhere("work", 0.01, work)
    with structlog.testing.capture_logs() as lines:
        await runner.start()
        async with asyncio.timeout(60):
            while outcomes or not await runner.are_working():  # noqa: ASYNC110 - the scheduler runs the job
                await asyncio.sleep(0.005)
        await runner.close()
    assert [True, True, True, False] == ready
    assert [("work", 1), ("work", 3)] == [(line["job"], line["failures"]) for line in lines if "job" in line]
