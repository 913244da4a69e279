"""The HTML pages in a real browser on a running system: API reference, status page, problem types."""

import signal
from typing import Any
from urllib.parse import urlsplit

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

WITHIN_S = 60
GROUND = "getComputedStyle(document.body).backgroundColor"
OVERHANG = "document.documentElement.scrollWidth - window.innerWidth"


@pytest.fixture(params=["status", "docs", "problems", "problem"])
def url(request: Any, watched: Any) -> str:
    """The address of one of the pages."""
    addresses = {
        "status": f"{watched.part_url(3)}/status/page",
        "docs": f"{watched.url}/docs",
        "problems": f"{watched.url}/problems",
        "problem": f"{watched.url}/problems/personal-data",
    }
    return addresses[request.param]


def _lightness(tab: Any) -> int:
    return sum(int(number) for number in tab.page.evaluate(GROUND)[4:-1].split(","))


def test_a_page_needs_nothing_from_elsewhere(browser: Any, url: str) -> None:
    """No request goes to another server, and the browser has nothing to complain of, its policy included."""
    with browser.opened(url) as tab:
        tab.page.wait_for_load_state("networkidle")
        assert tab.page.locator("h1").inner_text()
        assert {urlsplit(url).netloc} == {urlsplit(one).netloc for one in tab.addresses if not one.startswith("data:")}
        assert [] == tab.complaints


def test_a_page_is_light_or_dark_as_its_reader_likes(browser: Any, url: str) -> None:
    """Whoever has the system in dark colours is not blinded at night, and can read what stands there."""
    with browser.opened(url, color_scheme="light") as light, browser.opened(url, color_scheme="dark") as dark:
        for tab in (light, dark):
            tab.page.locator("h1").wait_for()
        assert _lightness(light) > 600
        assert _lightness(dark) < 150
        ink = "getComputedStyle(document.querySelector('h1')).color"
        assert light.page.evaluate(ink) != dark.page.evaluate(ink)


@pytest.mark.parametrize("width", [320, 390, 1280, 1920])
def test_a_page_fits_a_window_of_any_width(browser: Any, url: str, width: int) -> None:
    """Nobody has to push the page to and fro, on a telephone neither."""
    with browser.opened(url, width=width) as tab:
        tab.page.locator("h1").wait_for()
        assert tab.page.evaluate(OVERHANG) <= 0


@pytest.mark.parametrize("url", ["status", "problems", "problem"], indirect=True)
def test_a_page_works_without_scripts(browser: Any, url: str) -> None:
    """Without scripts a page shows the same; only the API reference needs them (`test_api_reference.py`)."""
    with browser.opened(url) as with_scripts, browser.opened(url, java_script_enabled=False) as without:
        for tag in ("h1", "h2", "h3"):
            expected = with_scripts.page.locator(tag).all_inner_texts()
            assert expected == without.page.locator(tag).all_inner_texts()


def test_the_list_of_problem_types_leads_to_each_and_back(browser: Any, watched: Any) -> None:
    """Each entry opens the page of its type, which leads back to the list and to the API reference."""
    with browser.opened(f"{watched.url}/problems") as tab:
        tab.page.get_by_role("link", name="Key not found").click()
        assert tab.page.locator("h1").inner_text() == "Key not found"
        assert '"type": "/problems/key-not-found"' in tab.page.locator("pre").inner_text()
        tab.page.get_by_role("link", name="API reference").click()
        tab.page.wait_for_url("**/docs")
        tab.page.go_back()
        tab.page.get_by_role("link", name="Problem types").click()
        assert tab.page.locator("h1").inner_text() == "Problem types"
        assert [] == tab.complaints


def test_the_status_page_shows_what_happens(browser: Any, watched: Any, wait_until: Any) -> None:
    """A page that is left open turns red when a part does not answer, says since when, and recovers with it."""

    def headline() -> str:
        # What the page does by itself every 15 seconds it does at once for somebody who comes back to it.
        tab.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        return str(tab.page.locator("h1").inner_text())

    with browser.opened(f"{watched.part_url(3)}/status/page") as tab:
        wait_until(lambda: headline() == "All systems operational", WITHIN_S, "all parts up")
        calm = tab.page.locator("link[rel=icon]").get_attribute("href")
        assert 7 <= tab.page.locator(".parts > li.up").count()

        logic, *_ = watched.processes("serve", "business-logic")
        logic.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: headline() == "Business logic service is down", WITHIN_S, "the outage on the page")
            assert "down for" in tab.page.locator(".parts > li.down").inner_text()
            assert tab.page.title().startswith("Business logic service is down")
            assert calm != tab.page.locator("link[rel=icon]").get_attribute("href")
        finally:
            logic.send_signal(signal.SIGCONT)
        wait_until(lambda: headline() == "All systems operational", WITHIN_S, "the recovery on the page")
        assert "Business logic service" in tab.page.locator("section[aria-labelledby=incidents]").inner_text()
        assert [] == tab.complaints

        tab.page.context.set_offline(True)
        tab.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        tab.page.locator("#lost").wait_for(state="visible")
        tab.page.context.set_offline(False)
        wait_until(lambda: headline() == "All systems operational" and tab.page.locator("#lost").is_hidden(), WITHIN_S)
