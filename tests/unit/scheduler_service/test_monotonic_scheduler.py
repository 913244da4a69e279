"""Jobs run on the monotonic clock: when the wall clock is set, none runs twice and none is skipped."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from vestibule.scheduler_service import jobs
from vestibule.scheduler_service.jobs import JobRunner, MonotonicScheduler
from vestibule.scheduler_service.lease import Lease

from .conftest import FallbackLocks, LocalEntries, SteadyClock

INTERVAL_S = 0.2
HOUR_S = 3600.0


class Steady:
    """A monotonic clock behind the machine's."""

    behind_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() - self.behind_s


@pytest.fixture
def steady() -> Steady:
    """The monotonic clock of the scheduler."""
    return Steady()


@pytest.fixture
async def scheduler(steady: Steady) -> AsyncIterator[MonotonicScheduler]:
    """A running scheduler."""
    scheduler = MonotonicScheduler(steady=steady)
    scheduler.start()
    yield scheduler
    scheduler.shutdown(wait=False)


def _set_wall_clock(scheduler: MonotonicScheduler, steady: Steady, by_s: float) -> None:
    """Have the scheduler see a wall clock that was set forward by so many seconds.

    APScheduler reads the machine's wall clock, which stays. What it sees is the same: the monotonic clock and the times
    of all jobs are behind the wall clock by as much.
    """
    scheduler.pause()
    for job in scheduler.get_jobs():
        job.modify(next_run_time=job.next_run_time - timedelta(seconds=by_s))
    steady.behind_s += by_s
    scheduler.resume()


def _start_job(scheduler: MonotonicScheduler) -> list[float]:
    ran: list[float] = []

    async def run() -> None:
        ran.append(time.monotonic())

    begin = datetime.now(UTC)
    options: dict[str, Any] = {"misfire_grace_time": None, "coalesce": True}
    scheduler.add_job(run, "interval", seconds=INTERVAL_S, next_run_time=begin, **options)
    return ran


async def _until(ran: list[float], count: int) -> None:
    async with asyncio.timeout(60):
        while len(ran) < count:  # noqa: ASYNC110 - the list is filled by another task
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("set_by_s", [HOUR_S, -HOUR_S, 30.0, -30.0])
async def test_a_clock_that_is_set_changes_nothing(
    scheduler: MonotonicScheduler, steady: Steady, set_by_s: float
) -> None:
    """No run more and none less: the runs keep their interval."""
    began = time.monotonic()
    ran = _start_job(scheduler)
    await _until(ran, 2)
    _set_wall_clock(scheduler, steady, set_by_s)
    await _until(ran, 6)
    # However late a busy machine runs them, none comes before its time.
    assert [] == [number for number, at in enumerate(ran) if at - began < number * INTERVAL_S - 0.05]


async def test_every_job_keeps_its_time(scheduler: MonotonicScheduler, steady: Steady) -> None:
    """A job that is due in an hour is still due in an hour."""
    ran, too_early = _start_job(scheduler), asyncio.Event()
    job = scheduler.add_job(too_early.set, "interval", hours=1)
    before = job.next_run_time
    await _until(ran, 1)
    _set_wall_clock(scheduler, steady, HOUR_S)
    await _until(ran, 3)
    assert abs(job.next_run_time - before) < timedelta(seconds=60)
    assert not too_early.is_set()


async def test_an_error_of_the_scheduler_does_not_end_the_jobs(
    scheduler: MonotonicScheduler, steady: Steady, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged, and the jobs that are due are started at the next attempt."""
    monkeypatch.setattr(jobs, "ERROR_PAUSE_S", 0.01)
    move_jobs, failures = scheduler._move_jobs, iter([True])

    def fail_once(by: timedelta) -> None:
        if next(failures, False):
            raise ZeroDivisionError
        move_jobs(by)

    monkeypatch.setattr(scheduler, "_move_jobs", fail_once)
    ran = _start_job(scheduler)
    await _until(ran, 1)
    with structlog.testing.capture_logs() as lines:
        _set_wall_clock(scheduler, steady, 30.0)
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
