"""Notifications as e-mail."""

import smtplib
import socket
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from vestibule.alerts.alert import Alert
from vestibule.alerts.channel import ChannelKind, Timing
from vestibule.alerts.report import render_notice
from vestibule.alerts.settings import AlertSettings
from vestibule.egress.guard import DeliveryFailed, EgressGuard


@dataclass(frozen=True, slots=True)
class MailServer:
    """The SMTP server and its credentials."""

    host: str
    port: int
    user: str
    password: str
    is_tls_needed: bool


class EmailChannel:
    """Sends one e-mail for each notification, with the report as its text."""

    def __init__(self, server: MailServer, sender: str, recipients: list[str], guard: EgressGuard) -> None:
        self._server = server
        self._sender = sender
        self._recipients = recipients
        self._guard = guard

    def deliver(self, alert: Alert) -> None:
        """Send `alert`. Raises `DeliveryFailed` if it was not accepted."""
        server = self._server
        address = self._guard.resolve(server.host, server.port)
        try:
            with _Pinned(server.host, server.port, address, self._guard.timeout_s) as client:
                if server.is_tls_needed:
                    client.starttls(context=ssl.create_default_context())
                if server.user:
                    client.login(server.user, server.password)
                client.send_message(self._message(alert))
        except (smtplib.SMTPException, OSError) as error:
            raise DeliveryFailed(type(error).__name__) from error

    def _message(self, alert: Alert) -> EmailMessage:
        message = EmailMessage()
        event = alert.notice.event.value if alert.notice else alert.severity.value
        message["Subject"] = f"[Vestibule] {event}: {alert.type.value} ({alert.count})"
        message["From"] = self._sender
        message["To"] = ", ".join(self._recipients)
        message["Date"] = format_datetime(alert.time)
        message["Message-ID"] = make_msgid(alert.notice.key if alert.notice else alert.id, "vestibule.invalid")
        message.set_content(render_notice(alert))
        return message


class _Pinned(smtplib.SMTP):
    """An SMTP client that connects to the address that was checked."""

    def __init__(self, host: str, port: int, address: str, timeout_s: float) -> None:
        self._address = address
        super().__init__(host, port, timeout=timeout_s)

    def _get_socket(self, _host: str, port: int, timeout: float) -> socket.socket:
        return socket.create_connection((self._address, port), timeout)


def build(settings: AlertSettings) -> EmailChannel:
    """Return the channel. Raises `ValueError` if its server, sender or recipients are not set."""
    host, _, port = settings.alert_email_server.rpartition(":")
    if not (host and port.isdecimal() and settings.alert_email_from and settings.alert_email_to):
        raise ValueError(
            "the channel email needs VESTIBULE_ALERT_EMAIL_SERVER as HOST:PORT, VESTIBULE_ALERT_EMAIL_FROM "
            "and VESTIBULE_ALERT_EMAIL_TO"
        )
    password = settings.alert_email_password.get_secret_value()
    server = MailServer(host, int(port), settings.alert_email_user, password, settings.alert_email_tls)
    return EmailChannel(server, settings.alert_email_from, settings.alert_email_to, settings.alert_guard)


CHANNEL = ChannelKind("email", "An e-mail for each notification.", build, Timing.NOTIFICATION)
