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
    AlertType.PERSONAL_DATA: AlertTypeSpec("A request held personal data.", Severity.WARNING),
    AlertType.SECRET: AlertTypeSpec("A request held a secret.", Severity.CRITICAL),
    AlertType.INVALID_TOKEN: AlertTypeSpec("A request came without a token that is known.", Severity.WARNING),
    AlertType.INVALID_INPUT: AlertTypeSpec("A request was malformed.", Severity.INFO),
    AlertType.SERVICE_DOWN: AlertTypeSpec("A part does not answer its probes.", Severity.CRITICAL),
    AlertType.SERVICE_RECOVERED: AlertTypeSpec(
        "A part that was down answers again.", Severity.INFO, resolves=AlertType.SERVICE_DOWN
    ),
    AlertType.HEARTBEAT_MISSED: AlertTypeSpec("A heartbeat that was expected did not come in time.", Severity.CRITICAL),
    AlertType.HEARTBEAT_RECOVERED: AlertTypeSpec(
        "A heartbeat that was missed came again.", Severity.INFO, resolves=AlertType.HEARTBEAT_MISSED
    ),
    AlertType.QUEUE_STALLED: AlertTypeSpec("Tasks wait longer than they should.", Severity.CRITICAL),
    AlertType.QUEUE_RECOVERED: AlertTypeSpec(
        "A queue that was stalled is worked off again.", Severity.INFO, resolves=AlertType.QUEUE_STALLED
    ),
    AlertType.TASK_FAILED: AlertTypeSpec("A task ended with an error.", Severity.WARNING),
    AlertType.TASK_DEAD_LETTERED: AlertTypeSpec("A task was set aside after its last attempt.", Severity.CRITICAL),
    AlertType.LOG_NOT_WRITTEN: AlertTypeSpec("Log lines cannot be written to the log file.", Severity.CRITICAL),
    AlertType.LOG_WRITTEN: AlertTypeSpec(
        "Log lines are written again.", Severity.INFO, resolves=AlertType.LOG_NOT_WRITTEN
    ),
    AlertType.DELIVERY_FAILING: AlertTypeSpec("A channel does not take its notifications.", Severity.WARNING),
    AlertType.DELIVERY_RESUMED: AlertTypeSpec(
        "A channel takes its notifications again.", Severity.INFO, resolves=AlertType.DELIVERY_FAILING
    ),
    AlertType.POLICY_BROKEN: AlertTypeSpec(
        "The policy file has become one that cannot be followed.", Severity.CRITICAL
    ),
    AlertType.REVEAL: AlertTypeSpec("Somebody had a token turned back into its value.", Severity.WARNING),
    AlertType.SUBJECT_ERASED: AlertTypeSpec("All that is kept of a person was erased.", Severity.INFO),
    AlertType.TEST: AlertTypeSpec("Somebody tried a channel.", Severity.INFO),
}
DEFAULT_SEVERITY = {alert_type: kind.severity for alert_type, kind in ALERT_TYPES.items()}
RESOLVES = {alert_type: kind.resolves for alert_type, kind in ALERT_TYPES.items() if kind.resolves is not None}
