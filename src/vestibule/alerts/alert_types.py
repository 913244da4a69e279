"""The closed list of alert types: the meaning and severity of each, and the type that it resolves."""

from dataclasses import dataclass

from vestibule.alerts.alert import AlertType, Severity


@dataclass(frozen=True, slots=True)
class AlertTypeSpec:
    """The meaning of an alert type, its default severity, and the type whose open group it resolves."""

    meaning: str
    severity: Severity
    resolves: AlertType | None = None


ALERT_TYPES = {
    AlertType.PERSONAL_DATA: AlertTypeSpec("A request or a result held personal data.", Severity.WARNING),
    AlertType.SECRET: AlertTypeSpec("A request or a result held a secret.", Severity.CRITICAL),
    AlertType.INVALID_TOKEN: AlertTypeSpec("A request had no token or an unknown one.", Severity.WARNING),
    AlertType.INVALID_INPUT: AlertTypeSpec("A request was malformed.", Severity.INFO),
    AlertType.SERVICE_DOWN: AlertTypeSpec("A part does not answer its probes.", Severity.CRITICAL),
    AlertType.SERVICE_RECOVERED: AlertTypeSpec(
        "A part that was down answers again.", Severity.INFO, resolves=AlertType.SERVICE_DOWN
    ),
    AlertType.HEARTBEAT_MISSED: AlertTypeSpec("An expected heartbeat did not arrive in time.", Severity.CRITICAL),
    AlertType.HEARTBEAT_RECOVERED: AlertTypeSpec(
        "A missed heartbeat arrived again.", Severity.INFO, resolves=AlertType.HEARTBEAT_MISSED
    ),
    AlertType.QUEUE_STALLED: AlertTypeSpec("Waiting tasks are not taken from the queue.", Severity.CRITICAL),
    AlertType.QUEUE_RECOVERED: AlertTypeSpec(
        "Waiting tasks are taken from the queue again.", Severity.INFO, resolves=AlertType.QUEUE_STALLED
    ),
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
    AlertType.REVEAL: AlertTypeSpec("A value token was revealed.", Severity.WARNING),
    AlertType.SUBJECT_ERASED: AlertTypeSpec("All data of a subject was erased.", Severity.INFO),
    AlertType.TEST: AlertTypeSpec("A test of a channel.", Severity.INFO),
}
DEFAULT_SEVERITY = {alert_type: kind.severity for alert_type, kind in ALERT_TYPES.items()}
RESOLVES = {alert_type: kind.resolves for alert_type, kind in ALERT_TYPES.items() if kind.resolves is not None}
