"""What apprise sends goes through the guard, and nothing else leaves its process."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from vestibule.alerts import Alert, AlertSettings, AlertType, Severity
from vestibule.alerts.channels.apprise import CHANNEL
from vestibule.egress.guard import DeliveryFailed

ALLOWED: dict[str, Any] = {"alert_egress_schemes": ["http"], "alert_egress_private": True}
ALERT = Alert(type=AlertType.SECRET, description="It happened.", service="client", severity=Severity.CRITICAL, count=7)

TRIED = """
import os, socket, subprocess, sys
from vestibule.alerts.delivery.apprise_process import _GuardState, _hook_for
tried = {
    "connect": lambda: socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1),
    "name": lambda: socket.getaddrinfo("example.org", 80),
    "datagram": lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", int(sys.argv[1]))),
    "program": lambda: subprocess.run(["true"]),
    "shell": lambda: os.system("true"),
    "file": lambda: open(sys.argv[2], "w"),
    "descriptor": lambda: os.open(sys.argv[2], os.O_CREAT | os.O_WRONLY),
    "fork": os.fork,
}
sys.addaudithook(_hook_for(_GuardState()))
for name, attempt in tried.items():
    try:
        attempt()
    except PermissionError:
        continue
    print(name)
"""


Deliver = Callable[..., None]


@pytest.fixture
def deliver() -> Deliver:
    """Return what delivers the alert to some addresses, with settings."""

    def deliver_to(*urls: str, **options: Any) -> None:
        settings = AlertSettings(alert_apprise_urls=[SecretStr(url) for url in urls], **{**ALLOWED, **options})
        CHANNEL.build(settings).deliver(ALERT)

    return deliver_to


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("ntfy://{}/the-topic", "/"),
        ("gotify://{}/the-token", "/message"),
        ("mmost://{}/aaaaaaaaaaaaaaaaaaaaaaaa", "/hooks/aaaaaaaaaaaaaaaaaaaaaaaa"),
    ],
)
def test_services_get_it_in_their_own_form(server: Any, deliver: Deliver, url: str, path: str) -> None:
    """ntfy, Gotify and Mattermost get title and text where they expect them."""
    deliver(url.format(server.address))
    (posted,) = server.posted
    assert path == posted.path
    assert "[Vestibule] critical: Secret (7)" in posted.text
    assert "Description: It happened." in posted.text


def test_a_redirect_is_not_followed(server: Any, deliver: Deliver) -> None:
    """A service that sends the notification elsewhere has not taken it."""
    server.statuses["the-topic"] = 307
    with pytest.raises(DeliveryFailed, match="the answer was 307"):
        deliver(f"ntfy://{server.address}/the-topic")
    assert ["/"] == [posted.path for posted in server.posted]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"alert_egress_private": False}, "not public"),
        ({"alert_egress_schemes": ["https"]}, "scheme is not allowed"),
        ({"alert_egress_hosts": ["elsewhere.example"]}, "host is not allowed"),
    ],
)
def test_the_guard_holds_for_apprise(server: Any, deliver: Deliver, options: dict[str, Any], reason: str) -> None:
    """What the settings do not allow is not called, and the reason says why without the address."""
    with pytest.raises(DeliveryFailed, match=reason) as failure:
        deliver(f"ntfy://{server.address}/the-topic", **options)
    assert "the-topic" not in str(failure.value)
    assert [] == server.posted


def test_only_those_who_did_not_take_it_get_it_again(server: Any) -> None:
    """Of two services one is away at first: the other hears of it once."""
    urls = [SecretStr(f"ntfy://{server.address}/{topic}") for topic in ("first", "second")]
    channel = CHANNEL.build(AlertSettings(alert_apprise_urls=urls, **ALLOWED))
    server.statuses["second"] = 503
    with pytest.raises(DeliveryFailed, match="service 2: the answer was 503"):
        channel.deliver(ALERT)
    server.statuses.clear()
    channel.deliver(ALERT)
    assert ["first", "second", "second"] == [posted.json["topic"] for posted in server.posted]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("json://127.0.0.1/", "use the channel webhook"),
        ("XMLS://127.0.0.1/", "use the channel webhook"),
        ("form://127.0.0.1/", "use the channel webhook"),
        ("mailtos://user:pass@example.org", "use the channel email"),
        ("syslog://", "cannot be guarded"),
        ("mqtts://127.0.0.1/topic", "cannot be guarded"),
        ("dbus://", "cannot be guarded"),
        ("not an address", "no address of apprise's"),
    ],
)
def test_what_cannot_be_guarded_is_refused_at_start(url: str, reason: str) -> None:
    """Nothing starts with such a service, and the message names what to use without repeating the address."""
    with pytest.raises(ValueError, match=reason) as failure:
        CHANNEL.build(AlertSettings(alert_apprise_urls=[SecretStr(url)]))
    assert "127.0.0.1" not in str(failure.value)


def test_a_scheme_that_nobody_knows_is_said(deliver: Deliver) -> None:
    """A misspelled service is a failure with a reason."""
    with pytest.raises(DeliveryFailed, match="apprise cannot read the address"):
        deliver("pigeon://coop")


def test_nothing_else_leaves_the_process(server: Any, tmp_path: Any) -> None:
    """Behind the hook no other connection, name, datagram, program or file to write is to be had."""
    command = [sys.executable, "-c", TRIED, str(server.server_address[1]), str(tmp_path / "file")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ("", "", 0) == (done.stdout, done.stderr, done.returncode)
    assert [] == list(tmp_path.iterdir())
