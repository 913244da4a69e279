"""Where an export of the audit goes: a file, a syslog server (RFC 5424), or a receiver of HTTP.

A sink returns once what it got is there, as far as it can know: on disk, or accepted by the receiver. Syslog has no
answer, and over UDP what is lost is not noticed.
"""

import json
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from vestibule.egress.guard import DeliveryFailed, EgressGuard

Event = Mapping[str, Any]
# Facility 13, "log audit", and severity 5, "notice".
PRIORITY = 13 * 8 + 5
SYSLOG_PORT = 514
TIMEOUT_S = 10.0


class SinkFailed(Exception):
    """The events did not arrive; says why."""


class AuditSink(Protocol):
    """Takes events; raises `SinkFailed` where it cannot."""

    def send(self, events: Sequence[Event]) -> None:
        """Deliver events, in their order."""
        ...


class FileSink:
    """Appends events to a file, a line of JSON each; they are on disk then."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, events: Sequence[Event]) -> None:
        """Append events."""
        content = b"".join(_encoded(event) + b"\n" for event in events)
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "ab") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise SinkFailed(f"{self._path} cannot be written: {error.strerror}") from error


class SyslogSink:
    """Sends events as messages of RFC 5424: over TCP with their lengths (RFC 6587), over UDP, or to a local socket."""

    def __init__(self, url: str) -> None:
        """Take `tcp://HOST:PORT`, `udp://HOST:PORT` or `unix:PATH`; raises `ValueError` for any other."""
        parts = urlsplit(url)
        if parts.scheme not in ("tcp", "udp", "unix") or not (parts.hostname or parts.path):
            raise ValueError("must be tcp://HOST[:PORT], udp://HOST[:PORT] or unix:PATH")
        self._scheme, self._path = parts.scheme, parts.path
        self._address = (parts.hostname or "", parts.port or SYSLOG_PORT)
        self._socket: socket.socket | None = None

    def send(self, events: Sequence[Event]) -> None:
        """Send events; a connection that was closed is opened again for the next call."""
        try:
            if self._socket is None:
                self._socket = self._connect()
            for event in events:
                message = self._message(event)
                self._socket.sendall(b"%d %b" % (len(message), message) if self._scheme == "tcp" else message)
        except OSError as error:
            with suppress(OSError):
                if self._socket is not None:
                    self._socket.close()
            self._socket = None
            raise SinkFailed(f"the syslog server does not take it ({type(error).__name__})") from error

    def _connect(self) -> socket.socket:
        if self._scheme == "tcp":
            return socket.create_connection(self._address, TIMEOUT_S)
        family = socket.AF_UNIX if self._scheme == "unix" else _family_of(self._address)
        opened = socket.socket(family, socket.SOCK_DGRAM)
        opened.settimeout(TIMEOUT_S)
        opened.connect(self._path if self._scheme == "unix" else self._address)
        return opened

    def _message(self, event: Event) -> bytes:
        moment = event.get("@timestamp") or event.get("unmapped", event)["time"]
        host = socket.gethostname() or "-"
        return f"<{PRIORITY}>1 {moment} {host} vestibule {os.getpid()} audit - ".encode() + _encoded(event)


class HttpSink:
    """Posts events through the egress guard, as lines of JSON."""

    def __init__(self, url: str, guard: EgressGuard) -> None:
        """Take the address; raises `DeliveryForbidden` where the guard refuses it."""
        guard.check_address(url)
        self._url, self._guard = url, guard

    def send(self, events: Sequence[Event]) -> None:
        """Post events; every answer but a 2xx is a failure."""
        content = b"".join(_encoded(event) + b"\n" for event in events)
        try:
            self._guard.post(self._url, content, {"Content-Type": "application/x-ndjson"})
        except DeliveryFailed as error:
            raise SinkFailed(f"the receiver does not take it: {error}") from error


def open_sink(target: str) -> AuditSink:
    """Return the sink of a target: a path, `tcp://`, `udp://`, `unix:`, `http://` or `https://`.

    Raises:
        ValueError: the address is malformed.
        DeliveryForbidden: nothing may be sent to it.
    """
    scheme = target.partition(":")[0].lower()
    if scheme in ("http", "https"):
        from vestibule.alerts import AlertSettings

        # The operator names the address, as of notifications: what those may be sent to, this may be.
        guard = AlertSettings().alert_guard
        return HttpSink(target, guard)
    if scheme in ("tcp", "udp", "unix"):
        return SyslogSink(target)
    return FileSink(Path(target))


def _family_of(address: tuple[str, int]) -> socket.AddressFamily:
    return socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0][0]


def _encoded(event: Event) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
