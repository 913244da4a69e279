"""What every channel promises: each alert handed over, whole, whoever else delivers, and nothing else with it."""

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from email import policy
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from vestibule.alerts import Alert, AlertSettings, AlertType, Severity, channels
from vestibule.alerts.channel import Channel, ChannelKind
from vestibule.discovery import discover

KINDS = discover(channels, "CHANNEL")
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
Received = Callable[[], list[str]]
Build = Callable[[ChannelKind, Path], Channel]


@pytest.fixture(autouse=True)
def lines() -> Iterator[list[str]]:
    """Give the log lines that are written meanwhile, as JSON."""
    with structlog.testing.capture_logs() as captured:
        yield captured  # type: ignore[misc]


class _Server(ThreadingHTTPServer):
    """Keeps what is posted to it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posted: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append(body.decode())  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class _MailServer(socketserver.ThreadingTCPServer):
    """Takes mail as an SMTP server does (RFC 5321), and keeps its text."""

    daemon_threads = True
    request_queue_size = 50

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Mail)
        self.posted: list[str] = []


class _Mail(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self._say("220 ready")
        while line := self.rfile.readline().decode().strip().upper():
            if line == "DATA":
                self._say("354 go on")
                text = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.server.posted.append(BytesParser(policy=policy.default).parsebytes(text).as_string())  # type: ignore[attr-defined]
            self._say("221 bye" if line == "QUIT" else "250 ok")

    def _say(self, answer: str) -> None:
        self.wfile.write(f"{answer}\r\n".encode())


@pytest.fixture
def servers() -> Iterator[dict[str, Any]]:
    """Real servers on loopback that channels send to."""
    servers: dict[str, Any] = {"http": _Server(), "mail": _MailServer()}
    threads = [threading.Thread(target=server.serve_forever, args=(0.02,)) for server in servers.values()]
    for thread in threads:
        thread.start()
    yield servers
    for server in servers.values():
        server.shutdown()
        server.server_close()
    for thread in threads:
        thread.join(10)


@pytest.fixture
def build(servers: dict[str, Any]) -> Build:
    """Return what builds a channel that sends to the servers."""
    url, mail = (f"127.0.0.1:{servers[name].server_address[1]}" for name in ("http", "mail"))

    def build_channel(kind: ChannelKind, folder: Path) -> Channel:
        settings = AlertSettings(
            data_dir=folder,
            alert_outgoing_schemes=["http"],
            alert_outgoing_private=True,
            alert_webhook_url=f"http://{url}/hook",
            alert_webhook_secret=SecretStr("the-key"),
            alert_alertmanager_url=f"http://{url}",
            alert_email_server=mail,
            alert_email_from="vestibule@example.org",
            alert_email_to=["team@example.org"],
            alert_email_tls=False,
            alert_apprise_urls=[SecretStr(f"mmost://{url}/{'a' * 24}")],
        )
        return kind.build(settings)

    return build_channel


@pytest.fixture
def received(tmp_path: Path, lines: list[object], servers: dict[str, Any]) -> Received:
    """Return everything that left through a channel: log lines, and files in the data directory."""

    def read() -> list[str]:
        texts = [path.read_text() for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".jsonl"]
        of_files = [line for path in tmp_path.rglob("*.jsonl") for line in path.read_text().splitlines()]
        return (
            [json.dumps(line, default=str) for line in lines]
            + texts
            + of_files
            + servers["http"].posted
            + servers["mail"].posted
        )

    return read


def _alert(number: int = 0, alert_type: AlertType = AlertType.PERSONAL_DATA) -> Alert:
    return Alert(
        type=alert_type,
        description=f"Event number {number}.",
        service="client",
        severity=Severity.WARNING,
        entities=("EMAIL_ADDRESS",),
        fingerprint="f" * 16,
        request_id="the-request",
        token_id="the-token-id",
        subject="the-part",
    )


def test_names_differ() -> None:
    """No channel hides another."""
    assert len(KINDS) == len({kind.name for kind in KINDS.values()})


def test_the_defaults_are_channels() -> None:
    """Without any setting, alerts go somewhere."""
    assert set(AlertSettings().alert_channels) <= {kind.name for kind in KINDS.values()}


@every_kind
def test_a_channel_describes_itself(kind: ChannelKind) -> None:
    """The settings use its name, and people read its sentence."""
    assert kind.name.replace("_", "").isalnum()
    assert kind.description.endswith(".")


@every_kind
def test_an_alert_arrives_whole(kind: ChannelKind, tmp_path: Path, received: Received, build: Build) -> None:
    """Every field of every type of alert reaches whoever reads it."""
    channel = build(kind, tmp_path)
    for alert in (_alert(7, alert_type) for alert_type in AlertType):
        channel.deliver(alert)
        (text,) = [text for text in received() if alert.id in text]
        for part in (alert.type, "Event number 7.", "client", "warning", "EMAIL_ADDRESS", "f" * 16):
            # A log line has its service from the logging of the process.
            assert part in text or (part == "client" and kind.name == "log")
        assert all(part in text for part in ("the-request", "the-token-id", "the-part"))


@every_kind
def test_an_alert_without_optional_parts_arrives(
    kind: ChannelKind, tmp_path: Path, received: Received, build: Build
) -> None:
    """What an alert does not have is left out, not written as a word."""
    alert = Alert(type=AlertType.SERVICE_DOWN, description="It is away.", service="s", severity=Severity.CRITICAL)
    build(kind, tmp_path).deliver(alert)
    (text,) = received()
    assert alert.id in text
    assert "None" not in text
    assert "null" not in text


@every_kind
def test_alerts_at_once_all_arrive(kind: ChannelKind, tmp_path: Path, received: Received, build: Build) -> None:
    """Several threads deliver through one channel, and none of their alerts is lost or mixed with another."""
    channel = build(kind, tmp_path)
    alerts = [_alert(number) for number in range(60)]
    threads = [
        threading.Thread(target=lambda part=part: [channel.deliver(alert) for alert in alerts[part::6]])
        for part in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    texts = received()
    assert 60 == len(texts)
    for alert in alerts:
        (own,) = [text for text in texts if alert.id in text]
        assert alert.description in own


@every_kind
def test_a_channel_is_built_without_touching_anything(
    kind: ChannelKind, tmp_path: Path, received: Received, build: Build
) -> None:
    """A command that only reads the settings leaves no folder behind."""
    build(kind, tmp_path / "not-yet")
    assert ([], False) == (received(), (tmp_path / "not-yet").exists())
