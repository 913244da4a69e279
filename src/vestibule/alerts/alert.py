"""An alert: one event that people should know about, without any text that a caller sent; and the alert types."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from vestibule.contracts.identity import SYSTEM_TENANT
from vestibule.runtime.random_ids import random_id


class AlertType(StrEnum):
    """The type of an alert. `vestibule alert types` describes each."""

    PERSONAL_DATA = "PersonalData"
    SECRET = "Secret"  # noqa: S105 - the name of a kind
    INVALID_TOKEN = "InvalidToken"  # noqa: S105 - the name of a kind
    INVALID_INPUT = "InvalidInput"
    ACCESS_DENIED = "AccessDenied"
    SERVICE_DOWN = "ServiceDown"
    SERVICE_RECOVERED = "ServiceRecovered"
    HEARTBEAT_MISSED = "HeartbeatMissed"
    HEARTBEAT_RECOVERED = "HeartbeatRecovered"
    QUEUE_STALLED = "QueueStalled"
    QUEUE_RECOVERED = "QueueRecovered"
    QUEUE_FILES_DAMAGED = "QueueFilesDamaged"
    TASK_FAILED = "TaskFailed"
    TASK_DEAD_LETTERED = "TaskDeadLettered"
    LOG_NOT_WRITTEN = "LogNotWritten"
    LOG_WRITTEN = "LogWritten"
    DELIVERY_FAILING = "DeliveryFailing"
    DELIVERY_RESUMED = "DeliveryResumed"
    POLICY_BROKEN = "PolicyBroken"
    FILE_BROKEN = "FileBroken"
    COMMITS_LOST = "CommitsLost"
    REVEAL = "Reveal"
    SUBJECT_FOUND = "SubjectFound"
    SUBJECT_ERASED = "SubjectErased"
    TEST = "Test"


class Severity(StrEnum):
    """How urgent an alert is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """The position in the order of severities; `info` is 0."""
        return list(Severity).index(self)

    def raised(self) -> "Severity":
        """Return the next higher severity; the highest stays."""
        order = list(Severity)
        return order[min(self.rank + 1, len(order) - 1)]


def new_alert_id() -> str:
    """Return a random id of 16 hexadecimal digits."""
    return random_id()


