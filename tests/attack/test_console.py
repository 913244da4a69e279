"""The console is attacked by what callers send, by other pages, by changed cookies, and from other addresses."""

import base64
import json
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from fastapi.routing import APIRoute

from vestibule.cli.canary.console import PageLinks, kind_of, sign_in, walk
from vestibule.console.pages import ROUTERS
from vestibule.console.session.sessions import Sessions

# Each is markup, a template, a script or an address where one is shown without being escaped.
HOSTILE = (
    "<script>zqalert(1)</script>",
    '"><img src=x onerror=zqalert(2)>',
    "' onmouseover='zqalert(3)",
    "{{77777*77777}}{% for x in () %}",
    "javascript:zqalert(4)",
    "</textarea></title></style><svg/onload=zqalert(5)>",
    "<a href=//zq.example hx-get=/sign-out hx-trigger=load>",
    "\u202e\u2066zq \u00e9\U0001f600 \ufeff",
)
ELEMENTS_WITH_CODE = frozenset({"script", "iframe", "object", "embed", "base", "style", "applet", "portal"})
ADDRESSES = frozenset(
    {"href", "src", "action", "formaction", "hx-get", "hx-post", "hx-put", "hx-delete", "hx-sse:connect"}
)
OWN_SCRIPT = re.compile(r"/assets/[0-9a-f]{12}/[\w.-]+\.js")
OWN_ADDRESS = re.compile(r"(/(?!/)|#|\?|https://(?=github\.com/))|$")
# Errors of one's own, such as a key that is not there, are pages as well.
ANSWERS = frozenset({200, 303, 400, 401, 403, 404, 405, 409, 422, 503})
HEADERS = {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}
POLICY = ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "connect-src 'self'")


