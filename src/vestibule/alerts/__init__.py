"""Alerts: what happened that a person should know, told by every channel, without giving away what it is about."""

from vestibule.alerts.alert import Alert, AlertType, Severity
from vestibule.alerts.alert_engine import AlertEngine
from vestibule.alerts.alert_kinds import DEFAULT_SEVERITY
from vestibule.alerts.archive import AlertArchive, AlertPage
from vestibule.alerts.door import DoorAlerts
from vestibule.alerts.origin import current_origin
from vestibule.alerts.settings import AlertSettings
from vestibule.alerts.setup import build_alert_engine, delivering

__all__ = [
    "DEFAULT_SEVERITY",
    "Alert",
    "AlertArchive",
    "AlertEngine",
    "AlertPage",
    "AlertSettings",
    "AlertType",
    "DoorAlerts",
    "Severity",
    "build_alert_engine",
    "current_origin",
    "delivering",
]
