"""Alerts when the log file cannot be written, and when it can be written again."""

from functools import partial

from vestibule.alerts import AlertEngine, AlertType
from vestibule.service_kit.logging.logging_config import LogFailureHandler


def log_alerts(alerts: AlertEngine) -> LogFailureHandler:
    """Return a handler that raises an alert about the log of this service."""
    return partial(_alert, alerts)


async def _alert(alerts: AlertEngine, trouble: str | None) -> None:
    if trouble:
        text = f"Log lines cannot be written to the log file ({trouble}): they are counted and dropped, requests go on."
        await alerts.raise_alert(AlertType.LOG_NOT_WRITTEN, text, subject="app.log")
    else:
        await alerts.raise_alert(AlertType.LOG_WRITTEN, "Log lines are written again.", subject="app.log")
