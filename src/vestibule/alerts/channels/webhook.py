"""Notifications as signed posts to an address of the operator's."""

import json

from vestibule.alerts.alert import Alert
from vestibule.alerts.alert_json import to_dict
from vestibule.alerts.channel import ChannelKind, Timing
from vestibule.alerts.settings import AlertSettings
from vestibule.egress.guard import EgressGuard, signature_headers


class WebhookChannel:
    """Posts JSON, signed over time and body; each attempt of a notification has the same `Idempotency-Key`."""

    def __init__(self, url: str, secret: str, guard: EgressGuard) -> None:
        self._url = url
        self._secret = secret.encode()
        self._guard = guard

    def deliver(self, alert: Alert) -> None:
        """Post `alert`.

        Raises:
            DeliveryFailed: it was not taken.
        """
        body = json.dumps(to_dict(alert)).encode()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": alert.notice.key if alert.notice else alert.id,
            **signature_headers(self._secret, body),
        }
        self._guard.post(self._url, body, headers)


def build(settings: AlertSettings) -> WebhookChannel:
    """Return the channel.

    Raises:
        ValueError: its address or its secret is not set.
    """
    secret = settings.alert_webhook_secret.get_secret_value()
    if not settings.alert_webhook_url or not secret:
        raise ValueError("the channel webhook needs VESTIBULE_ALERT_WEBHOOK_URL and VESTIBULE_ALERT_WEBHOOK_SECRET")
    return WebhookChannel(settings.alert_webhook_url, secret, settings.alert_guard)


CHANNEL = ChannelKind("webhook", "A signed post of JSON a notification.", build, Timing.NOTIFICATION)
