"""What is told of the watch: each part, the heartbeats, the maintenance windows and the incidents, at one moment."""

import time
from collections.abc import Callable
from datetime import datetime

from pydantic import BaseModel, Field

from vestibule.contracts.errors import Unavailable
from vestibule.scheduler_service.availability.availability_history import DAY, HOUR, MONTH, AvailabilityHistory
from vestibule.scheduler_service.availability.incidents import Incident
from vestibule.scheduler_service.availability.monitor_state import MonitorState
from vestibule.scheduler_service.availability.outages import PartRecord, PartState
from vestibule.scheduler_service.heartbeats.heartbeats import Heartbeat, HeartbeatState
from vestibule.scheduler_service.leadership.lease import Lease, Role
from vestibule.scheduler_service.maintenance.windows import MaintenanceWindow
from vestibule.scheduler_service.operator_inputs import OperatorInputs

LOOK_AGAIN_S = 5.0


class Availability(BaseModel):
    """The share of probes that were answered, from 0 to 1; null where there was none. Maintenance does not count."""

    hour: float | None = Field(examples=[1.0])
    day: float | None = Field(examples=[0.9988])
    month: float | None = Field(description="The last 30 days", examples=[0.9996])


class PartStatus(BaseModel):
    """How one part is doing."""

    name: str = Field(examples=["database"])
    state: PartState
    last_answer_at: datetime | None
    latency_ms: float | None = Field(description="How long the last answer took")
    misses_in_a_row: int
    down_since: datetime | None
    note: str | None = Field(description="What the part says of itself", examples=["2 at work"])
    in_maintenance: bool
    availability: Availability


class HeartbeatStatus(BaseModel):
    """How what sends a heartbeat is doing."""

    name: str = Field(examples=["nightly-backup"])
    state: HeartbeatState
    period_s: float
    grace_s: float
    last_at: datetime | None = Field(description="When it was last done")
    started_at: datetime | None = Field(description="Since when it runs, where it says so")
    took_s: float | None = Field(description="How long it ran last, where it said when it started")
    pings: int


class Status(BaseModel):
    """How all is."""

    at: datetime
    role: Role = Field(description="What the scheduler that answers does among its replicas")
    holder: str | None = Field(description="The scheduler that works")
    saved_at: datetime | None = Field(description="When the history was last written to the store")
    parts: list[PartStatus]
    heartbeats: list[HeartbeatStatus]
    maintenance: list[MaintenanceWindow]
    incidents: list[Incident]


class StatusService:
    """Puts together what is known."""

    def __init__(
        self,
        monitor_state: MonitorState,
        lease: Lease,
        operator_inputs: OperatorInputs,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monitor_state = monitor_state
        self._lease = lease
        self._heartbeats = operator_inputs.heartbeats
        self._windows = operator_inputs.windows
        self._clock = clock
        self._looked_at: float | None = None

    @property
    def history(self) -> AvailabilityHistory:
        """The history of the parts."""
        return self._monitor_state.history

    async def look_over(self) -> None:
        """Where another scheduler works, read what it wrote; what was read lately will do."""
        is_recent = self._looked_at is not None and self._clock() - self._looked_at < LOOK_AGAIN_S
        if self._lease.role is not Role.PASSIVE or is_recent:
            return
        try:
            await self._monitor_state.look_over()
        except Unavailable:
            return
        self._looked_at = self._clock()

    def status(self, now: datetime) -> Status:
        """Say how all is."""
        return Status(
            at=now,
            role=self._lease.role,
            holder=self._lease.holder,
            saved_at=self._monitor_state.saved_at,
            parts=[self.part(record, now) for record in self._monitor_state.parts.values()],
            heartbeats=[describe_heartbeat(one, now) for one in sorted(self._heartbeats.known, key=lambda h: h.name)],
            maintenance=self._windows.known,
            incidents=self._monitor_state.incidents.listed,
        )

    def part(self, record: PartRecord, now: datetime) -> PartStatus:
        """Say how one part is."""
        history = self._monitor_state.history
        return PartStatus(
            name=record.name,
            state=record.state,
            last_answer_at=record.last_answer_at,
            latency_ms=record.latency_ms,
            misses_in_a_row=record.misses_in_a_row,
            down_since=record.down_since if record.state is PartState.DOWN else None,
            note=record.note,
            in_maintenance=self._windows.is_planned(record.name, now),
            availability=Availability(
                hour=history.availability(record.name, HOUR, now),
                day=history.availability(record.name, DAY, now),
                month=history.availability(record.name, MONTH, now),
            ),
        )


def describe_heartbeat(heartbeat: Heartbeat, now: datetime) -> HeartbeatStatus:
    """Say how one heartbeat is."""
    return HeartbeatStatus(**heartbeat.model_dump(), state=heartbeat.state(now))
