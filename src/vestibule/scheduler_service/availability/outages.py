"""The state of a part from its probes: up, degraded or down, and since when."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from vestibule.scheduler_service.availability.probes import ProbeResult


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
    """How many answers change the state, and after how long an answer is slow."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    misses_until_down: int = Field(default=3, gt=0)
    hits_until_up: int = Field(default=1, gt=0)
    slow_ms: float = Field(default=1000, gt=0)


class PartRecord(BaseModel):
    """The record of a part. It survives restarts, so an outage raises one alert and its end another."""

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
        is_slow = result.is_strained or latency_ms > thresholds.slow_ms
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
