"""What leaves goes where it was checked to go, is signed and encrypted as it says, and is tried for a day."""

import hashlib
import hmac
import itertools
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from servers.receivers import MailReceiver, running
from vestibule.alerts import Alert, AlertSettings, AlertType, Severity
from vestibule.alerts.alert import Notice, NoticeEvent
from vestibule.alerts.channels import email, webhook
from vestibule.alerts.delivery.outbox import DeliveryRules, Outbox
from vestibule.alerts.store.alert_store import Escalation, insert_alert
from vestibule.alerts.store.database import open_database, transaction
from vestibule.alerts.store.grouping import Grouping
from vestibule.egress.guard import DeliveryFailed, EgressGuard

LOCAL = EgressGuard(frozenset({"http"}), frozenset(), is_private_allowed=True, timeout_s=10)
ALERT = Alert(type=AlertType.SECRET, description="It happened.", service="client", severity=Severity.CRITICAL)


def _webhook(server: Any) -> Any:
    settings = AlertSettings(
        alert_egress_schemes=["http"],
        alert_egress_private=True,
        alert_webhook_url=f"http://{server.address}/hook",
        alert_webhook_secret=SecretStr("the-key"),
    )
    return webhook.CHANNEL.build(settings)


def test_a_webhook_can_be_verified(server: Any) -> None:
    """The signature is the HMAC of time, point and body, so that whoever has the key can tell forgeries and replays."""
    _webhook(server).deliver(ALERT)
    ((path, headers, body),) = server.posted
    timestamp = headers["x-vestibule-timestamp"]
    expected = hmac.new(b"the-key", f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert ("/hook", f"sha256={expected}") == (path, headers["x-vestibule-signature"])
    assert abs(int(timestamp) - datetime.now(UTC).timestamp()) < 60
    assert ALERT.id == json.loads(body)["id"]


def test_attempts_of_a_notification_have_one_key(server: Any) -> None:
    """A receiver that took it and was not heard can tell the second attempt from a second notification."""
    server.status = 503
    channel = _webhook(server)
    notices = [Notice(key, NoticeEvent.RAISED, ALERT.id, ALERT.time, ALERT.time) for key in ("one", "one", "two")]
    for notice in notices:
        with pytest.raises(DeliveryFailed, match="the answer was 503"):
            channel.deliver(replace(ALERT, notice=notice))
    assert ["one", "one", "two"] == [headers["idempotency-key"] for _, headers, _ in server.posted]


def test_it_is_tried_for_a_day_with_longer_and_longer_pauses(tmp_path: Path) -> None:
    """A channel that is away for a day is asked after 5 s, 10 s and so on up to an hour, then no more."""
    connection = open_database(tmp_path / "alerts.db")
    rules = DeliveryRules(Grouping(quiet_s=0, wait_s=0), reminder_s=10**9, give_up_after_s=86_400)
    box = Outbox(connection, rules)
    with transaction(connection):
        insert_alert(connection, ALERT, Escalation())
    box.group_new()
    now = ALERT.time + timedelta(seconds=1)
    began, tried = now, []
    while not box.give_up(_us(now)) and now < began + timedelta(days=3):
        box.post_due(_us(now), lambda _: ["kept"])
        for delivery in box.due(_us(now), "kept"):
            tried.append(now)
            box.postpone(delivery, _us(now), "it is away")
        now += timedelta(seconds=5)
    pauses = [int((later - earlier).total_seconds()) for earlier, later in itertools.pairwise(tried)]
    assert [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600] == pauses[:11]
    assert {3600} == set(pauses[10:])
    assert timedelta(days=1, seconds=5) == now - began
    assert [("given_up", len(tried))] == connection.execute("SELECT state, attempts FROM deliveries").fetchall()
    connection.close()


def _us(time: datetime) -> int:
    return int(time.timestamp() * 1e6)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure(server: Any, status: int) -> None:
    """Nobody sends a notification on to where nobody checked."""
    server.status = status
    with pytest.raises(DeliveryFailed, match=f"the answer was {status}"):
        LOCAL.post(f"http://{server.address}/first", b"{}", {})
    assert ["/first"] == [path for path, _, _ in server.posted]


Answers = Callable[..., list[str]]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Return what has a name answer with one address after the other; the list says who was asked for."""
    real = socket.getaddrinfo

    def answer(*addresses: str) -> list[str]:
        asked: list[str] = []

        def resolve(host: str, port: int, *others: Any, **options: Any) -> Any:
            if not host.endswith(".example"):
                return real(host, port, *others, **options)
            asked.append(host)
            return real(addresses[min(len(asked), len(addresses)) - 1], port, *others, **options)

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        return asked

    return answer


def test_the_address_that_was_checked_is_the_one_that_is_called(server: Any, answers: Answers) -> None:
    """A name that answers otherwise the second time leads nowhere else: it is asked once."""
    asked = answers("127.0.0.1", "192.0.2.1")
    LOCAL.post(f"http://rebinding.example:{server.server_address[1]}/hook", b"{}", {})
    ((path, headers, _),) = server.posted
    assert ("/hook", f"rebinding.example:{server.server_address[1]}", 1) == (path, headers["host"], len(asked))


def test_a_name_that_turns_private_is_refused(server: Any, answers: Answers) -> None:
    """Each notification is checked anew: a name that was public and is not any more gets nothing."""
    answers("93.184.215.14", "127.0.0.1")
    guard = replace(LOCAL, is_private_allowed=False)
    assert "93.184.215.14" == guard.resolve("rebinding.example", server.server_address[1])
    with pytest.raises(DeliveryFailed, match="not public"):
        guard.post(f"http://rebinding.example:{server.server_address[1]}/hook", b"{}", {})
    assert [] == server.posted


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key with a certificate for `mail.example` that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("mail.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def mail(certificate: Path, answers: Answers, request: pytest.FixtureRequest) -> Iterator[MailReceiver]:
    """A mail server with that certificate under the name `mail.example`; the parameter says whether it offers TLS."""
    answers("127.0.0.1")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    with running(MailReceiver(context if getattr(request, "param", True) else None)) as server:
        yield server


def _mailer(mail: MailReceiver) -> Any:
    settings = AlertSettings(
        alert_egress_private=True,
        alert_email_server=f"mail.example:{mail.port}",
        alert_email_from="vestibule@example.org",
        alert_email_to=["team@example.org"],
        alert_email_user="vestibule",
        alert_email_password=SecretStr("the-password"),
    )
    return email.CHANNEL.build(settings)


def test_mail_and_password_go_over_tls(mail: MailReceiver, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but the greeting is said before the connection is encrypted, to the host of the settings."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    _mailer(mail).deliver(ALERT)
    plain = [heard for heard in mail.heard if heard.startswith("plain")]
    assert ["plain EHLO", "plain STARTTLS"] == plain
    assert {"tls AUTH", "tls MAIL", "tls RCPT", "tls DATA"} <= set(mail.heard)
    assert "Description: It happened." in b"".join(mail.mails).decode()


def test_a_server_that_cannot_prove_who_it_is_gets_nothing(mail: MailReceiver) -> None:
    """A certificate that nobody vouches for ends it before the password is said."""
    with pytest.raises(DeliveryFailed):
        _mailer(mail).deliver(ALERT)
    assert not [heard for heard in mail.heard if "AUTH" in heard or "MAIL" in heard]


@pytest.mark.parametrize("mail", [False], indirect=True)
def test_a_server_without_tls_gets_nothing(mail: MailReceiver) -> None:
    """Whoever strips the offer of TLS from the line hears no password and no mail."""
    with pytest.raises(DeliveryFailed):
        _mailer(mail).deliver(ALERT)
    assert {"plain EHLO", "plain QUIT"} >= set(mail.heard)


def test_a_channel_that_fails_is_an_alert_until_it_is_back(tmp_path: Path) -> None:
    """The third failure of a notification is told by the other channels once, and so is the end of it."""
    connection = open_database(tmp_path / "alerts.db")
    box = Outbox(connection, DeliveryRules(Grouping(quiet_s=0, wait_s=0), reminder_s=10**9, give_up_after_s=86_400))
    with transaction(connection):
        # Now, and not when this module was loaded: what is raised on the way is as late as the clock says.
        insert_alert(connection, replace(ALERT, time=datetime.now(UTC)), Escalation())
    now, told = datetime.now(UTC), []
    for is_back in (False, False, False, False, True, True):
        now += timedelta(seconds=100)
        box.group_new()
        box.post_due(_us(now), lambda _: ["failing", "works"])
        for delivery in box.due(_us(now), "failing"):
            if is_back:
                box.confirm(delivery, _us(now))
            else:
                box.postpone(delivery, _us(now), "it is away")
        for delivery in box.due(_us(now), "works"):
            box.confirm(delivery, _us(now))
            told.append((delivery.alert.type, delivery.alert.notice.event, delivery.alert.description))  # type: ignore[union-attr]
    text = "The channel failing does not accept notifications: it is away."
    assert [
        (AlertType.SECRET, NoticeEvent.RAISED, "It happened."),
        (AlertType.DELIVERY_FAILING, NoticeEvent.RAISED, text),
        (AlertType.DELIVERY_FAILING, NoticeEvent.RESOLVED, text),
    ] == told
    connection.close()
