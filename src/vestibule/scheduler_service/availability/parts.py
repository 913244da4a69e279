"""The monitored parts: the state of each from its probes, and the incidents of the last month."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vestibule.contracts.identity import DEFAULT_TENANT, SYSTEM_TENANT, Visibility
from vestibule.scheduler_service.availability.probes import ProbeResult

QUEUE, BACKLOG = "queue", "backlog"
KEEP = timedelta(days=31)
# The newest of the parts and of each tenant are kept, and of all together as many as fit into an entry of the store.
MOST_OF_A_TENANT, MOST = 200, 2000


@dataclass(frozen=True, slots=True)
class MonitoredPart:
    """A part. While the part that it `needs` is down, its own outage raises no alert."""

    name: str
    title: str
    needs: str | None = None


PARTS = {
    part.name: part
    for part in (
        MonitoredPart("client", "Client service"),
        MonitoredPart("database", "Database service"),
        MonitoredPart("store", "Store: write and read", needs="database"),
        MonitoredPart("business_logic", "Business logic service"),
        MonitoredPart("console", "Web console"),
        MonitoredPart(QUEUE, "Redis"),
        MonitoredPart("workers", "Workers", needs=QUEUE),
        MonitoredPart(BACKLOG, "Task queue", needs=QUEUE),
    )
}


class PartState(StrEnum):
    """The state of a part."""

    UNKNOWN = "unknown"
    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    OFF = "off"


class StateChange(StrEnum):
    """A change of state."""

    WENT_DOWN = "went_down"
    RECOVERED = "recovered"
    SLOWED = "slowed"
    SPED_UP = "sped_up"


class Thresholds(BaseModel):
    """The number of answers that change the state, and the latency of a slow answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    misses_until_down: int = Field(default=3, gt=0)
    hits_until_up: int = Field(default=1, gt=0)
    slow_ms: float = Field(default=1000, gt=0)


class PartRecord(BaseModel):
    """The record of a part. It survives restarts, so an outage raises one alert, and its end one."""

    name: str
    state: PartState = PartState.UNKNOWN
    misses_in_a_row: int = 0
    hits_in_a_row: int = 0
    slow_in_a_row: int = 0
    last_answer_at: datetime | None = None
    latency_ms: float | None = None
    note: str | None = None
    down_since: datetime | None = None
    is_alerted: bool = False

    def update(
        self,
        at: datetime,
        result: ProbeResult,
        latency_ms: float,
        thresholds: Thresholds,
        *,
        is_in_grace: bool = False,
    ) -> StateChange | None:
        """Record one probe and return the change of state, if any; in its grace no part goes down."""
        self.note = result.note
        if not result.is_up:
            return self._record_miss(at, thresholds.misses_until_down, is_in_grace)
        self.misses_in_a_row = 0
        self.hits_in_a_row += 1
        self.last_answer_at, self.latency_ms = at, latency_ms
        is_slow = result.is_overloaded or latency_ms > thresholds.slow_ms
        self.slow_in_a_row = self.slow_in_a_row + 1 if is_slow else 0
        return self._record_hit(thresholds)

    def _record_miss(self, at: datetime, misses_until_down: int, is_in_grace: bool) -> StateChange | None:
        self.misses_in_a_row += 1
        self.hits_in_a_row = self.slow_in_a_row = 0
        if self.state is PartState.DOWN:
            return None
        if self.misses_in_a_row == 1:
            self.down_since = at
        if self.misses_in_a_row < misses_until_down or is_in_grace:
            return None
        self.state = PartState.DOWN
        return StateChange.WENT_DOWN

    def _record_hit(self, thresholds: Thresholds) -> StateChange | None:
        match self.state:
            case PartState.DOWN if self.hits_in_a_row < thresholds.hits_until_up:
                return None
            case PartState.DOWN:
                self.state, self.down_since = PartState.UP, None
                return StateChange.RECOVERED
            case PartState.DEGRADED if self.slow_in_a_row == 0:
                self.state = PartState.UP
                return StateChange.SPED_UP
            case PartState.UP if self.slow_in_a_row >= thresholds.misses_until_down:
                self.state = PartState.DEGRADED
                return StateChange.SLOWED
            case PartState.UNKNOWN:
                self.state = PartState.UP
        if self.state is not PartState.DOWN:
            self.down_since = None
        return None


class IncidentKind(StrEnum):
    """The kind of an incident."""

    DOWN = "down"
    DEGRADED = "degraded"
    MISSED = "missed"


class Incident(BaseModel):
    """An outage or slowness of a part, or a missed heartbeat."""

    subject: str
    tenant: str = Field(default=SYSTEM_TENANT, description="The tenant of the heartbeat; `~system` for parts")
    kind: IncidentKind
    began: datetime
    ended: datetime | None = None
    is_planned: bool = False

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: Any) -> Any:
        # Versions before heartbeats had tenants stored none; their heartbeats are the default tenant's now.
        is_earlier = isinstance(given, dict) and "tenant" not in given
        return {**given, "tenant": DEFAULT_TENANT} if is_earlier and given.get("subject") not in PARTS else given


class Incidents(BaseModel):
    """The list, the newest first, limited in age and length."""

    listed: list[Incident] = []

    def begin(self, incident: Incident) -> None:
        """Add an incident, unless the same is open already."""
        if self._open(incident.subject, incident.kind, incident.tenant) is None:
            self.listed.insert(0, incident)

    def end(self, subject: str, kind: IncidentKind, at: datetime, tenant: str = SYSTEM_TENANT) -> None:
        """End an incident."""
        incident = self._open(subject, kind, tenant)
        if incident is not None:
            # If the clock was set back, the length must not be negative.
            incident.ended = max(at, incident.began)

    def prune(self, now: datetime) -> None:
        """Drop incidents older than a month, and the oldest beyond the limits."""
        kept: Counter[str] = Counter()
        recent = []
        for one in self.listed:
            if (one.ended is None or one.ended > now - KEEP) and kept[one.tenant] < MOST_OF_A_TENANT:
                kept[one.tenant] += 1
                recent.append(one)
        self.listed = recent[:MOST]

    def visible(self, visibility: Visibility) -> list[Incident]:
        """Return the incidents of parts, and those of heartbeats that are visible."""
        return [one for one in self.listed if one.subject in PARTS or visibility.covers(one.tenant)]

    def _open(self, subject: str, kind: IncidentKind, tenant: str) -> Incident | None:
        wanted = (subject, kind, tenant)
        matching = (one for one in self.listed if (one.subject, one.kind, one.tenant) == wanted and one.ended is None)
        return next(matching, None)
