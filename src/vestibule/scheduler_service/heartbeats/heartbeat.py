"""A heartbeat: what is expected of a sender, its last pings, and its state."""

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel

NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$"


class Ping(StrEnum):
    """What a ping reports."""

    DONE = "done"
    START = "start"
    FAIL = "fail"


class HeartbeatState(StrEnum):
    """The state of a heartbeat."""

    UP = "up"
    RUNNING = "running"
    LATE = "late"
    MISSED = "missed"
    FAILED = "failed"


class Heartbeat(BaseModel):
    """What is expected of a sender, and its last pings."""

    name: str
    period_s: float
    grace_s: float
    pings: int = 0
    last_at: datetime | None = None
    started_at: datetime | None = None
    took_s: float | None = None
    has_failed: bool = False
    is_alerted: bool = False

    @property
    def waits_s(self) -> float:
        """How long after the last ping the next is due; a run that has started may take its grace."""
        return self.grace_s if self.started_at else self.period_s + self.grace_s

    @property
    def waits_since(self) -> datetime:
        """When the last ping came."""
        since = self.started_at or self.last_at
        if since is None:
            raise ValueError("a heartbeat begins with a ping")
        return since

    def record(self, ping: Ping, at: datetime) -> None:
        """Record a ping."""
        self.pings += 1
        if ping is Ping.START:
            self.started_at = at
            return
        self.took_s = None if self.started_at is None else max(0.0, (at - self.started_at).total_seconds())
        self.last_at, self.started_at = at, None
        self.has_failed = ping is Ping.FAIL

    def state(self, now: datetime) -> HeartbeatState:
        """Return the state at `now`."""
        if self.has_failed and not self.started_at:
            return HeartbeatState.FAILED
        if self.is_alerted:
            return HeartbeatState.MISSED
        if self.started_at:
            return HeartbeatState.RUNNING
        is_late = now > self.waits_since + timedelta(seconds=self.period_s)
        return HeartbeatState.LATE if is_late else HeartbeatState.UP
