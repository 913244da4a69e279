"""Alerts: events that people should know about, delivered by channels, without the text that caused them."""

from vestibule.alerts.alert import DEFAULT_SEVERITY, Alert, AlertType, Severity
from vestibule.alerts.alert_engine import AlertEngine, RequestAlerts, current_origin
from vestibule.alerts.builder import alert_delivery, build_alert_engine
from vestibule.alerts.settings import AlertSettings
from vestibule.alerts.store.archive import AlertArchive, AlertPage

__all__ = [
    "DEFAULT_SEVERITY",
    "Alert",
    "AlertArchive",
    "AlertEngine",
    "AlertPage",
    "AlertSettings",
    "AlertType",
    "RequestAlerts",
    "Severity",
    "alert_delivery",
    "build_alert_engine",
    "current_origin",
]