class NoticeEvent(StrEnum):
    """Why a group of alerts is notified."""

    RAISED = "raised"
    ESCALATED = "escalated"
    REMINDER = "reminder"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Notice:
    """The group of alerts that a notification is for. `key` is the same at every attempt.

    A digest stands for several `groups`, and names the first. `replica` is the host that counted them. `link` leads to
    the group in the console, that of a digest to the groups of its type; it is empty where the console has no address.
    """

    key: str
    event: NoticeEvent
    group_id: str
    first: datetime
    last: datetime
    groups: int = 1
    replica: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One event. No field contains text that a caller sent; `fingerprint` is a keyed hash.

    `tenant` is that of the request, task or heartbeat that it is about; one about a part of the system has `~system`.
    `subject` is the part, queue, channel or address that it is about, or the processor and cause of a failed task, if
    any; alerts of one subject form one group.
    `has_report` is False for one beyond the bound of its kind, which is recorded and counted without a file of its own.
    With a `notice` it stands for a group: its first alert, with the highest severity, all entities and the count.
    `is_recorded` says whether it was on disk when it was raised; one that was not is recorded later, if at all.
    """

    type: AlertType
    description: str
    service: str
    severity: Severity
    entities: tuple[str, ...] = ()
    fingerprint: str | None = None
    request_id: str | None = None
    token_id: str | None = None
    token_name: str | None = None
    task_id: str | None = None
    subject: str | None = None
    tenant: str = SYSTEM_TENANT
    count: int = 1
    has_report: bool = True
    id: str = field(default_factory=new_alert_id)
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    notice: Notice | None = None
    is_recorded: bool = field(default=True, compare=False)

    @property
    def allow(self) -> str | None:
        """The command that lets its value pass where it was found by mistake; None where it is about no value."""
        if self.fingerprint is None or self.type not in {AlertType.PERSONAL_DATA, AlertType.SECRET}:
            return None
        secret = " --secret" if self.type is AlertType.SECRET else ""
        return f"vestibule allowance add {self.id} --reason REASON --for 1d{secret}"


@dataclass(frozen=True, slots=True)
class AlertTypeSpec:
    """The meaning of an alert type, its default severity, and the type whose open group it resolves.

    Channels without a route of their own get those that are notified by default.
    """

    meaning: str
    severity: Severity
    resolves: AlertType | None = None
    is_notified_by_default: bool = True


ALERT_TYPES = {
    AlertType.PERSONAL_DATA: AlertTypeSpec("A request or a result held personal data.", Severity.WARNING),
    AlertType.SECRET: AlertTypeSpec("A request or a result held a secret.", Severity.CRITICAL),
    AlertType.INVALID_TOKEN: AlertTypeSpec("A request had no token or an unknown one.", Severity.WARNING),
    AlertType.INVALID_INPUT: AlertTypeSpec("A request was malformed.", Severity.INFO, is_notified_by_default=False),
    AlertType.ACCESS_DENIED: AlertTypeSpec(
        "A token was refused again and again for lack of a scope.", Severity.WARNING
    ),
    AlertType.SERVICE_DOWN: AlertTypeSpec("A part does not answer its probes.", Severity.CRITICAL),
    AlertType.SERVICE_RECOVERED: AlertTypeSpec(
        "A part that was down answers again.", Severity.INFO, resolves=AlertType.SERVICE_DOWN
    ),
    AlertType.HEARTBEAT_MISSED: AlertTypeSpec("An expected heartbeat did not arrive in time.", Severity.CRITICAL),
    AlertType.HEARTBEAT_RECOVERED: AlertTypeSpec(
        "A missed heartbeat arrived again.", Severity.INFO, resolves=AlertType.HEARTBEAT_MISSED
    ),
    AlertType.QUEUE_STALLED: AlertTypeSpec("No worker processes the waiting tasks.", Severity.CRITICAL),
    AlertType.QUEUE_RECOVERED: AlertTypeSpec(
        "Workers process the waiting tasks again.", Severity.INFO, resolves=AlertType.QUEUE_STALLED
    ),
    AlertType.QUEUE_FILES_DAMAGED: AlertTypeSpec(
        "Damaged files of the embedded Redis were set aside.", Severity.WARNING
    ),
    AlertType.TASK_FAILED: AlertTypeSpec("A task failed in a way that a retry does not change.", Severity.WARNING),
    AlertType.TASK_DEAD_LETTERED: AlertTypeSpec(
        "A task failed its last attempt and is a dead letter.", Severity.CRITICAL
    ),
    AlertType.LOG_NOT_WRITTEN: AlertTypeSpec("Log lines cannot be written to the log file.", Severity.CRITICAL),
    AlertType.LOG_WRITTEN: AlertTypeSpec(
        "Log lines are written again.", Severity.INFO, resolves=AlertType.LOG_NOT_WRITTEN
    ),
    AlertType.DELIVERY_FAILING: AlertTypeSpec(
        "A channel or callback address rejects its notifications.", Severity.WARNING
    ),
    AlertType.DELIVERY_RESUMED: AlertTypeSpec(
        "A channel accepts its notifications again.", Severity.INFO, resolves=AlertType.DELIVERY_FAILING
    ),
    AlertType.POLICY_BROKEN: AlertTypeSpec("The changed policy file is invalid.", Severity.CRITICAL),
    AlertType.FILE_BROKEN: AlertTypeSpec("A changed file of keys, tokens or secrets is invalid.", Severity.CRITICAL),
    AlertType.COMMITS_LOST: AlertTypeSpec("The database lacks commits that were acknowledged.", Severity.CRITICAL),
    AlertType.REVEAL: AlertTypeSpec("A value token was revealed.", Severity.WARNING),
    AlertType.SUBJECT_FOUND: AlertTypeSpec("Somebody searched for a subject.", Severity.WARNING),
    AlertType.SUBJECT_ERASED: AlertTypeSpec("All data of a subject was erased.", Severity.INFO),
    AlertType.TEST: AlertTypeSpec("A test of a channel.", Severity.INFO),
}
DEFAULT_SEVERITY = {alert_type: kind.severity for alert_type, kind in ALERT_TYPES.items()}
RESOLVES = {alert_type: kind.resolves for alert_type, kind in ALERT_TYPES.items() if kind.resolves is not None}

# The documentation comes with the source. A distribution that publishes it names the address here.
DOCUMENTATION = "docs"


def runbook_of(alert_type: AlertType) -> str:
    """Return the address of what to do about alerts of a type: a section of docs/alerts.md."""
    return f"{DOCUMENTATION}/alerts.md#{alert_type.lower()}"
