"""What every channel promises: each alert handed over, whole, whoever else delivers, and nothing else with it."""

import json
import threading
from collections.abc import Callable, Iterator
from email import policy
from email.parser import BytesParser
from pathlib import Path

import pytest
import structlog
from pydantic import SecretStr

from servers.receivers import HttpReceiver, MailReceiver, running
from vestibule.alerts import Alert, AlertSettings, AlertType, Severity, channels
from vestibule.alerts.channel import Channel, ChannelKind
from vestibule.runtime.plugins import discover

KINDS = discover(channels, "CHANNEL")
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
Received = Callable[[], list[str]]
Build = Callable[[ChannelKind, Path], Channel]


@pytest.fixture(autouse=True)
def lines() -> Iterator[list[str]]:
    """Give the log lines that are written meanwhile, as JSON."""
    with structlog.testing.capture_logs() as captured:
        yield captured  # type: ignore[misc]


@pytest.fixture
def http() -> Iterator[HttpReceiver]:
    """A server on loopback that channels post to."""
    with running(HttpReceiver()) as server:
        yield server


@pytest.fixture
def mail() -> Iterator[MailReceiver]:
    """A server on loopback that channels mail to."""
    with running(MailReceiver()) as server:
        yield server


@pytest.fixture
def build(http: HttpReceiver, mail: MailReceiver) -> Build:
    """Return what builds a channel that sends to the servers."""

    def build_channel(kind: ChannelKind, folder: Path) -> Channel:
        settings = AlertSettings(
            data_dir=folder,
            alert_egress_schemes=["http"],
            alert_egress_private=True,
            alert_webhook_url=http.url("/hook"),
            alert_webhook_secret=SecretStr("the-key"),
            alert_alertmanager_url=http.url(),
            alert_email_server=f"127.0.0.1:{mail.port}",
            alert_email_from="vestibule@example.org",
            alert_email_to=["team@example.org"],
            alert_email_tls=False,
            alert_apprise_urls=[SecretStr(f"mmost://{http.address}/{'a' * 24}")],
        )
        return kind.build(settings)

    return build_channel


@pytest.fixture
def received(tmp_path: Path, lines: list[object], http: HttpReceiver, mail: MailReceiver) -> Received:
    """Return everything that left through a channel: log lines, and files in the data directory."""

    def read() -> list[str]:
        texts = [path.read_text() for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".jsonl"]
        of_files = [line for path in tmp_path.rglob("*.jsonl") for line in path.read_text().splitlines()]
        logged = [json.dumps(line, default=str) for line in lines]
        mails = [BytesParser(policy=policy.default).parsebytes(one).as_string() for one in mail.mails]
        return logged + texts + of_files + [posted.text for posted in http.posted] + mails

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