@dataclass
class Suspicions(HTMLParser):
    """Reads a page as a browser does, and notes what no template of the console has."""

    found: list[str] = field(default_factory=list)
    nonces: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    @classmethod
    def of(cls, html: str) -> "Suspicions":
        """Read a page."""
        read = cls()
        read.feed(html)
        return read

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element: what it is, what it loads, where it leads, and what it would run."""
        given = {name: value or "" for name, value in attrs}
        self.nonces |= {given[name] for name in ("nonce", "hx-nonce") if name in given}
        is_own_script = tag == "script" and OWN_SCRIPT.fullmatch(given.get("src", "")) and given.get("nonce")
        if tag in ELEMENTS_WITH_CODE and not is_own_script:
            self.found.append(f"<{tag}> {given}")
        for name, value in given.items():
            if name.startswith("on") or name in ("style", "srcdoc", "ping"):
                self.found.append(f"{tag} {name}")
            if name in ADDRESSES and not OWN_ADDRESS.match(value):
                self.found.append(f"{tag} {name}={value}")
            if name.startswith("hx-") and not given.get("hx-nonce"):
                self.found.append(f"{tag} {name} without a nonce")
            if "zq" in name:
                self.found.append(f"{tag} has an attribute {name}")
        if tag == "img" or "zq" in tag:
            self.found.append(f"<{tag}> {given}")


@pytest.fixture(scope="module")
def attacked(start_for_module: Any) -> Any:
    """A system that lets nearly everything in, is asked often without a token, and holds hostile texts everywhere."""
    system = start_for_module(
        VESTIBULE_CONSOLE="on", VESTIBULE_AUTH_FAILURES_PER_MINUTE="1000000", VESTIBULE_POLICY="alert"
    )
    with system.client() as http:
        for number, text in enumerate(HOSTILE):
            _send_everywhere(http, system.part_url(3), number, text)
    return system


def _send_everywhere(http: httpx.Client, scheduler: str, number: int, text: str) -> None:
    """Put a text into everything that a caller chooses, however it is answered: most is refused, and some is kept."""
    header = text.encode("ascii", "replace").decode()
    key = f"hostile/{number}/{text}"
    http.post("/add", json={"key": key, "value": text})
    http.post("/add", json={"key": f"leak/{number}", "value": f"write to jane{number}@example.org {text}"})
    http.request("POST", "/add", params={"key": text, "value": "x"}, headers={"User-Agent": header})
    http.post("/add", json={"key": f"id/{number}", "value": "x"}, headers={"X-Request-ID": header})
    http.post("/run", json={"key": key, "processor": text})
    http.post("/run", json={"key": key, "delay_s": 3600})
    http.post("/messages", json={"text": text, "source": text})
    http.post("/messages", json={"text": f"jane{number}@example.org", "source": text})
    http.post("/schedules", json={"key": key, "processor": "uppercase", "every_s": 3600, "name": text})
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    http.post("/silences", json={"hours": 1, "reason": text, "type": text})
    http.post("/silences", json={"hours": 1, "reason": text, "entity": "EMAIL_ADDRESS", "token": text})
    http.post("/tokens", json={"name": text, "scopes": ["add"]})
    http.post("/allowances", json={"fingerprint": f"e1:{number:032}", "entity": text, "hours": 1, "reason": text})
    http.post("/queue/pause", json={"reason": text, "processor": "normalize"})
    http.post("/subjects/find", json={"value": f"jane{number}@example.org", "reason": text})
    http.post(f"{scheduler}/heartbeats/{quote(text, safe='')}", params={"period_s": 60})
    http.post(f"{scheduler}/maintenance", json={"part": "business_logic", "until": until, "reason": text})
    http.get("/keys", headers={"Authorization": f"Bearer {header}"})


@pytest.fixture(scope="module")
def console(attacked: Any) -> Iterator[httpx.Client]:
    """A browser that is signed in."""
    with httpx.Client(base_url=attacked.part_url(4), timeout=40, trust_env=False) as http:
        assert 303 == sign_in(http, "SECRET_TOKEN").status_code
        yield http


@pytest.fixture(scope="module")
def pages(console: httpx.Client) -> dict[str, httpx.Response]:
    """Every page that links lead to, and those that a hostile address asks for: each filter of each kind has a text."""
    found = dict(walk(console))
    asked = [f"/{kind}/{quote(text, safe='')}" for kind in KINDS for text in HOSTILE]
    asked += [f"/store/entry?key={quote(text, safe='')}" for text in HOSTILE]
    paths = {kind_of(address.partition("?")[0]): address.partition("?")[0] for address in found}.values()
    texts = cycle(HOSTILE)
    asked += [f"{path}?{member}={quote(next(texts), safe='')}" for path in paths for member in FILTERS]
    return found | {address: console.get(address) for address in dict.fromkeys(asked)}


KINDS = ("requests", "alerts", "alerts/groups", "tasks", "schedules", "tokens", "receipts", "subjects/finds")
FILTERS = ("state", "entity", "token", "prefix", "q", "since", "cursor", "key", "next", "action", "processor")


def test_no_text_of_a_caller_becomes_markup(pages: dict[str, httpx.Response]) -> None:
    """Every page is read by a parser: each element, attribute and address is one of the templates."""
    wrong = {}
    for address, page in pages.items():
        read = Suspicions.of(page.text)
        if read.found:
            wrong[address] = read.found
        assert page.status_code in ANSWERS, f"{address}: {page.status_code}"
        assert "6049261729" not in page.text, f"{address} evaluates a template"
        policy = page.headers.get("content-security-policy", "")
        assert all(f"'nonce-{nonce}'" in policy for nonce in read.nonces), address
    assert {} == wrong
    assert len(pages) > 100
    shown = [address for address, page in pages.items() if "zqalert" in page.text]
    assert shown, "the texts are on no page, so nothing is tried"


def test_every_answer_is_protected(pages: dict[str, httpx.Response]) -> None:
    """Each page has its headers and a policy whose nonce is its own; nothing of it may be kept or framed."""
    nonces = []
    for address, page in pages.items():
        if page.status_code == 303 or "html" not in page.headers.get("content-type", ""):
            continue
        assert page.headers.items() >= HEADERS.items(), address
        policy = page.headers["content-security-policy"]
        assert all(one in policy for one in POLICY), address
        assert "unsafe" not in policy
        nonces += re.findall(r"'nonce-([^']+)'", policy)
    assert len(set(nonces)) == len(nonces) > 0


def _actions() -> list[tuple[str, str]]:
    """Return method and path of every route of the console that may change something."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    found = [(method, one.path) for one in routes for method in one.methods]
    return sorted((method, re.sub(r"\{[^}]+\}", "x", path)) for method, path in found if method not in ("GET", "HEAD"))


def _csrf_of(http: httpx.Client) -> str:
    forms = [form for form in PageLinks.of(http.get("/alerts").text).forms if "csrf" in form.hidden]
    return forms[0].hidden["csrf"]


