"""The status of the system, heartbeats, maintenance windows, and what every service says about itself."""

from dataclasses import field
from datetime import datetime

from vestibule.client.decoding import MEMBER, Result, result


@result
class Availability(Result):
    """The share of answered probes, from 0 to 1; None without probes. Maintenance does not count."""

    hour: float | None
    day: float | None
    # The last 30 days
    month: float | None


@result
class HistoryInterval(Result):
    """The probes of a part in one interval. Those in a maintenance window are counted in `planned` alone."""

    # The end of the interval; the next one begins then
    until: datetime
    asked: int
    answered: int
    # Probes in a maintenance window
    planned: int
    # Mean latency of the answers
    latency_ms: float | None


@result
class PartStatus(Result):
    """The status of one part."""

    name: str
    state: str
    last_answer_at: datetime | None
    # Latency of the last answer
    latency_ms: float | None
    misses_in_a_row: int
    down_since: datetime | None
    # What the part reports about itself
    note: str | None
    in_maintenance: bool
    availability: Availability
    # With `history`: half hours of a day, or days of a month; the oldest first
    history: list[HistoryInterval] | None = None


@result
class Heartbeat(Result):
    """The status of one heartbeat."""

    name: str
    tenant: str
    state: str
    period_s: float
    grace_s: float
    # When it was last done
    last_at: datetime | None
    # When the current run started, if reported
    started_at: datetime | None
    # Duration of the last run, if its start was reported
    took_s: float | None
    pings: int


@result
class DeletedHeartbeat(Result):
    """The heartbeat is not expected any more."""

    name: str
    deleted: bool = True


@result
class MaintenanceWindow(Result):
    """A time in which outages of a part raise no alert. One of a tenant covers heartbeats of that tenant alone."""

    id: str = ""
    # The name of a part, `heartbeat:NAME`, or `all`
    part: str
    begins: datetime = field(metadata={MEMBER: "from"})
    ends: datetime = field(metadata={MEMBER: "until"})
    reason: str = ""
    # The name of the token that asked for it
    author: str
    # The tenant that it belongs to; `~system`: it covers all
    tenant: str = "~system"


@result
class Incident(Result):
    """An outage or slowness of a part, or a missed heartbeat."""

    subject: str
    # The tenant of the heartbeat; `~system` for parts
    tenant: str = "~system"
    kind: str
    began: datetime
    ended: datetime | None = None
    is_planned: bool = False


@result
class SystemStatus(Result):
    """The status of the whole system."""

    at: datetime
    # The role of the scheduler that answers
    role: str
    # The active scheduler
    holder: str | None
    # When the history was last written to the store
    saved_at: datetime | None
    parts: list[PartStatus]
    heartbeats: list[Heartbeat]
    maintenance: list[MaintenanceWindow]
    incidents: list[Incident]


@result
class Health(Result):
    """The process is running; `degraded` where it serves requests and something needs attention."""

    status: str = "ok"
    service: str
    version: str
    # What is degraded
    notes: list[str] = field(default_factory=list)


@result
class ProblemType(Result):
    """A problem type."""

    # The last segment of the problem's `type`
    name: str
    # The `title` of its problem documents
    title: str
    # The HTTP status
    status: int
    # Why it happens
    cause: str
    # What to do about it
    remedy: str


@result
class ProblemTypes(Result):
    """All problem types, by status and name."""

    problems: list[ProblemType]
