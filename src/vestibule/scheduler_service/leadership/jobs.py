"""Runs the jobs of the scheduler: on the active replica only, or on every replica."""

from collections.abc import Awaitable, Callable

import structlog

from vestibule.scheduler_service.leadership.lease import Lease
from vestibule.scheduler_service.leadership.monotonic_scheduler import MonotonicScheduler, now

Work = Callable[[], Awaitable[None]]


class JobRunner:
    """Runs jobs under APScheduler, each at once and then after every interval, while this replica holds the lease."""

    def __init__(self, lease: Lease, scheduler: MonotonicScheduler | None = None) -> None:
        self._lease = lease
        self._scheduler = scheduler or MonotonicScheduler()
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
            except Exception:  # noqa: BLE001 - a job that fails runs again at its next time
                self._log.exception("job_failed", job=name)

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

    async def start(self) -> None:
        """Try to acquire the lease, and start the jobs."""
        await self._lease.keep()
        self._scheduler.start()

    async def close(self) -> None:
        """Start no more jobs, and release the lease so that another replica takes over at once."""
        self._scheduler.shutdown(wait=False)
        await self._lease.release()
