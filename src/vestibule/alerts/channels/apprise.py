"""Notifications through apprise, over HTTP: chats, pagers, push services."""

import json
import os
import subprocess
import sys
import threading
import weakref
from collections import OrderedDict
from typing import Any

from vestibule.alerts.alert import Alert, NoticeEvent, Severity
from vestibule.alerts.channel import ChannelKind, Timing
from vestibule.alerts.report import render_notice
from vestibule.alerts.settings import AlertSettings
from vestibule.egress.guard import DeliveryFailed, EgressGuard

START_TIMEOUT_S = 60
# One notification may take several requests: some services want a session first.
MAX_REQUESTS = 4
MAX_REMEMBERED = 1000
TYPES = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}
REPLACEMENT_CHANNELS = {"mailto": "email", "json": "webhook", "xml": "webhook", "form": "webhook"}
# They are not called over HTTP, which is all that the guard can watch.
UNGUARDED = frozenset(
    {
        "amqp",
        "aprs",
        "blink1",
        "dbus",
        "deltachat",
        "gio",
        "glib",
        "gnome",
        "growl",
        "irc",
        "kde",
        "macosx",
        "mqtt",
        "qt",
        "rsyslog",
        "smpp",
        "syslog",
        "windows",
        "xmpp",
    }
)


class AppriseChannel:
    """Sends through a separate process, which starts with the first notification and ends with this channel."""

    def __init__(self, urls: list[str], guard: EgressGuard) -> None:
        self._urls = urls
        self._sender = _Sender(guard)
        self._lock = threading.Lock()
        # What some services have taken and others have not: these alone are tried again.
        self._taken: OrderedDict[str, set[int]] = OrderedDict()

    def deliver(self, alert: Alert) -> None:
        """Send `alert` to every service.

        Raises:
            DeliveryFailed: one of them did not take it.
        """
        with self._lock:
            key = alert.notice.key if alert.notice else alert.id
            taken = self._taken.setdefault(key, set())
            reasons = [self._send(number, alert) for number in range(len(self._urls)) if number not in taken]
            taken |= {number for number, reason in reasons if not reason}
            refused = [f"service {number + 1}: {reason}" for number, reason in reasons if reason]
            if refused:
                while len(self._taken) > MAX_REMEMBERED:
                    self._taken.popitem(last=False)
                raise DeliveryFailed("; ".join(refused))
            del self._taken[key]

    def _send(self, number: int, alert: Alert) -> tuple[int, str]:
        event = alert.notice.event if alert.notice else None
        message = {
            "url": self._urls[number],
            "title": f"[Vestibule] {event or alert.severity}: {alert.type} ({alert.count})",
            "body": render_notice(alert),
            "type": "success" if event is NoticeEvent.RESOLVED else TYPES[alert.severity],
        }
        return number, self._sender.send(message)


class _Sender:
    """Manages the process that sends."""

    def __init__(self, guard: EgressGuard) -> None:
        self._guard = guard
        self._process: subprocess.Popen[str] | None = None

    def send(self, message: dict[str, str]) -> str:
        """Return why `message` was not taken, empty where it was."""
        if self._process is None or self._process.poll() is not None:
            self._start()
        return self._ask(message, self._guard.timeout_s * MAX_REQUESTS)

    def _start(self) -> None:
        # Neither proxies nor passwords of this environment are for others to use.
        environment = {"PYTHONPATH": os.pathsep.join(sys.path), "NETRC": os.devnull, "HOME": os.devnull}
        self._process = subprocess.Popen(
            [sys.executable, "-B", "-X", "utf8", "-m", "vestibule.alerts.delivery.apprise_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
        )
        weakref.finalize(self, _end, self._process)
        guard = self._guard
        allowed = {
            "schemes": sorted(guard.schemes),
            "hosts": sorted(guard.hosts),
            "is_private_allowed": guard.is_private_allowed,
            "timeout_s": guard.timeout_s,
        }
        self._ask(allowed, START_TIMEOUT_S)

    def _ask(self, line: dict[str, Any], timeout_s: float) -> str:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            return "the process that sends has not started"
        timer = threading.Timer(timeout_s, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps(line) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except OSError:
            answer = ""
        finally:
            timer.cancel()
        return str(json.loads(answer)["reason"]) if answer else "no answer in time"


def _end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def build(settings: AlertSettings) -> AppriseChannel:
    """Return the channel.

    Raises:
        ValueError: it has no address, or one that it does not send to.
    """
    urls = [url.get_secret_value() for url in settings.alert_apprise_urls]
    if not urls:
        raise ValueError("the channel apprise needs VESTIBULE_ALERT_APPRISE_URLS")
    for url in urls:
        _check(url)
    return AppriseChannel(urls, settings.alert_guard)


def _check(url: str) -> None:
    scheme, separator, _ = url.partition("://")
    if not separator:
        raise ValueError("VESTIBULE_ALERT_APPRISE_URLS holds what is no address of apprise's: SCHEME://...")
    scheme = scheme.lower()
    plain = scheme.removesuffix("s")
    if plain in REPLACEMENT_CHANNELS:
        raise ValueError(
            f"the channel apprise does not send to {scheme}://; use the channel {REPLACEMENT_CHANNELS[plain]}"
        )
    if {scheme, plain} & UNGUARDED:
        raise ValueError(f"the channel apprise does not send to {scheme}://: it cannot be guarded")


CHANNEL = ChannelKind(
    "apprise", "A message of any service that apprise speaks to over HTTP.", build, Timing.NOTIFICATION
)