def test_no_action_comes_from_elsewhere(attacked: Any, console: httpx.Client) -> None:
    """Every route that acts: refused from another origin or none, and without the token of this very session."""
    own = str(console.base_url).rstrip("/")
    origins = ("", "null", "https://evil.example", own.replace("127.0.0.1", "127.0.0.1.evil.example"), own + "0")
    with httpx.Client(base_url=own, timeout=40, trust_env=False) as other:
        sign_in(other, "SECRET_TOKEN")
        foreign, good = _csrf_of(other), _csrf_of(console)
    assert foreign != good
    actions = _actions()
    assert ("POST", "/sign-in") in actions
    assert len(actions) > 3
    wrong = []
    for method, path in actions:
        for origin in origins:
            sent = {"Origin": origin} if origin else {}
            answer = console.request(method, path, data={"csrf": good, "token": "SECRET_TOKEN"}, headers=sent)
            wrong += [(path, f"origin {origin!r}", answer.status_code)] if answer.status_code != 403 else []
        for token in ("", "x", foreign, good[:-1], good.upper()) if path != "/sign-in" else ():
            answer = console.request(method, path, data={"csrf": token}, headers={"Origin": own})
            wrong += [(path, f"csrf {token[:8]!r}", answer.status_code)] if answer.status_code != 403 else []
    assert [] == wrong
    with httpx.Client(base_url=own, timeout=40, trust_env=False) as nobody:
        answers = {
            path: nobody.request(method, path, data={"csrf": good}, headers={"Origin": own}) for method, path in actions
        }
    assert {303} == {answer.status_code for path, answer in answers.items() if path != "/sign-in"}
    assert all(
        answer.headers["location"].startswith("/sign-in") for path, answer in answers.items() if path != "/sign-in"
    )


def test_no_number_and_no_time_breaks_a_page(console: httpx.Client) -> None:
    """What is too long, too late, too deep or no number is a mistake of whoever typed it, and no error of ours."""
    own = str(console.base_url).rstrip("/")
    digits, early = "9" * 5_000, "0001-01-01T00:00+23:00"
    pages: list[tuple[str, dict[str, str]]] = [
        ("/findings", {"until": "9999-12-31"}),
        ("/alerts/list", {"since": early}),
        ("/requests", {"since": early, "until": "9999-12-31T23:59-23:00"}),
    ]
    answers = [(path, console.get(path, params=given)) for path, given in pages]
    # By itself: it ends the session, as nobody is on this machine who comes through a proxy.
    answers += [("/", httpx.get(own, headers={"X-Forwarded-For": "é".encode()}, cookies=dict(console.cookies)))]
    actions: list[tuple[str, dict[str, str]]] = [
        ("/store/entry/reveal", {"key": "k", "version": digits, "reason": "a test"}),
        ("/store/entry/restore", {"key": "k", "version": digits, "current": "1"}),
        ("/policy/draft", {"step": "replay", "days": "²"}),
        ("/policy/allowances", {"reason": "a test", "entity": "EMAIL_ADDRESS", "hours": "²"}),
        ("/findings/allow", {"reason": "a test", "entity": "EMAIL_ADDRESS", "fingerprint": "e1:1", "hours": "nan"}),
        ("/alerts/silences", {"reason": "a test", "entity": "EMAIL_ADDRESS", "hours": "nan"}),
        ("/alerts/x/let-pass", {"reason": "a test", "hours": "inf"}),
        ("/availability/maintenance", {"part": "all", "begins": "9999-12-31T23:00", "hours": "800"}),
        ("/schedules", {"key": "k", "cron": "* * * * *", "options": "[" * 100_000}),
        ("/schedules", {"key": "k", "cron": "* * * * *", "options": '{"a": NaN}'}),
        ("/schedules", {"key": "k", "cron": "* * * * *", "options": '{"a": "\\ud800"}'}),
        ("/receipts", {"receipt": base64.urlsafe_b64encode(b"[" * 99_999).decode() + ".e30.AAAA"}),
        ("/tasks/%E2%82%AC/x", {}),
        ("/schedules/a%0d%0aX-Evil:%201/x", {}),
    ]
    csrf = _csrf_of(console)
    for path, given in actions:
        for sent in ({}, {"HX-Request": "true"}):
            answer = console.post(path, data={**given, "csrf": csrf}, headers={"Origin": own, **sent})
            answers += [(path, answer)]
    wrong = [(path, answer.status_code) for path, answer in answers if answer.status_code not in ANSWERS | {204}]
    assert [] == wrong
    assert not any("x-evil" in answer.headers for _, answer in answers)


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
        "/%09/evil.example", "/\t/evil.example", " //evil.example", "/\r\nLocation: //evil.example", "",
    ],
)  # fmt: skip
def test_sign_in_leads_to_no_other_host(attacked: Any, target: str) -> None:
    """Whatever `next` is, the browser stays here."""
    with httpx.Client(base_url=attacked.part_url(4), timeout=40, trust_env=False) as http:
        own = str(http.base_url).rstrip("/")
        answer = http.post("/sign-in", data={"token": "SECRET_TOKEN", "next": target}, headers={"Origin": own})
        assert 303 == answer.status_code
        for location in (answer.headers["location"], http.get("/sign-in", params={"next": target}).headers["location"]):
            assert re.fullmatch(r"/(?![/\\])[^\\\s]*", location), location


