"""APScheduler by a steady clock: whatever is done to the clock on the wall, jobs run when they would have run."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

Clock = Callable[[], float]
# Clocks are slewed all the time by less than this; what is more was set.
TOLERANCE_S = 0.5


class MonotonicScheduler(AsyncIOScheduler):  # type: ignore[misc]
    """APScheduler keeps the times of its jobs by the clock on the wall, and sleeps by the steady one.

    Set forth, that clock would make every job due; set back an hour, none would run for an hour. So whenever it wakes,
    the times of all jobs are moved by as much as the clock was set, before it looks which of them are due.
    """

    def __init__(self, wall: Clock = time.time, steady: Clock = time.monotonic) -> None:
        super().__init__(timezone=UTC)
        self._wall = wall
        self._steady = steady
        self._offset_s = wall() - steady()

    def wakeup(self) -> None:
        """Run what is due."""
        offset_s = self._wall() - self._steady()
        was_set_by_s = offset_s - self._offset_s
        if abs(was_set_by_s) > TOLERANCE_S:
            self._offset_s = offset_s
            structlog.get_logger("vestibule.monitor").warning("clock_changed", by_s=round(was_set_by_s, 1))
            self._move_jobs(timedelta(seconds=was_set_by_s))
        super().wakeup()

    def _move_jobs(self, by: timedelta) -> None:
        # Paused, so that no job is looked at before all are moved.
        self.pause()
        for job in self.get_jobs():
            if job.next_run_time is not None:
                job.modify(next_run_time=job.next_run_time + by)
        self.resume()


def now() -> datetime:
    """Return the time on the wall."""
    return datetime.now(UTC)
