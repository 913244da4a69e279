"""What apprise sends goes through the guard, and services that send in another way are refused."""

import ast
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import apprise
import pytest
import requests
from apprise.manager_plugins import NotificationManager
from pydantic import SecretStr

from servers.receivers import Answer
from vestibule.alerts import Alert, AlertSettings, AlertType, Severity
from vestibule.alerts.alert import Notice, NoticeEvent
from vestibule.alerts.channels.apprise import CHANNEL
from vestibule.alerts.delivery import apprise_http
from vestibule.egress.guard import DeliveryFailed

ALLOWED: dict[str, Any] = {"alert_egress_schemes": ["http"], "alert_egress_private": True}
ALERT = Alert(type=AlertType.SECRET, description="It happened.", service="client", severity=Severity.CRITICAL, count=7)

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


def test_a_tap_on_a_message_opens_the_group(server: Any) -> None:
    """ntfy gets the link as the address of the message, and in its text; one that the operator set stays."""
    link = "https://console.example.org/alerts/groups/9a76fd8275cf19f0"
    notice = Notice("k", NoticeEvent.RAISED, ALERT.id, ALERT.time, ALERT.time, link=link)
    urls = [f"ntfy://{server.address}/topic", f"ntfy://{server.address}/topic?click=https://own.example.org"]
    settings = AlertSettings(alert_apprise_urls=[SecretStr(url) for url in urls], **ALLOWED)
    CHANNEL.build(settings).deliver(replace(ALERT, notice=notice))
    first, second = server.posted
    assert f"Link: {link}" in first.text
    assert link in first.text.replace(f"Link: {link}", "") + first.headers.get("x-click", "")
    assert "own.example.org" in second.text + second.headers.get("x-click", "")


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
        ("syslog://", "not called over HTTP alone"),
        ("mqtts://127.0.0.1/topic", "is not one that apprise can read"),
        ("nostr://nsec", "address 1 of"),
        ("not an address", "is not one that apprise can read"),
    ],
)
def test_what_cannot_be_guarded_is_refused_at_start(url: str, reason: str) -> None:
    """Nothing starts with such a service, and the message names what to use without repeating the address."""
    with pytest.raises(ValueError, match=reason) as failure:
        CHANNEL.build(AlertSettings(alert_apprise_urls=[SecretStr(url)]))
    assert "127.0.0.1" not in str(failure.value)


def test_a_scheme_that_nobody_knows_is_refused_at_start() -> None:
    """A misspelled service is found before its first notification."""
    with pytest.raises(ValueError, match=r"address 1 .* is not one that apprise can read"):
        CHANNEL.build(AlertSettings(alert_apprise_urls=[SecretStr("pigeon://coop")]))


def test_a_service_that_does_not_answer_in_time_is_given_up(deliver: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that sends a byte from time to time, which no timeout of a single read ends."""
    monkeypatch.setattr("vestibule.alerts.settings.WEBHOOK_TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = threading.Event()

        def drip() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                while not ended.wait(0.05):
                    connection.sendall(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        with pytest.raises(DeliveryFailed, match="no answer in time"):
            deliver(f"ntfy://127.0.0.1:{listener.getsockname()[1]}/the-topic")
        ended.set()
        dripping.join(60)
    assert not dripping.is_alive()


def test_a_response_that_is_too_large_is_not_read(server: Any, deliver: Deliver, monkeypatch: Any) -> None:
    """The response of a service takes only so much memory."""
    monkeypatch.setattr(apprise_http, "MAX_RESPONSE_BYTES", 1)
    server.answer = lambda _: Answer(body=b"xx")
    with pytest.raises(DeliveryFailed, match="too large"):
        deliver(f"ntfy://{server.address}/the-topic")


def test_the_rest_of_the_process_keeps_its_library() -> None:
    """Only the modules of apprise get the guarded one, and outside a notification it sends nothing."""
    guarded = apprise_http.guard_plugins()
    assert requests.post is requests.api.post
    assert guarded is sys.modules["apprise.plugins.ntfy"].requests  # type: ignore[attr-defined]
    with pytest.raises(requests.ConnectionError, match="no notification"):
        guarded.post("http://127.0.0.1/")


def _sources() -> list[tuple[str, ast.Module]]:
    folder = Path(apprise.__file__).parent / "plugins"
    return [
        (".".join(path.relative_to(folder.parents[1]).with_suffix("").parts).removesuffix(".__init__"), source)
        for path in sorted(folder.rglob("*.py"))
        if (source := ast.parse(path.read_text()))
    ]


def test_plugins_use_no_name_of_the_library_that_is_not_guarded() -> None:
    """A release of apprise whose plugins use a session of their own, or another name, fails here."""
    known = apprise_http.METHODS | apprise_http.HARMLESS | {"request"}
    used = {
        (module, node.attr)
        for module, source in _sources()
        for node in ast.walk(source)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "requests"
    }
    assert len(used) > 500
    assert set() == {(module, name) for module, name in used if name not in known}


def test_plugins_that_send_in_another_way_are_refused() -> None:
    """No service that the channel accepts has a module with sockets, programs or another HTTP library."""
    other = {"socket", "subprocess", "smtplib", "paho", "slixmpp", "dbus", "gi", "aiohttp", "httpx", "websocket"}
    others = {"urllib.request", "http.client", "utils.socket", "HTTPPolicy", "HTTPPolicySession"}
    packages = set()
    for module, source in _sources():
        for node in ast.walk(source):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names += [node.module or "", *(alias.name for alias in node.names)]
            if any(name.split(".")[0] in other or name in others for name in names):
                packages.add(".".join(module.split(".")[:3]))
    apprise_http.guard_plugins()
    kinds = {kind for kind in NotificationManager().plugins() if kind.__module__.startswith("apprise.plugins.")}
    accepted = {kind.__module__ for kind in kinds if apprise_http.is_guarded(kind)}
    assert len(accepted) > 100
    assert "apprise.plugins.nostr" in packages
    assert set() == {module for module in accepted if ".".join(module.split(".")[:3]) in packages}
