"""Counts alerts, and the attempts to deliver them."""

from collections.abc import Iterable
from typing import Protocol

from vestibule.service_kit.metrics.catalogue import ALERT_DELIVERIES, ALERTS
from vestibule.service_kit.metrics.metrics import Metrics

OUTCOMES = ("delivered", "failed", "given_up")


class Raised(Protocol):
    """The part of an alert that is counted; both are from a closed vocabulary."""

    @property
    def type(self) -> str: ...

    @property
    def severity(self) -> str: ...


class AlertMetrics:
    """Counts the alerts and delivery attempts of a service."""

    def __init__(self, metrics: Metrics, channels: Iterable[str]) -> None:
        """Take the names of the channels that are in use."""
        self._metrics = metrics
        for channel in channels:
            for outcome in OUTCOMES:
                metrics.expect(ALERT_DELIVERIES, channel, outcome)

    def count_alert(self, alert: Raised) -> None:
        """Count an alert that was raised."""
        self._metrics.count(ALERTS, str(alert.type), str(alert.severity))

    def count_attempt(self, channel: str, outcome: str) -> None:
        """Count an attempt to deliver a notification."""
        self._metrics.count(ALERT_DELIVERIES, channel, outcome)
