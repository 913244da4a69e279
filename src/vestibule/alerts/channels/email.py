"""Notifications as e-mail."""

import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid

from vestibule.alerts.alert import Alert
from vestibule.alerts.channel import ChannelKind, Timing
from vestibule.alerts.report import render_notice
from vestibule.alerts.settings import AlertSettings
from vestibule.egress.guard import DeliveryFailed


class EmailChannel:
    """Sends one e-mail for each notification, with the report as its text."""

    def __init__(self, settings: AlertSettings) -> None:
        """Raise `ValueError` if the server, the sender or the recipients are not set."""
        self._host, _, port = settings.alert_email_server.rpartition(":")
        if not (self._host and port.isdecimal() and settings.alert_email_from and settings.alert_email_to):
            raise ValueError(
                "the channel email needs VESTIBULE_ALERT_EMAIL_SERVER as HOST:PORT, VESTIBULE_ALERT_EMAIL_FROM "
                "and VESTIBULE_ALERT_EMAIL_TO"
            )
        self._port = int(port)
        self._settings = settings
        self._guard = settings.alert_guard

    def deliver(self, alert: Alert) -> None:
        """Send `alert`. Raises `DeliveryFailed` if it was not accepted."""
        settings = self._settings
        address = self._guard.resolve(self._host, self._port)
        try:
            with _Pinned(self._host, self._port, address, self._guard.timeout_s) as client:
                if settings.alert_email_tls:
                    client.starttls(context=ssl.create_default_context())
                if settings.alert_email_user:
                    client.login(settings.alert_email_user, settings.alert_email_password.get_secret_value())
                client.send_message(self._message(alert))
        except (smtplib.SMTPException, OSError) as error:
            raise DeliveryFailed(type(error).__name__) from error

    def _message(self, alert: Alert) -> EmailMessage:
        message = EmailMessage()
        event = alert.notice.event.value if alert.notice else alert.severity.value
        message["Subject"] = f"[Vestibule] {event}: {alert.type.value} ({alert.count})"
        message["From"] = self._settings.alert_email_from
        message["To"] = ", ".join(self._settings.alert_email_to)
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


CHANNEL = ChannelKind("email", "An e-mail for each notification.", EmailChannel, Timing.NOTIFICATION)
