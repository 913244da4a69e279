"""Notifications as signed webhooks."""

import json

from vestibule.alerts.alert import Alert
from vestibule.alerts.channel import ChannelKind, Timing
from vestibule.alerts.report import to_dict
from vestibule.alerts.settings import AlertSettings
from vestibule.egress.guard import signature_headers


class WebhookChannel:
    """Posts JSON, signed over time and body; each attempt of a notification has the same `Idempotency-Key`."""

    def __init__(self, settings: AlertSettings) -> None:
        """Raise `ValueError` if the address or the secret is not set."""
        self._url = settings.alert_webhook_url
        self._secret = settings.alert_webhook_secret.get_secret_value().encode()
        self._guard = settings.alert_guard
        if not self._url or not self._secret:
            raise ValueError("the channel webhook needs VESTIBULE_ALERT_WEBHOOK_URL and VESTIBULE_ALERT_WEBHOOK_SECRET")

    def deliver(self, alert: Alert) -> None:
        """Post `alert`. Raises `DeliveryFailed` if it was not accepted."""
        body = json.dumps(to_dict(alert)).encode()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": alert.notice.key if alert.notice else alert.id,
            **signature_headers(self._secret, body),
        }
        self._guard.post(self._url, body, headers)


CHANNEL = ChannelKind("webhook", "A signed webhook for each notification.", WebhookChannel, Timing.NOTIFICATION)
