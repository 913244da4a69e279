"""What a scheduler does besides probing: it looks after what people told it, and knows when it is not its turn."""

from contextlib import suppress

from vestibule.contracts.errors import Unavailable
from vestibule.scheduler_service.availability.monitor_state import MonitorState
from vestibule.scheduler_service.heartbeats.heartbeats import HeartbeatMonitor
from vestibule.scheduler_service.leadership.lease import Lease, Role
from vestibule.scheduler_service.leadership.monotonic_scheduler import now
from vestibule.scheduler_service.operator_inputs import OperatorInputs


class OperatorInputJob:
    """Reads the books, and tells of missed heartbeats where this scheduler is the one that works."""

    def __init__(
        self, lease: Lease, monitor_state: MonitorState, operator_inputs: OperatorInputs, heartbeats: HeartbeatMonitor
    ) -> None:
        self._lease = lease
        self._monitor_state = monitor_state
        self._operator_inputs = operator_inputs
        self._heartbeats = heartbeats

    async def read_and_alert(self) -> None:
        """Read the books, and tell what is to be told."""
        with suppress(Unavailable):  # what was last read still holds
            await self._operator_inputs.read()
        if self._lease.role is Role.PASSIVE:
            self._monitor_state.step_down()
            self._heartbeats.forget()
        elif await self._lease.may_work() and await self._heartbeats.check(now()):
            await self._monitor_state.save()
