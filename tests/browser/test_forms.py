"""The pages of docs/forms.md in a real browser: served from an origin of their own, they send forms to the service."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from vestibule.service_kit.auth.token_file import create_token

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

GUIDE = (Path(__file__).parents[2] / "docs" / "forms.md").read_text()
POLICY, PAGES = (re.findall(rf"```{kind}\n(.*?)```", GUIDE, re.DOTALL) for kind in ("toml", "html"))
MAIL = "jane.roe.4410@example.org"
SEND_JSON = """async ([address, token, form]) => {
  const headers = {Authorization: `Bearer ${token}`, "Content-Type": "application/json"};
  const answer = await fetch(address, {method: "POST", headers, body: JSON.stringify(form)}).catch(() => null);
  return answer && [answer.status, await answer.json(), answer.headers.get("Retry-After")];
}"""


class Pages:
    """A small web server, which is another origin than the service."""

    def __init__(self) -> None:
        self.bodies: dict[str, str] = {}
        pages = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = pages.bodies.get(self.path, "").encode()
                self.send_response(200 if content else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.origin = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    """The server of the pages."""
    server = Pages()
    yield server
    server.close()


@pytest.fixture(scope="module")
def stranger() -> Iterator[Pages]:
    """A server of pages that may not send the forms."""
    server = Pages()
    yield server
    server.close()


@pytest.fixture(scope="module")
def own(pages: Pages, stranger: Pages, start_for_module: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A system with the forms of the guide, and the guide's pages on both servers."""
    policy = tmp_path_factory.mktemp("policy") / "policy.toml"
    policy.write_text(POLICY[0].replace("https://www.example.org", pages.origin))
    system = start_for_module(VESTIBULE_POLICY_FILE=str(policy))
    system.token, _ = create_token(system.data_dir / "keys" / "tokens.json", "website", ["forms"])
    here = [page.replace("https://intake.example.org", system.url).replace("TOKEN", system.token) for page in PAGES]
    for server in (pages, stranger):
        server.bodies |= {"/contact.html": here[0], "/newsletter.html": here[1], "/again.html": "<h1>Again</h1>"}
        server.bodies["/thanks.html"] = "<h1>Thanks</h1>"
    return system


def _stored(own: Any, form: str) -> list[dict[str, Any]]:
    keys = own.http.get("/keys", params={"prefix": f"forms/{form}/"}).json()["keys"]
    return [json.loads(own.http.get("/read", params={"key": key}).json()["value"]) for key in keys]


def test_a_refused_field_is_shown_beside_it_and_the_rest_is_stored(own: Any, pages: Pages, browser: Any) -> None:
    """FormData from another origin: an address in the message is refused there, and without it all is stored."""
    with browser.opened(f"{pages.origin}/contact.html") as tab:
        page = tab.page
        page.fill("[name=name]", "Jürgen & Söhne")
        page.fill("[name=email]", MAIL)
        page.fill("[name=message]", f"Please write to {MAIL}")
        page.click("button")
        page.locator("#outcome:has-text('not sent')").wait_for()
        assert "Please leave out: EMAIL_ADDRESS" == page.inner_text("[data-for=message]")
        assert "" == page.inner_text("[data-for=email]")
        page.fill("[name=message]", "Please call back.")
        page.click("button")
        page.locator("#outcome:has-text('Thank you')").wait_for()
        page.click("button")
        page.locator("[data-for=name]:has-text('Please give')").wait_for()
    (stored,) = _stored(own, "contact")
    assert ["name", "email", "message"] == list(stored)
    assert ("Jürgen & Söhne", "Please call back.") == (stored["name"], stored["message"])
    assert stored["email"].startswith("<EMAIL_ADDRESS.v1.")


def test_a_page_may_send_json_and_read_refusals(own: Any, pages: Pages, browser: Any) -> None:
    """Also those of the token and of the scope: each is a problem document that the page can read."""
    with browser.opened(f"{pages.origin}/thanks.html") as tab:

        def send(token: str, form: str = "contact") -> Any:
            sent = {"name": "Jane", "message": "hello", "email": None}
            return tab.page.evaluate(SEND_JSON, [f"{own.url}/forms/{form}", token, sent])

        status, reply, _ = send(own.token)
        assert (201, []) == (status, reply["findings"])
        status, problem, _ = send("unknown")
        assert (401, "/problems/invalid-token") == (status, problem["type"])
        # No other route, and no form that is not defined, can be read by a page.
        assert send(own.token, "nil") is None
        assert tab.page.evaluate(SEND_JSON, [f"{own.url}/scan", own.token, {"text": "x"}]) is None


def test_a_form_without_script_goes_on_to_the_pages_of_its_definition(own: Any, pages: Pages, browser: Any) -> None:
    """To one after what was stored, to the other after what was refused; the browser sends the origin by itself."""
    with browser.opened(f"{pages.origin}/newsletter.html", java_script_enabled=False) as tab:
        tab.page.fill("[name=name]", "Jane")
        tab.page.fill("[name=wishes]", "More about tea,\nplease.")
        tab.page.click("button")
        tab.page.wait_for_url(f"{pages.origin}/thanks.html")
        tab.page.goto(f"{pages.origin}/newsletter.html")
        tab.page.fill("[name=name]", "Jane")
        tab.page.fill("[name=wishes]", f"write to {MAIL}")
        tab.page.click("button")
        tab.page.wait_for_url(f"{pages.origin}/again.html")
    assert [{"name": "Jane", "wishes": "More about tea,\r\nplease."}] == _stored(own, "newsletter")


def test_a_page_of_another_origin_is_refused(own: Any, stranger: Pages, browser: Any) -> None:
    """By script the browser sends nothing, and without it nothing is stored."""
    before = [_stored(own, form) for form in ("contact", "newsletter")]
    with browser.opened(f"{stranger.origin}/contact.html") as tab:
        tab.page.fill("[name=name]", "Mallory")
        tab.page.fill("[name=message]", "hello")
        tab.page.click("button")
        tab.page.locator("#outcome:has-text('try again later')").wait_for()
        assert any("CORS" in text for text in tab.complaints)
    with browser.opened(f"{stranger.origin}/newsletter.html", java_script_enabled=False) as tab:
        tab.page.fill("[name=name]", "Mallory")
        tab.page.click("button")
        tab.page.wait_for_url(f"{own.url}/forms/newsletter")
        assert "origin-refused" in tab.page.inner_text("body")
    assert before == [_stored(own, form) for form in ("contact", "newsletter")]
