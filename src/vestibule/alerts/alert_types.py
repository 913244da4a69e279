"""The closed list of what alerts there are: what each means, how bad it is, and what it puts an end to."""

from dataclasses import dataclass

from vestibule.alerts.alert import AlertType, Severity


@dataclass(frozen=True, slots=True)
class AlertKind:
    """What a type of alert means, its severity unless another is given, and the type whose open group it resolves."""

    meaning: str
    severity: Severity
    resolves: AlertType | None = None


ALERT_KINDS = {
    AlertType.PERSONAL_DATA: AlertKind("A request held personal data.", Severity.WARNING),
    AlertType.SECRET: AlertKind("A request held a secret.", Severity.CRITICAL),
    AlertType.INVALID_TOKEN: AlertKind("A request came without a token that is known.", Severity.WARNING),
    AlertType.INVALID_INPUT: AlertKind("A request was malformed.", Severity.INFO),
    AlertType.SERVICE_DOWN: AlertKind("A part does not answer its probes.", Severity.CRITICAL),
    AlertType.SERVICE_RECOVERED: AlertKind(
        "A part that was down answers again.", Severity.INFO, resolves=AlertType.SERVICE_DOWN
    ),
    AlertType.HEARTBEAT_MISSED: AlertKind("A heartbeat that was expected did not come in time.", Severity.CRITICAL),
    AlertType.HEARTBEAT_RECOVERED: AlertKind(
        "A heartbeat that was missed came again.", Severity.INFO, resolves=AlertType.HEARTBEAT_MISSED
    ),
    AlertType.QUEUE_STALLED: AlertKind("Tasks wait longer than they should.", Severity.CRITICAL),
    AlertType.QUEUE_RECOVERED: AlertKind(
        "A queue that was stalled is worked off again.", Severity.INFO, resolves=AlertType.QUEUE_STALLED
    ),
    AlertType.TASK_FAILED: AlertKind("A task ended with an error.", Severity.WARNING),
    AlertType.TASK_DEAD_LETTERED: AlertKind("A task was set aside after its last attempt.", Severity.CRITICAL),
    AlertType.LOG_NOT_WRITTEN: AlertKind("Log lines cannot be written to the log file.", Severity.CRITICAL),
    AlertType.LOG_WRITTEN: AlertKind("Log lines are written again.", Severity.INFO, resolves=AlertType.LOG_NOT_WRITTEN),
    AlertType.DELIVERY_FAILING: AlertKind("A channel does not take its notifications.", Severity.WARNING),
    AlertType.DELIVERY_RESUMED: AlertKind(
        "A channel takes its notifications again.", Severity.INFO, resolves=AlertType.DELIVERY_FAILING
    ),
    AlertType.POLICY_BROKEN: AlertKind("The policy file has become one that cannot be followed.", Severity.CRITICAL),
    AlertType.REVEAL: AlertKind("Somebody had a token turned back into its value.", Severity.WARNING),
    AlertType.SUBJECT_ERASED: AlertKind("All that is kept of a person was erased.", Severity.INFO),
    AlertType.TEST: AlertKind("Somebody tried a channel.", Severity.INFO),
}
DEFAULT_SEVERITY = {alert_type: kind.severity for alert_type, kind in ALERT_KINDS.items()}
RESOLVES = {alert_type: kind.resolves for alert_type, kind in ALERT_KINDS.items() if kind.resolves is not None}
