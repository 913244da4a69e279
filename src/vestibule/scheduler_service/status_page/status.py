"""The status of the system: parts, heartbeats, maintenance windows and incidents at one moment."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, Field

from vestibule.contracts.errors import NotFound, Unavailable
from vestibule.contracts.identity import Visibility
from vestibule.scheduler_service.availability.availability_history import (
    DAY,
    HOUR,
    MONTH,
    AvailabilityHistory,
    ProbeCounts,
)
from vestibule.scheduler_service.availability.monitor_state import MonitorState
from vestibule.scheduler_service.availability.parts import Incident, PartRecord, PartState
from vestibule.scheduler_service.heartbeats import Heartbeat, HeartbeatRepository, HeartbeatState
from vestibule.scheduler_service.lease import Lease, Role
from vestibule.scheduler_service.maintenance import MaintenanceRepository, MaintenanceWindow

REFRESH_AFTER_S = 5.0


class Availability(BaseModel):
    """The share of answered probes, from 0 to 1; null without probes. Maintenance does not count."""

    hour: float | None = Field(examples=[1.0])
    day: float | None = Field(examples=[0.9988])
    month: float | None = Field(description="The last 30 days", examples=[0.9996])


class HistorySpan(StrEnum):
    """A time that the history is about."""

    DAY = "day"
    MONTH = "month"


# How many intervals of which length.
INTERVALS = {HistorySpan.DAY: (48, timedelta(minutes=30)), HistorySpan.MONTH: (30, DAY)}


class HistoryInterval(BaseModel):
    """The probes of a part in one interval. Those in a maintenance window are counted in `planned` alone."""

    until: datetime = Field(description="The end of the interval; the next one begins then")
    asked: int = Field(examples=[180])
    answered: int = Field(examples=[180])
    planned: int = Field(description="Probes in a maintenance window", examples=[0])
    latency_ms: float | None = Field(description="Mean latency of the answers", examples=[3.2])


class PartStatus(BaseModel):
    """The status of one part."""

    name: str = Field(examples=["database"])
    state: PartState
    last_answer_at: datetime | None
    latency_ms: float | None = Field(description="Latency of the last answer")
    misses_in_a_row: int
    down_since: datetime | None
    note: str | None = Field(description="What the part reports about itself", examples=["2 alive"])
    in_maintenance: bool
    availability: Availability
    history: list[HistoryInterval] | None = Field(
        default=None, description="With `history`: half hours of a day, or days of a month; the oldest first"
    )


class HeartbeatStatus(BaseModel):
    """The status of one heartbeat."""

    name: str = Field(examples=["nightly-backup"])
    tenant: str
    state: HeartbeatState
    period_s: float
    grace_s: float
    last_at: datetime | None = Field(description="When it was last done")
    started_at: datetime | None = Field(description="When the current run started, if reported")
    took_s: float | None = Field(description="Duration of the last run, if its start was reported")
    pings: int


class Status(BaseModel):
    """The status of the whole system."""

    at: datetime
    role: Role = Field(description="The role of the scheduler that answers")
    holder: str | None = Field(description="The active scheduler")
    saved_at: datetime | None = Field(description="When the history was last written to the store")
    parts: list[PartStatus]
    heartbeats: list[HeartbeatStatus]
    maintenance: list[MaintenanceWindow]
    incidents: list[Incident]

    def part(self, name: str) -> PartStatus:
        """Return the status of one part. Raises `NotFound` if no part has that name."""
        for one in self.parts:
            if one.name == name:
                return one
        raise NotFound("No part has that name.")


class StatusService:
    """Builds the status from what this scheduler knows."""

    def __init__(
        self,
        monitor_state: MonitorState,
        lease: Lease,
        heartbeats: HeartbeatRepository,
        windows: MaintenanceRepository,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monitor_state = monitor_state
        self._lease = lease
        self._heartbeats = heartbeats
        self._windows = windows
        self._clock = clock
        self._refreshed_at: float | None = None

    @property
    def history(self) -> AvailabilityHistory:
        """The history of the parts."""
        return self._monitor_state.history

    async def current(self, now: datetime, visibility: Visibility, over: HistorySpan | None = None) -> Status:
        """Return the status of the whole system, and of the tenants that are visible; `over` adds the history.

        It is read from the store where another scheduler is active.
        """
        await self._refresh()
        return Status(
            at=now,
            role=self._lease.role,
            holder=self._lease.holder,
            saved_at=self._monitor_state.saved_at,
            parts=[self._part(record, now, over) for record in self._monitor_state.parts.values()],
            heartbeats=[describe_heartbeat(one, now) for one in self._heartbeats.visible(visibility)],
            maintenance=self._windows.visible(visibility),
            incidents=self._monitor_state.incidents.visible(visibility),
        )

    async def _refresh(self) -> None:
        # Only the active scheduler knows the current state.
        is_recent = self._refreshed_at is not None and self._clock() - self._refreshed_at < REFRESH_AFTER_S
        if self._lease.role is not Role.PASSIVE or is_recent:
            return
        try:
            await self._monitor_state.refresh()
        except Unavailable:
            return
        self._refreshed_at = self._clock()

    def _part(self, record: PartRecord, now: datetime, over: HistorySpan | None) -> PartStatus:
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
            history=None if over is None else _intervals(history.bars(record.name, now, *INTERVALS[over])),
        )


def _intervals(bars: list[tuple[datetime, ProbeCounts]]) -> list[HistoryInterval]:
    return [
        HistoryInterval(
            until=end,
            asked=counts.asked,
            answered=counts.answered,
            planned=counts.planned,
            latency_ms=round(counts.latency_ms / counts.answered, 1) if counts.answered else None,
        )
        for end, counts in bars
    ]


def describe_heartbeat(heartbeat: Heartbeat, now: datetime) -> HeartbeatStatus:
    """Return the status of one heartbeat."""
    return HeartbeatStatus(**heartbeat.model_dump(), state=heartbeat.state(now))
