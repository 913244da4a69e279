"""The job that refreshes heartbeats and maintenance windows and alerts on missed heartbeats."""

from contextlib import suppress

from vestibule.contracts.errors import Unavailable
from vestibule.scheduler_service.availability.monitor_state import MonitorState
from vestibule.scheduler_service.heartbeats.monitor import HeartbeatMonitor
from vestibule.scheduler_service.heartbeats.repository import HeartbeatRepository
from vestibule.scheduler_service.leadership.lease import Lease, Role
from vestibule.scheduler_service.leadership.monotonic_scheduler import now
from vestibule.scheduler_service.maintenance.windows import MaintenanceRepository


class HeartbeatCheckJob:
    """Runs on every replica: each refreshes what it knows, and the active one raises the alerts."""

    def __init__(
        self,
        lease: Lease,
        monitor_state: MonitorState,
        heartbeats: HeartbeatRepository,
        windows: MaintenanceRepository,
        monitor: HeartbeatMonitor,
    ) -> None:
        self._lease = lease
        self._monitor_state = monitor_state
        self._heartbeats = heartbeats
        self._windows = windows
        self._monitor = monitor

    async def run(self) -> None:
        """Refresh, and alert where this scheduler is the active one."""
        with suppress(Unavailable):  # the last values read stay valid
            await self._heartbeats.refresh()
            await self._windows.refresh()
        if self._lease.role is Role.PASSIVE:
            self._monitor_state.step_down()
            self._monitor.forget()
        elif await self._lease.may_work() and await self._monitor.check(now()):
            await self._monitor_state.save()