def test_only_an_own_cookie_opens_a_session(attacked: Any, console: httpx.Client, tmp_path: Path) -> None:
    """A cookie that is changed anywhere, cut, of another secret or too old opens nothing."""
    (name,) = [one for one in console.cookies if one.startswith("vestibule_console")]
    good = console.cookies[name]
    raw = bytearray(base64.urlsafe_b64decode(good + "=" * (-len(good) % 4)))
    flipped = [bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]) for at in range(0, len(raw), 7)]
    secret = (attacked.data_dir / "keys" / "console_secret").read_text()
    for file, content in (("own", secret), ("other", "o" * 43)):
        (tmp_path / file).write_text(content)
    members = {"token_id": "x", "name": "x", "tenant": "default", "scopes": ["operator"]}
    old = Sessions(tmp_path / "own", clock=lambda: time.time() - 9 * 3600)
    other = Sessions(tmp_path / "other")
    forged = [
        *(base64.urlsafe_b64encode(one).decode().rstrip("=") for one in flipped),
        old.seal(old.begin("SECRET_TOKEN", **members, until=2**40)),
        other.seal(other.begin("SECRET_TOKEN", **members, until=2**40)),
        *(good[:-4], good[4:], "", "e30", json.dumps({"token": "SECRET_TOKEN"}), "A" * 3800, "A" * 20_000),
    ]
    with httpx.Client(base_url=console.base_url, timeout=40, trust_env=False) as http:
        statuses = {text[:12]: http.get("/alerts", headers={"Cookie": f"{name}={text}"}).status_code for text in forged}
        assert set(statuses.values()) <= {303, 400, 431}, statuses
        assert 200 == http.get("/alerts", headers={"Cookie": f"{name}={good}"}).status_code


def test_a_cookie_tells_nothing_and_no_script_reads_it(attacked: Any) -> None:
    """It is sealed, for this host, for HTTP alone, not sent along by other sites' forms; the token is nowhere in it."""
    with httpx.Client(base_url=attacked.part_url(4), timeout=40, trust_env=False) as http:
        answer = sign_in(http, "SECRET_TOKEN")
    (cookie,) = answer.headers.get_list("set-cookie")
    assert {"httponly", "samesite=lax", "path=/"} <= {one.strip().lower() for one in cookie.split(";")[1:]}
    assert "domain" not in cookie.lower()
    value = cookie.partition("=")[2].partition(";")[0]
    assert b"SECRET" not in base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
    assert "SECRET_TOKEN" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "203.0.113.7"},
        {"Forwarded": "for=203.0.113.7"},
        {"Host": "rebound.evil.example", "Origin": "http://rebound.evil.example"},
        {"X-Real-IP": "203.0.113.7", "Via": "1.1 proxy"},
    ],
)
def test_the_development_token_is_for_this_machine(attacked: Any, headers: dict[str, str]) -> None:
    """Who comes through a proxy, or by a name that leads here, cannot sign in with it: the services do not know it."""
    with httpx.Client(base_url=attacked.part_url(4), timeout=40, trust_env=False) as http:
        sent = {"Origin": str(http.base_url).rstrip("/"), **headers}
        answer = http.post("/sign-in", data={"token": "SECRET_TOKEN", "next": "/"}, headers=sent)
    assert 401 == answer.status_code, answer.headers
    assert not [one for one in answer.headers.get_list("set-cookie") if "vestibule_console" in one]


def test_requests_that_are_no_requests_are_refused(attacked: Any) -> None:
    """Broken heads and a body without an end get an answer of 400 to 431, or the connection ends."""
    heads = (
        b"POST /sign-in HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nCookie: " + b"x" * 70_000 + b"\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00",
    )
    for head in heads:
        with socket.create_connection(("127.0.0.1", attacked.base_port + 4), timeout=20) as connection:
            connection.sendall(head)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(4096)
        assert not answer or answer.split(b" ")[1][:1] == b"4", answer[:200]


def test_nothing_of_a_token_is_written(attacked: Any, console: httpx.Client) -> None:
    """Neither cookies nor tokens nor what was typed into a form stand in a log line, a report or the output."""
    (name,) = [one for one in console.cookies if one.startswith("vestibule_console")]
    written = attacked.everything_written()
    assert console.cookies[name].encode() not in written
    assert b"SECRET_TOKEN" not in re.sub(rb"Bearer SECRET_TOKEN|`?SECRET_TOKEN`? is accepted", b"", written)
