"""Notifications as alerts of a Prometheus Alertmanager."""

import json
from datetime import timedelta
from typing import Any

from vestibule.alerts.alert import Alert, NoticeEvent
from vestibule.alerts.channel import ChannelKind, Timing
from vestibule.alerts.report import to_dict
from vestibule.alerts.settings import AlertSettings


class AlertmanagerChannel:
    """Posts to `/api/v2/alerts`. An alert ends when it is resolved, or when a reminder is overdue."""

    def __init__(self, settings: AlertSettings) -> None:
        """Raise `ValueError` if the address is not set."""
        if not settings.alert_alertmanager_url:
            raise ValueError("the channel alertmanager needs VESTIBULE_ALERT_ALERTMANAGER_URL")
        self._url = f"{settings.alert_alertmanager_url.rstrip('/')}/api/v2/alerts"
        self._lasting = timedelta(seconds=2 * settings.alert_reminder_s)
        self._guard = settings.alert_guard

    def deliver(self, alert: Alert) -> None:
        """Post `alert`. Raises `DeliveryFailed` if it was not accepted."""
        body = json.dumps([self._payload(alert)]).encode()
        self._guard.post(self._url, body, {"Content-Type": "application/json"})

    def _payload(self, alert: Alert) -> dict[str, Any]:
        notice = alert.notice
        last = notice.last if notice else alert.time
        is_over = notice is not None and notice.event is NoticeEvent.RESOLVED
        annotations = {
            name: value for name, value in to_dict(alert).items() if name not in ("type", "service", "severity")
        }
        return {
            # The severity is not a label: an alert with different labels is a different alert.
            "labels": {
                "alertname": f"Vestibule{alert.type.value}",
                "type": alert.type.value,
                "service": alert.service,
                "group_id": notice.group_id if notice else alert.id,
            },
            "annotations": {"severity": alert.severity.value}
            | {name: _text(value) for name, value in annotations.items()},
            "startsAt": alert.time.isoformat(),
            "endsAt": (last if is_over else last + self._lasting).isoformat(),
            # Alertmanager shows it as the source of the alert.
            **({"generatorURL": notice.link} if notice and notice.link else {}),
        }


def _text(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


CHANNEL = ChannelKind(
    "alertmanager", "An alert of a Prometheus Alertmanager.", AlertmanagerChannel, Timing.NOTIFICATION
)
