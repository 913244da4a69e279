"""An alert: one event that a person should know about, without any text that a caller sent."""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum


class AlertType(StrEnum):
    """The type of an alert. `alert_types` describes each."""

    PERSONAL_DATA = "PersonalData"
    SECRET = "Secret"  # noqa: S105 - the name of a kind
    INVALID_TOKEN = "InvalidToken"  # noqa: S105 - the name of a kind
    INVALID_INPUT = "InvalidInput"
    SERVICE_DOWN = "ServiceDown"
    SERVICE_RECOVERED = "ServiceRecovered"
    HEARTBEAT_MISSED = "HeartbeatMissed"
    HEARTBEAT_RECOVERED = "HeartbeatRecovered"
    QUEUE_STALLED = "QueueStalled"
    QUEUE_RECOVERED = "QueueRecovered"
    TASK_DEAD_LETTERED = "TaskDeadLettered"
    LOG_NOT_WRITTEN = "LogNotWritten"
    LOG_WRITTEN = "LogWritten"
    DELIVERY_FAILING = "DeliveryFailing"
    DELIVERY_RESUMED = "DeliveryResumed"
    POLICY_BROKEN = "PolicyBroken"
    REVEAL = "Reveal"
    SUBJECT_ERASED = "SubjectErased"
    TEST = "Test"


class Severity(StrEnum):
    """How soon a person should look."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """The place among the severities, the least first."""
        return list(Severity).index(self)

    def raised(self) -> "Severity":
        """Return the next higher severity; the highest stays."""
        order = list(Severity)
        return order[min(self.rank + 1, len(order) - 1)]


def new_alert_id() -> str:
    """Return a random id of 16 hexadecimal digits."""
    return secrets.token_hex(8)


class NoticeEvent(StrEnum):
    """Why a group of alerts is notified."""

    RAISED = "raised"
    ESCALATED = "escalated"
    REMINDER = "reminder"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Notice:
    """The group of alerts that a notification is for. `key` is the same at every attempt.

    In a storm it stands for several `groups`, and names the first. `replica` is the host whose record counted them.
    """

    key: str
    event: NoticeEvent
    group_id: str
    first: datetime
    last: datetime
    groups: int = 1
    replica: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One event. No field may hold what a caller sent; `fingerprint` is keyed, so that it cannot be looked up.

    `subject` is the part, queue or channel that it is about, where it is about one: what joins its alerts to a group.
    With a `notice` it stands for a group: the first of them, with the highest severity, all entities and the count.
    """

    type: AlertType
    description: str
    service: str
    severity: Severity
    entities: tuple[str, ...] = ()
    fingerprint: str | None = None
    request_id: str | None = None
    token_id: str | None = None
    subject: str | None = None
    count: int = 1
    id: str = field(default_factory=new_alert_id)
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    notice: Notice | None = None
