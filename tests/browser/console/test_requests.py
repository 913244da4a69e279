"""A developer: the first value comes in and is seen, a refusal is understood, and a false finding is let pass."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from vestibule.service_kit.auth.token_file import create_token

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

CARD = "card 4111 1111 1111 1111"
ROWS = "#live-rows tr"
SAID = "#live-said"
WITHIN_MS = 20_000


@pytest.fixture(scope="module")
def system(browser: Any, start_for_module: Any) -> Any:
    """A system of this module."""
    return start_for_module(VESTIBULE_CONSOLE="on")


@pytest.fixture(scope="module")
def developer(system: Any) -> httpx.Client:
    """What a developer's program sends with, as curl would."""
    token = create_token(system.data_dir / "keys" / "tokens.json", "orders-import", ["add", "read"])[0]
    return httpx.Client(base_url=system.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


@pytest.fixture
def signed_in(browser: Any, system: Any) -> Callable[..., Any]:
    """The function that opens a page of the console as somebody who has signed in."""

    @contextmanager
    def opened(path: str, token: str = "SECRET_TOKEN", **options: Any) -> Iterator[Any]:
        with browser.opened(f"{system.part_url(4)}{path}", **options) as tab:
            tab.page.fill("#token", token)
            tab.page.click("button.primary")
            tab.page.locator("header.bar").wait_for()
            yield tab

    return opened


@pytest.fixture
def add(developer: httpx.Client, wait_until: Any) -> Callable[..., httpx.Response]:
    """The function that adds a value; a new token is known after a moment."""

    def send(key: str, value: str) -> httpx.Response:
        def answered() -> httpx.Response | None:
            try:
                answer = developer.post("/add", json={"key": key, "value": value})
            except httpx.HTTPError:
                return None
            return None if answer.status_code in {401, 503} else answer

        return wait_until(answered, 60, "an answer")  # type: ignore[no-any-return]

    return send


def _text(page: Any, selector: str = "main") -> str:
    return " ".join(page.locator(selector).first.inner_text().split())


def _appears(page: Any, add: Callable[..., Any], text: str, value: str = "hello", key: str = "orders/1") -> None:
    """Add values until a row of the live view has a text: the first may be made before anybody is heard to listen."""
    for _ in range(20):
        add(key, value)
        try:
            page.locator(ROWS, has_text=text).first.wait_for(timeout=1500)
        except Exception:  # noqa: BLE001 - playwright's own, which is not there without it
            continue
        return
    pytest.fail(f"no row with {text!r}; the page says {_text(page)!r}")


def test_a_developer_sees_the_first_value_come_in_and_why_another_was_refused(
    signed_in: Any, add: Any, system: Any
) -> None:
    """From signing in to the rule that refused it, the receipt and the alert; over a restart of the client service."""
    with signed_in("/requests?live=1") as tab:
        page = tab.page
        page.locator(SAID, has_text="Every decision is shown").wait_for()
        assert "Nothing has been decided since you opened this page" in _text(page)
        _appears(page, add, "clean")
        row = page.locator(ROWS, has_text="clean").first
        assert "orders-import" in row.inner_text()
        _appears(page, add, "CREDIT_CARD", CARD)
        assert "4111" not in page.content()

        for process in system.processes("serve", "client"):
            process.send_signal(signal.SIGKILL)
        before = page.locator(ROWS).count()
        _appears(page, add, "IBAN_CODE", "pay to DE89370400440532013000")
        assert page.locator(ROWS).count() > before

        page.locator(ROWS, has_text="CREDIT_CARD").first.locator("th a").click()
        page.locator("h1", has_text="Request to /add").wait_for()
        told = _text(page)
        for part in ("blocked", "orders-import", "The policy blocked it", "CREDIT_CARD in value, score 1.00: block"):
            assert part in told, told
        assert page.locator("a[href^='/receipts/']").count()
        assert page.locator("main a[href^='/alerts/']").count() >= 2
        assert "4111" not in page.content()

        page.goto(f"{system.part_url(4)}/requests?entity=CREDIT_CARD&outcome=blocked")
        assert {"CREDIT_CARD"} == set(page.locator("tbody.rows td:nth-child(3) code").all_inner_texts())
        assert "Requests a minute" in _text(page)
        page.locator(".chart canvas").wait_for()
        page.fill("#entity", "no entity")
        page.click("form.filters button")
        assert "entity" in page.locator("[role=alert] code").all_inner_texts()
        assert "no entity" == page.input_value("#entity")


def test_a_busy_live_view_takes_a_sample_and_can_pause(
    signed_in: Any, developer: httpx.Client, wait_until: Any
) -> None:
    """It says how many there were, keeps a hundred rows, and nothing moves while it pauses."""
    is_over = threading.Event()

    def send() -> None:
        with httpx.Client(base_url=developer.base_url, headers=developer.headers, timeout=30) as own:
            while not is_over.is_set():
                own.post("/add", json={"key": "busy", "value": "hello"})

    senders = [threading.Thread(target=send) for _ in range(4)]
    with signed_in("/requests?live=1&route=%2Fadd") as tab:
        page = tab.page
        page.locator(SAID, has_text="Every decision").wait_for()
        for one in senders:
            one.start()
        try:
            page.locator(SAID, has_text="Showing 5 of").wait_for(timeout=WITHIN_MS)
            page.evaluate("document.getElementById('live-rows').dataset.keep = 10")
            wait_until(lambda: page.locator(ROWS).count() == 10, 20, "ten rows")
            page.click("#live-pause")
            page.locator(SAID, has_text="Paused").wait_for()
            first = page.locator(ROWS).first.locator("a").first.get_attribute("href")
            wait_until(lambda: "Paused; 0 " not in page.locator(SAID).inner_text(), 20, "decisions meanwhile")
            assert first == page.locator(ROWS).first.locator("a").first.get_attribute("href")
            page.click("#live-pause")
            page.locator(SAID, has_text="Showing 5 of").wait_for(timeout=WITHIN_MS)
        finally:
            is_over.set()
            for one in senders:
                one.join()
        page.locator(SAID, has_text="Every decision").wait_for(timeout=WITHIN_MS)
        assert [] == tab.complaints


def test_a_page_that_is_left_frees_its_stream(signed_in: Any, add: Any) -> None:
    """A token may have twenty at once; whoever opens the page more often has one."""
    with signed_in("/requests?live=1") as tab:
        for _ in range(22):
            tab.page.reload()
            tab.page.locator(SAID, has_text="Every decision").wait_for()
        _appears(tab.page, add, "clean")
        assert [] == tab.complaints


def test_a_false_finding_is_let_pass(signed_in: Any, add: Any, wait_until: Any) -> None:
    """From the table of findings to the value that comes in; the console never has the value."""
    value = "call +44 20 7946 0958"
    assert 422 == add("orders/2", value).status_code
    with signed_in("/findings?entity=PHONE_NUMBER") as tab:
        page = tab.page

        def is_listed() -> bool:
            page.reload()
            return "Let this value pass" in _text(page)

        wait_until(is_listed, 60, "the finding", every_s=0.5)
        assert "PHONE_NUMBER block" in _text(page, "table.heat")
        assert "orders-import" in _text(page, "section[aria-labelledby=by-token]")
        draft = page.get_by_role("link", name="Draft a rule").get_attribute("href")
        assert "/policy/draft?entity=PHONE_NUMBER&action=block" == draft
        page.locator("summary", has_text="Let this value pass").first.click()
        page.get_by_label("Reason").first.fill("the number of our own hotline")
        page.get_by_role("button", name="Let it pass").first.click()
        page.locator("#notices", has_text="The value passes as PHONE_NUMBER").wait_for()
        assert page.url.endswith("entity=PHONE_NUMBER")
        wait_until(lambda: add("orders/2", value).status_code == 200, 10, "the value to pass")
        assert "7946" not in page.content()
        assert [] == tab.complaints


def test_without_scripts_the_past_is_there_and_the_live_view_says_what_it_needs(signed_in: Any, add: Any) -> None:
    """With its table in place of the curve."""
    add("orders/3", CARD)
    with signed_in("/requests?live=1", java_script_enabled=False) as tab:
        assert "The live view needs scripts" in _text(tab.page)
        assert not tab.page.locator("#live-pause").is_visible()
        tab.page.get_by_role("link", name="past decisions").click()
        tab.page.locator("summary", has_text="As a table").click()
        assert "Minute (UTC)" in _text(tab.page)
        tab.page.select_option("#outcome", "blocked")
        tab.page.click("form.filters button")
        tab.page.locator("tbody.rows th a").first.click()
        assert "The policy blocked it" in _text(tab.page)


def test_a_token_without_the_scope_is_told_which_it_needs(signed_in: Any, system: Any) -> None:
    """On each page; the live view does not even try."""
    path = system.data_dir / "keys" / "tokens.json"
    token = create_token(path, "looks-at-alerts", ["alerts"])[0]
    httpx.get(f"{system.url}/tokens/self", headers={"Authorization": f"Bearer {token}"})
    with signed_in("/requests", token) as tab:
        for address, count in (("/requests", 2), ("/requests?live=1", 2), ("/findings", 4)):
            tab.page.goto(f"{system.part_url(4)}{address}")
            assert count == _text(tab.page).count("it needs the scope decisions"), address
        tab.page.goto(f"{system.part_url(4)}/requests/unknown")
        assert "trace" in _text(tab.page)
