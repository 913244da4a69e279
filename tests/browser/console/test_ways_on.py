"""What people get to read, and where they go from there, when their role or their input is refused."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def running(browser: Any, start_for_module: Any) -> Any:
    """A system with the console."""
    return start_for_module(VESTIBULE_CONSOLE="on")


@contextmanager
def _signed_in(browser: Any, running: Any, path: str, role: str) -> Iterator[Any]:
    made = running.http.post("/tokens", json={"name": role, "role": role}).raise_for_status().json()
    with browser.opened(f"{running.part_url(4)}/sign-in?next={path}") as tab:
        tab.page.fill("#token", made["token"])
        tab.page.click("button.primary")
        tab.page.wait_for_url(f"**{path}")
        tab.token = made["token"]
        yield tab


def _add(running: Any, token: str, value: str) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    return running.http.post("/add", params={"key": "note", "value": value}, headers=headers)


def test_a_developer_sees_why_a_value_was_refused(browser: Any, running: Any) -> None:
    """With the role alone: the request appears live, and its page says what was found and which rule it was."""
    with _signed_in(browser, running, "/requests?live=1", "developer") as tab:
        row = tab.page.locator("#live-rows a[href^='/requests/']").first
        for _ in range(20):
            assert 422 == _add(running, tab.token, "write to jane@example.org").status_code
            tab.page.wait_for_timeout(500)
            # The first may be sent before anybody is heard to listen.
            if row.count():
                break
        row.click()
        tab.page.wait_for_url("**/requests/*")
        happened = tab.page.locator("main").inner_text()
        assert "EMAIL_ADDRESS in value" in happened
        assert "Nothing was stored or processed." in happened


def _silence(tab: Any, reason: str) -> None:
    tab.page.locator("summary", has_text="Add a silence").click()
    tab.page.locator("details[open] select[name=type]").select_option("PersonalData")
    tab.page.locator("details[open] [name=reason]").fill(reason)
    tab.page.locator("details[open] button.primary").click()


def test_a_refused_form_leads_back_to_its_page(browser: Any, running: Any) -> None:
    """So does one whose session had ended: after signing in the same page is there, and nothing was done."""
    with _signed_in(browser, running, "/alerts/silences?of=now", "on-call") as tab:
        _silence(tab, "a\u202eb")
        said = tab.page.locator("main").inner_text()
        assert "reason: must consist of printable characters" in said
        assert "body/" not in said
        tab.page.get_by_role("link", name="Back to the page").click()
        tab.page.wait_for_url("**/alerts/silences?of=now")
        tab.page.context.clear_cookies()
        _silence(tab, "deploying")
        assert "What you sent was not done" in tab.page.locator("#said").inner_text()
        tab.page.fill("#token", tab.token)
        tab.page.click("button.primary")
        tab.page.wait_for_url("**/alerts/silences?of=now")
        assert "No silence is in force" in tab.page.locator("main").inner_text()


def test_an_id_that_cannot_be_one_is_not_found(browser: Any, running: Any) -> None:
    """A person learns to copy all of it, and no pattern."""
    with _signed_in(browser, running, "/alerts", "on-call") as tab:
        answer = tab.page.goto(f"{running.part_url(4)}/alerts/groups/9a76fd8275cf19f")
        assert 404 == answer.status
        assert "Copy all of it" in tab.page.locator("main").inner_text()
