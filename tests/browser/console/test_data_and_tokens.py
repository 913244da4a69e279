"""The store, subjects, tokens and receipts of the console in a real browser, from sign-in to end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

POLICY = """
[entities]
EMAIL_ADDRESS = "tokenize"

[[rules]]
key_prefixes = ["drafts/"]
entities = ["EMAIL_ADDRESS"]
action = "alert"
"""
PERSON = "jane.roe.4711@example.org"
STORED = "a stored value of nobody"


@pytest.fixture(scope="module")
def running(browser: Any, start_for_module: Any, tmp_path_factory: Any) -> Any:
    """A system that stores addresses, with some entries."""
    policy = tmp_path_factory.mktemp("policy") / "policy.toml"
    policy.write_text(POLICY)
    system = start_for_module(VESTIBULE_CONSOLE="on", VESTIBULE_POLICY_FILE=str(policy))
    for version in (1, 2, 3):
        assert 200 == system.add("notes/today", f"{STORED} {version}").status_code
    return system


def _token(running: Any, **terms: Any) -> dict[str, Any]:
    made: dict[str, Any] = running.http.post("/tokens", json={"name": "a person", **terms}).raise_for_status().json()
    return made


@contextmanager
def _signed_in(browser: Any, running: Any, path: str, token: str = "SECRET_TOKEN", **options: Any) -> Iterator[Any]:
    with browser.opened(f"{running.part_url(4)}/sign-in?next={path}", **options) as tab:
        tab.page.fill("#token", token)
        tab.page.click("button.primary")
        tab.page.wait_for_url(f"**{path}")
        yield tab


def _press(tab: Any, name: str) -> None:
    tab.page.get_by_role("button", name=name, exact=True).click()


def _open(tab: Any, name: str) -> None:
    tab.page.locator("summary", has_text=name).first.click()


def _left_behind(tab: Any) -> str:
    """What a value may not be in: addresses of requests, and cookies."""
    return " ".join([*tab.addresses, *(cookie["value"] for cookie in tab.page.context.cookies())])


def test_a_person_is_found_erased_and_the_receipt_holds(browser: Any, running: Any, tmp_path: Path) -> None:
    """The story of a privacy lead: find, preview, erase, download the receipt, verify it."""
    for key in ("drafts/mail", "customers/9"):
        assert 200 == running.add(key, f"write to {PERSON} today").status_code
    lead = _token(running, role="privacy")
    with _signed_in(browser, running, "/subjects", lead["token"]) as tab:
        tab.page.fill("#find-value", PERSON)
        tab.page.fill("#find-reason", "request 4711")
        _press(tab, "Find")
        tab.page.get_by_text("finished").wait_for()
        assert tab.page.get_by_role("link", name="drafts/mail").is_visible()
        assert "token, within a longer text" in tab.page.locator("tr", has_text="customers/9").inner_text()

        tab.page.fill("#preview-value", PERSON)
        tab.page.fill("#preview-reason", "erasure 4711")
        _press(tab, "Preview the erasure")
        tab.page.get_by_text("Nothing has been erased").wait_for()
        tab.page.get_by_text("finished").wait_for()
        assert 200 == running.http.get("/read", params={"key": "drafts/mail"}).status_code

        tab.page.fill("#erase-value", PERSON)
        tab.page.fill("#erase-reason", "erasure 4711")
        _press(tab, "Erase everywhere")
        tab.page.locator("pre.receipt").wait_for()
        assert 404 == running.http.get("/read", params={"key": "drafts/mail"}).status_code
        with tab.page.expect_download() as downloading:
            tab.page.get_by_role("link", name="Download the receipt").click()
        assert downloading.value.suggested_filename.endswith(".jws")
        downloading.value.save_as(tmp_path / "receipt.jws")
        receipt = (tmp_path / "receipt.jws").read_text()

        _press(tab, "Verify it")
        assert "The receipt is valid" == tab.page.locator("#verdict").inner_text()
        tab.page.goto(f"{running.part_url(4)}/receipts")
        head, payload, signature = receipt.split(".")
        for text, verdict in ((receipt, "is valid"), (f"{head}.{payload[:-8]}AAAAAAAA.{signature}", "does not hold")):
            tab.page.fill("#receipt", text)
            _press(tab, "Verify")
            tab.page.get_by_role("heading", name=verdict).wait_for()
        assert [] == tab.complaints
        assert "jane.roe" not in _left_behind(tab)
    assert b"jane.roe" not in running.everything_written()


def test_a_value_is_shown_after_its_alert_and_leaves(browser: Any, running: Any) -> None:
    """It is in no address, cookie or log, and not on the page when nobody looks at it."""
    with _signed_in(browser, running, "/store") as tab:
        tab.page.get_by_role("link", name="notes/").click()
        tab.page.get_by_role("link", name="today").click()
        assert STORED not in tab.page.content()
        _open(tab, "Reveal the value")
        tab.page.fill("#reason", "ticket 4711")
        tab.page.select_option("#version", "2")
        _press(tab, "Reveal")
        tab.page.locator("pre.value").wait_for()
        assert f"{STORED} 2" == tab.page.locator("pre.value").inner_text()
        assert tab.page.url.endswith("/store/entry?key=notes%2Ftoday")
        (alert,) = running.http.get("/alerts", params={"type": "Reveal", "q": "ticket 4711"}).json()["alerts"]
        assert "Reveal of the entry notes/today in version 2; reason given: ticket 4711" == alert["description"]

        tab.page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
        tab.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        assert STORED not in tab.page.content()
        assert [] == tab.complaints
        tab.page.fill("#reason", "asked by john.doe@example.org")
        _press(tab, "Reveal")
        tab.page.locator("#notices", has_text="EMAIL_ADDRESS").wait_for()
        assert STORED not in tab.page.content() + _left_behind(tab)
    assert STORED.encode() not in running.everything_written()


def test_a_version_is_restored_and_an_entry_deleted(browser: Any, running: Any) -> None:
    """A restored value is a new version; one that somebody else changed meanwhile is left alone."""
    for value in ("first", "second"):
        running.add("notes/old", value)
    with _signed_in(browser, running, "/store/entry?key=notes/old") as tab:
        _open(tab, "Restore")
        _press(tab, "Restore version 1")
        tab.page.get_by_text("is now version 3").wait_for()
        assert ("first", 3) == tuple(
            running.http.get("/read?key=notes/old").json()[one] for one in ("value", "version")
        )
        assert "another value of the same size" not in tab.page.locator("tbody tr").first.inner_text()
        assert "1 B shorter" in tab.page.locator("tbody tr").first.inner_text()

        running.add("notes/old", "third")
        _open(tab, "Delete")
        _press(tab, "Delete it with all versions")
        assert "The entry has another version" == tab.page.locator("h1").inner_text()
        tab.page.goto(f"{running.part_url(4)}/store/entry?key=notes/old")
        _open(tab, "Delete")
        _press(tab, "Delete it with all versions")
        tab.page.get_by_text("The entry was deleted.").wait_for()
    assert 404 == running.http.get("/read?key=notes/old").status_code


def test_it_works_without_scripts(browser: Any, running: Any) -> None:
    """A revealed value is a page of its own, which no cache keeps; a search is at its address."""
    with _signed_in(browser, running, "/store/entry?key=notes/today", java_script_enabled=False) as tab:
        _open(tab, "Reveal the value")
        tab.page.fill("#reason", "without scripts")
        with tab.page.expect_response("**/store/entry/reveal") as answered:
            _press(tab, "Reveal")
        assert "no-store" == answered.value.headers["cache-control"]
        assert f"{STORED} 3" == tab.page.locator("pre.value").inner_text()
        tab.page.goto(f"{running.part_url(4)}/subjects")
        tab.page.fill("#find-value", "nobody.has@example.net")
        tab.page.fill("#find-reason", "without scripts")
        _press(tab, "Find")
        tab.page.wait_for_url("**/subjects/finds/*")
        tab.page.get_by_text("Nothing was found").wait_for()


def test_a_token_is_made_rotated_and_revoked(browser: Any, running: Any, wait_until: Any) -> None:
    """Each secret is shown once, works at once, and is in no address, cookie or log."""
    with _signed_in(browser, running, "/tokens") as tab:
        tab.page.get_by_role("link", name="New token").click()
        tab.page.fill("#name", "importer")
        tab.page.check("input[name=scope-keys]")
        tab.page.fill("#requests_per_minute", "600")
        _press(tab, "Create the token")
        first = tab.page.locator("#secret").inner_text()
        assert 200 == running.client(first).get("/keys").status_code
        assert 403 == running.client(first).get("/tokens").status_code
        tab.page.get_by_role("link", name="Done").click()
        assert first not in tab.page.content()
        _open(tab, "Rotate")
        _press(tab, "Make a new one")
        second = tab.page.locator("#secret").inner_text()
        assert first != second
        assert 200 == running.client(second).get("/keys").status_code
        tab.page.get_by_role("link", name="Done").click()
        _open(tab, "Revoke")
        _press(tab, "Revoke it for good")
        tab.page.get_by_text("The token is revoked").wait_for()
        assert 401 == running.client(second).get("/keys").status_code
        assert not tab.page.get_by_role("link", name="importer").count()

        # A line arrives within two seconds of the act.
        wait_until(lambda: running.http.get("/audit", params={"act": "token_revoked"}).json()["lines"], 20, "its line")
        tab.page.goto(f"{running.part_url(4)}/tokens/audit?act=token_revoked")
        assert [] == tab.complaints
        row = tab.page.locator("tbody tr").first
        assert "done" in row.inner_text()
        row.locator("td[data-label=About] a").click()
        tab.page.get_by_text("No token has this id: it was revoked").wait_for()
        assert not {first, second} & set(_left_behind(tab).split())
    written = running.everything_written()
    assert first.encode() not in written
    assert second.encode() not in written


def test_nobody_revokes_their_own_token_by_mistake(browser: Any, running: Any) -> None:
    """It takes a tick, also where the browser does not ask for it; then the person is signed out."""
    own = _token(running, scopes=["tokens"])
    with _signed_in(browser, running, f"/tokens/{own['id']}", own["token"]) as tab:
        tab.page.evaluate("document.querySelector('[name=is_own]').required = false")
        _open(tab, "Revoke")
        _press(tab, "Revoke it for good")
        assert "This is your own token" == tab.page.locator("h1").inner_text()
        tab.page.go_back()
        _open(tab, "Revoke")
        tab.page.check("[name=is_own]")
        _press(tab, "Revoke it for good")
        tab.page.wait_for_url("**/sign-in*")


def test_a_page_names_the_scope_that_is_missing(browser: Any, running: Any) -> None:
    """And shows the rest; nothing fails."""
    viewer = _token(running, scopes=["keys"])
    pages = {
        "/store/entry?key=notes/today": ("read", "reveal"),
        "/subjects": ("find", "erase"),
        "/subjects/record": ("records",),
        "/tokens": ("tokens",),
        "/tokens/new": ("tokens",),
        f"/tokens/{viewer['id']}": ("tokens", "alerts", "decisions", "audit"),
        "/tokens/audit": ("audit",),
        "/receipts": ("receipts",),
    }
    with _signed_in(browser, running, "/store", viewer["token"]) as tab:
        assert tab.page.get_by_role("link", name="notes/").is_visible()
        for path, scopes in pages.items():
            tab.page.goto(running.part_url(4) + path)
            named = tab.page.locator("main code").all_inner_texts()
            assert set(scopes) <= set(named), path
        assert [] == tab.complaints
