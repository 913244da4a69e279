"""Notifications through apprise, over HTTP: chats, pagers, push services."""

import threading
from collections import OrderedDict

from vestibule.alerts.alert import Alert, NoticeEvent, Severity
from vestibule.alerts.channel import ChannelKind, Timing
from vestibule.alerts.report import render_notice
from vestibule.alerts.settings import AlertSettings
from vestibule.egress.guard import DeliveryFailed

MAX_REMEMBERED = 1000
TYPES = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}
# What apprise calls the address behind a message: ntfy, PagerDuty, Bark, ilert and others; Pushover.
LINK_MEMBERS = ("click", "supplemental_url")
REPLACEMENT_CHANNELS = {"mailto": "email", "json": "webhook", "xml": "webhook", "form": "webhook"}


class AppriseChannel:
    """Sends to services of apprise. After a failure, only the services that did not accept it are retried."""

    def __init__(self, settings: AlertSettings) -> None:
        """Load apprise. Raises `ValueError` if an address is missing, invalid, or of a service that is not accepted."""
        urls = [url.get_secret_value() for url in settings.alert_apprise_urls]
        if not urls:
            raise ValueError("the channel apprise needs VESTIBULE_ALERT_APPRISE_URLS")
        # Only those who use it pay for it: 20 MB and a second.
        from vestibule.alerts.delivery import apprise_http  # noqa: PLC0415

        self._urls = urls
        self._guard = settings.alert_guard
        self._open_service = apprise_http.open_service
        self._requests = apprise_http.guard_plugins()
        self._lock = threading.Lock()
        self._accepted: OrderedDict[str, set[int]] = OrderedDict()
        for number, url in enumerate(urls, start=1):
            scheme = url.partition("://")[0].lower() if "://" in url else ""
            channel = REPLACEMENT_CHANNELS.get(scheme.removesuffix("s"))
            if channel is not None:
                raise ValueError(f"the channel apprise does not send to {scheme}://; use the channel {channel}")
            service = self._open_service(url)
            if service is None:
                raise ValueError(f"address {number} of VESTIBULE_ALERT_APPRISE_URLS is not one that apprise can read")
            if not apprise_http.is_guarded(type(service)):
                raise ValueError(f"the channel apprise does not send to {scheme}://: it is not called over HTTP alone")

    def deliver(self, alert: Alert) -> None:
        """Send `alert` to every service. Raises `DeliveryFailed` if one of them did not accept it."""
        with self._lock:
            key = alert.notice.key if alert.notice else alert.id
            accepted = self._accepted.setdefault(key, set())
            reasons = {
                number: self._send(url, alert) for number, url in enumerate(self._urls) if number not in accepted
            }
            accepted |= {number for number, reason in reasons.items() if not reason}
            failed = [f"service {number + 1}: {reason}" for number, reason in reasons.items() if reason]
            if failed:
                while len(self._accepted) > MAX_REMEMBERED:
                    self._accepted.popitem(last=False)
                raise DeliveryFailed("; ".join(failed))
            del self._accepted[key]

    def _send(self, url: str, alert: Alert) -> str:
        event = alert.notice.event if alert.notice else None

        def notify() -> bool:
            service = self._open_service(url)
            if service is None:
                return False
            _link(service, alert)
            return bool(
                service.notify(
                    title=f"[Vestibule] {event or alert.severity}: {alert.type} ({alert.count})",
                    body=render_notice(alert),
                    notify_type="success" if event is NoticeEvent.RESOLVED else TYPES[alert.severity],
                )
            )

        return self._requests.run(self._guard, notify)


def _link(service: object, alert: Alert) -> None:
    """Let a tap on the message open the link, where the service has a member for that and the operator set none."""
    link = alert.notice.link if alert.notice else ""
    for member in LINK_MEMBERS if link else ():
        if getattr(service, member, link) in (None, ""):
            setattr(service, member, link)


CHANNEL = ChannelKind(
    "apprise", "A message of any service that apprise calls over HTTP.", AppriseChannel, Timing.NOTIFICATION
)
