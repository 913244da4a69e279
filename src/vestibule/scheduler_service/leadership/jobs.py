"""The rota: what the scheduler does, how often, and that of several replicas one does it."""

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
        self.add_everywhere("lease", lease.look_every_s, lease.attend)

    def add(self, name: str, interval_s: float, work: Work) -> None:
        """Have `work` done by one of the replicas."""

        async def work_if_ours() -> None:
            if await self._lease.may_work():
                await work()

        self.add_everywhere(name, interval_s, work_if_ours)

    def add_everywhere(self, name: str, interval_s: float, work: Work) -> None:
        """Have `work` done by every replica."""

        async def safely() -> None:
            try:
                await work()
            except Exception:  # noqa: BLE001 - a job that fails is tried again at its next time
                self._log.exception("job_failed", job=name)

        self._scheduler.add_job(
            safely,
            "interval",
            id=name,
            seconds=interval_s,
            next_run_time=now(),
            # Without these two a run that comes late is dropped, and several late ones would all be made up for.
            misfire_grace_time=None,
            coalesce=True,
            max_instances=1,
        )

    async def start(self) -> None:
        """Begin, with the question whose turn it is."""
        await self._lease.attend()
        self._scheduler.start()

    async def close(self) -> None:
        """Begin nothing more, and let another replica take over at once."""
        self._scheduler.shutdown(wait=False)
        await self._lease.release()
