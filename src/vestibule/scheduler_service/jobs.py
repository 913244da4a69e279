"""Runs the jobs of the scheduler: on the active replica only, or on every replica; on a monotonic clock."""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from vestibule.scheduler_service.lease import Lease

Clock = Callable[[], float]
# Clocks are slewed by less than this all the time; a larger difference means that the clock was set.
TOLERANCE_S = 0.5
ERROR_PAUSE_S = 1.0
# After this many failed runs in a row of one job the service is not ready.
FAILURES_UNTIL_UNREADY = 3


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

    def _process_jobs(self) -> float | None:
        # APScheduler sets the timer of the next wakeup to what this returns: an exception here would end all jobs.
        try:
            self._follow_clock()
            wait_s: float | None = super()._process_jobs()
        except Exception as error:  # noqa: BLE001
            structlog.get_logger("vestibule.monitor").error("job_scheduling_failed", exc_info=error)
            return ERROR_PAUSE_S
        return wait_s

    def _follow_clock(self) -> None:
        offset_s = self._wall() - self._steady()
        was_set_by_s = offset_s - self._offset_s
        if abs(was_set_by_s) > TOLERANCE_S:
            self._offset_s = offset_s
            structlog.get_logger("vestibule.monitor").warning("clock_changed", by_s=round(was_set_by_s, 1))
            self._move_jobs(timedelta(seconds=was_set_by_s))

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


Work = Callable[[], Awaitable[None]]


class JobRunner:
    """Runs jobs under APScheduler, each at once and then at every interval."""

    def __init__(self, lease: Lease, scheduler: MonotonicScheduler | None = None) -> None:
        self._lease = lease
        self._scheduler = scheduler or MonotonicScheduler()
        self._failures: dict[str, int] = {}
        self._log = structlog.get_logger("vestibule.monitor")
        self.add_everywhere("lease", lease.check_every_s, lease.keep)

    def add(self, name: str, interval_s: float, work: Work) -> None:
        """Run `work` on the active replica only."""

        async def work_if_active() -> None:
            if await self._lease.may_work():
                await work()

        self.add_everywhere(name, interval_s, work_if_active)

    def add_everywhere(self, name: str, interval_s: float, work: Work) -> None:
        """Run `work` on every replica."""

        async def safely() -> None:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - a job that fails runs again at its next time
                self._failures[name] = self._failures.get(name, 0) + 1
                if self._failures[name] in (1, FAILURES_UNTIL_UNREADY):
                    self._log.error("job_failed", job=name, failures=self._failures[name], exc_info=error)
            else:
                self._failures.pop(name, None)

        self._scheduler.add_job(
            safely,
            "interval",
            id=name,
            seconds=interval_s,
            next_run_time=now(),
            # Otherwise APScheduler drops a run that is late, or runs several late ones.
            misfire_grace_time=None,
            coalesce=True,
            max_instances=1,
        )

    async def are_working(self) -> bool:
        """Say whether no job fails again and again, for the readiness of the service."""
        return all(failures < FAILURES_UNTIL_UNREADY for failures in self._failures.values())

    async def start(self) -> None:
        """Try to acquire the lease, and start the jobs."""
        await self._lease.keep()
        self._scheduler.start()

    async def close(self) -> None:
        """Start no more jobs, and release the lease so that another replica takes over at once."""
        self._scheduler.shutdown(wait=False)
        await self._lease.release()
