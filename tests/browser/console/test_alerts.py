"""Somebody on call: from the link of a notification to the end of a silence; and what an overview is for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from servers.receivers import HttpReceiver, running
from vestibule.service_kit.auth.token_file import create_token

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

OPENED = "PersonalData from {}"


@pytest.fixture(scope="module")
def hook() -> Iterator[HttpReceiver]:
    """The server that is notified."""
    with running(HttpReceiver()) as server:
        yield server


@pytest.fixture(scope="module")
def system(browser: Any, start_for_module: Any, hook: HttpReceiver) -> Any:
    """A system that notifies it at once."""
    return start_for_module(
        VESTIBULE_CONSOLE="on",
        VESTIBULE_ALERT_CHANNELS='["report_file","webhook"]',
        VESTIBULE_ALERT_EGRESS_SCHEMES='["http"]',
        VESTIBULE_ALERT_EGRESS_PRIVATE="true",
        VESTIBULE_ALERT_WEBHOOK_URL=hook.url("/hook"),
        VESTIBULE_ALERT_WEBHOOK_SECRET="a-secret-4711",
        VESTIBULE_ALERT_GROUP_WAIT_S="0.1",
        VESTIBULE_PROBE_INTERVAL_S="0.5",
    )


@pytest.fixture
def token_of(system: Any, wait_until: Any) -> Callable[..., str]:
    """The function that makes a token, which is known when it returns."""

    def create(name: str, *scopes: str) -> str:
        token = create_token(system.data_dir / "keys" / "tokens.json", name, list(scopes))[0]
        headers = {"Authorization": f"Bearer {token}"}
        wait_until(lambda: httpx.get(f"{system.url}/tokens/self", headers=headers).status_code != 401, what="the token")
        return str(token)

    return create


@pytest.fixture
def leak(system: Any) -> Callable[..., str]:
    """The function that sends personal data, and returns the id of the alert."""

    def send(token: str, value: str = "write to jane.roe.0042@example.org") -> str:
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.post(f"{system.url}/add", json={"key": "note", "value": value}, headers=headers, timeout=40)
        return str(answer.json()["alert_id"])

    return send


@pytest.fixture
def signed_in(browser: Any, system: Any) -> Callable[..., Any]:
    """The function that opens a page as somebody who has to sign in first."""

    @contextmanager
    def sign_in(address: str, token: str = "SECRET_TOKEN", **options: Any) -> Iterator[Any]:
        url = address if address.startswith("http") else system.part_url(4) + address
        with browser.opened(url, **options) as tab:
            tab.page.get_by_label("Token").fill(token)
            tab.page.get_by_role("button", name="Sign in").click()
            tab.page.wait_for_url(url)
            yield tab

    return sign_in


def _act(page: Any, name: str, button: str, **fields: str) -> str:
    """Open an action, fill in its form and send it; return what the page says then."""
    action = page.locator("details.action").filter(has=page.locator("summary", has_text=name)).first
    action.locator("summary").click()
    for label, value in fields.items():
        action.get_by_label(label.replace("_", " ").capitalize(), exact=True).fill(value)
    action.get_by_role("button", name=button).click()
    return str(page.locator("#notices .notice").inner_text())


def _told(hook: HttpReceiver, group_id: str, event: str) -> Any:
    found = [one.json for one in list(hook.posted) if one.json.get("group_id") == group_id]
    return next((one for one in found if one["event"] == event), None)


def test_a_notification_leads_whoever_is_on_call_to_the_end(
    *, system: Any, hook: HttpReceiver, token_of: Any, leak: Any, signed_in: Any, wait_until: Any
) -> None:
    """The link opens the group after the sign-in: whose token, which request; silence it, acknowledge it, end that."""
    group_id = leak(token_of("orders", "add"))
    told = wait_until(lambda: _told(hook, group_id, "raised"), what="the notification")
    assert f"{system.part_url(4)}/alerts/groups/{group_id}" == told["link"]
    with signed_in(told["link"]) as tab:
        page = tab.page
        assert OPENED.format("orders") == page.locator("h1").inner_text()
        assert page.locator(f'a[href="/tokens/{told["token_id"]}"]').count()
        assert page.locator(f'a[href="/requests/{told["request_id"]}"]').count()
        assert page.locator("section", has_text="Notifications").get_by_text("webhook").count()
        assert "Silenced" in _act(page, "Silence", "Silence", reason="the import runs")
        assert "the development token silences type PersonalData, token orders" in page.locator(".silence").inner_text()
        assert "Acknowledged" in _act(page, "Acknowledge", "Acknowledge", reason="looking into it")
        assert "Resolved" in _act(page, "Resolve", "Resolve", reason="the import was mended")
        history = page.locator(".timeline").first.inner_text()
        assert all(reason in history for reason in ("looking into it", "the import was mended"))

        def is_held_back() -> bool:
            page.reload()
            return "resolved" in page.locator('section[aria-labelledby="held"]').inner_text()

        wait_until(is_held_back, what="the notification of the end, held back")
        assert _told(hook, group_id, "resolved") is None
        page.get_by_role("button", name="End now").click()
        assert "what it held back is sent" in page.locator("#notices .notice").inner_text()
        wait_until(lambda: _told(hook, group_id, "resolved"), what="the notification of the end")
        page.goto(system.part_url(4) + "/alerts/silences")
        assert "the import runs" in page.locator('section[aria-labelledby="ended"]').inner_text()
        page.goto(system.part_url(4) + f"/alerts?state=resolved&token={told['token_id']}")
        assert 1 == page.locator("tbody tr").count()
        assert [] == tab.complaints


def test_a_false_alarm_is_let_pass(system: Any, token_of: Any, leak: Any, signed_in: Any, wait_until: Any) -> None:
    """The value of an alert passes from then on; the alert is found by its id in the list of alerts."""
    value = "write to our.own.address@example.org"
    alert_id = leak(token_of("website", "add"), value)
    with signed_in(f"/alerts/list?q={alert_id}") as tab:
        tab.page.locator("tbody a").first.click()
        assert OPENED.format("website") == tab.page.locator("h1").inner_text()
        assert "passes" in _act(tab.page, "Let this value pass", "Let it pass", reason="it is public", hours="1")
        assert [] == tab.complaints
    wait_until(lambda: system.add("note", value).status_code == 200, what="the allowance")


def test_a_channel_is_tested_where_it_stands(hook: HttpReceiver, signed_in: Any) -> None:
    """The outcome stands beside the button, and the receiver gets a link to the same page."""
    with signed_in("/alerts/channels") as tab:
        card = tab.page.locator("section", has=tab.page.get_by_role("heading", name="webhook"))
        card.get_by_role("button", name="Send a test").click()
        card.locator(".notice.good").wait_for()
        assert [tab.page.url] == [one.json["link"] for one in hook.posted if one.json["type"] == "Test"]
        assert [] == tab.complaints


def test_the_overview_is_the_one_of_now(token_of: Any, leak: Any, signed_in: Any) -> None:
    """What happens meanwhile appears by itself, and whoever uses the keyboard stays where they are."""
    with signed_in("/") as tab:
        dead = tab.page.locator("a.figure", has_text="Dead tasks")
        dead.focus()
        leak(token_of("billing", "add"))
        tab.page.locator("tbody tr", has_text="billing").wait_for()
        assert "/tasks/dead" == tab.page.evaluate("document.activeElement.getAttribute('href')")
        assert tab.page.locator("svg.history").count() >= 6
        tab.page.locator("tbody tr", has_text="billing").locator("th a").click()
        assert OPENED.format("billing") == tab.page.locator("h1").inner_text()
        assert [] == tab.complaints


def test_windows_and_heartbeats_end_by_hand(system: Any, signed_in: Any) -> None:
    """A maintenance window is added and ended, a heartbeat is deleted; both without scripts."""
    headers = {"Authorization": "Bearer SECRET_TOKEN"}
    httpx.post(f"{system.part_url(3)}/heartbeats/nightly-backup", headers=headers).raise_for_status()
    with signed_in("/availability?over=month", java_script_enabled=False) as tab:
        page = tab.page
        assert "planned" in _act(page, "Add a maintenance window", "Add the window", reason="new disks")
        assert "Maintenance is in progress." == page.locator("p.notice.info").inner_text()
        page.locator("tr", has_text="new disks").get_by_role("button", name="End now").click()
        assert "over" in page.locator("#notices .notice").inner_text()
        page.locator("tr", has_text="nightly-backup").get_by_role("button", name="Delete").click()
        assert "not expected" in page.locator("#notices .notice").inner_text()
        assert 0 == page.locator("tr", has_text="nightly-backup").count()


def test_a_token_sees_its_part_and_what_it_lacks(token_of: Any, leak: Any, signed_in: Any) -> None:
    """With the scope `status` alone the overview shows the parts, and says which scope each other figure needs."""
    with signed_in("/", token_of("screen", "status")) as tab:
        assert tab.page.locator("svg.history").count() >= 6
        assert "needs the scope alerts" in tab.page.locator(".figure", has_text="Open alerts").inner_text()
        for address in ("/alerts", "/alerts/list", "/alerts/silences", "/alerts/channels"):
            tab.page.goto(tab.page.url.partition("/alerts")[0].rstrip("/") + address)
            assert "it needs the scope alerts" in tab.page.locator(".empty").first.inner_text()
