"""Alerts as log lines."""

import structlog

from vestibule.alerts.alert import Alert, Severity
from vestibule.alerts.channel import ChannelKind, Timing

LEVELS = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "error"}


class LogChannel:
    """Writes one log line for each alert in the service that raised it."""

    def __init__(self) -> None:
        self._log = structlog.get_logger("vestibule.alerts")

    def deliver(self, alert: Alert) -> None:
        """Log `alert` at the level of its severity."""
        fields = {
            "alert_id": alert.id,
            "type": alert.type.value,
            "severity": alert.severity.value,
            "description": alert.description,
            "entities": list(alert.entities) or None,
            "fingerprint": alert.fingerprint,
            "token_id": alert.token_id,
            "token_name": alert.token_name,
            "task_id": alert.task_id,
            "tenant": alert.tenant,
            "subject": alert.subject,
            "request_id": alert.request_id,
        }
        write = getattr(self._log, LEVELS[alert.severity])
        write("alert", **{name: value for name, value in fields.items() if value is not None})


CHANNEL = ChannelKind(
    "log", "A line in the log of the service that raised it.", lambda _: LogChannel(), Timing.AFTER_ANSWER
)
