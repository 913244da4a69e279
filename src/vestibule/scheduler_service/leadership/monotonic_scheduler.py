"""APScheduler on a monotonic clock: jobs run on time when the wall clock is set."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

Clock = Callable[[], float]
# Clocks are slewed by less than this all the time; a larger difference means that the clock was set.
TOLERANCE_S = 0.5


class MonotonicScheduler(AsyncIOScheduler):  # type: ignore[misc]
    """APScheduler keeps the times of its jobs on the wall clock, and sleeps on the monotonic one.

    If the wall clock is set forward, every job would be due; if it is set back an hour, none would run for an hour. So
    at each wakeup all jobs are moved by as much as the clock was set, before APScheduler checks which are due.
    """

    def __init__(self, wall: Clock = time.time, steady: Clock = time.monotonic) -> None:
        super().__init__(timezone=UTC)
        self._wall = wall
        self._steady = steady
        self._offset_s = wall() - steady()

    def wakeup(self) -> None:
        """Run the jobs that are due."""
        offset_s = self._wall() - self._steady()
        was_set_by_s = offset_s - self._offset_s
        if abs(was_set_by_s) > TOLERANCE_S:
            self._offset_s = offset_s
            structlog.get_logger("vestibule.monitor").warning("clock_changed", by_s=round(was_set_by_s, 1))
            self._move_jobs(timedelta(seconds=was_set_by_s))
        super().wakeup()

    def _move_jobs(self, by: timedelta) -> None:
        # Paused, so that no job runs before all are moved.
        self.pause()
        for job in self.get_jobs():
            if job.next_run_time is not None:
                job.modify(next_run_time=job.next_run_time + by)
        self.resume()


def now() -> datetime:
    """Return the wall clock time."""
    return datetime.now(UTC)
