"""A real browser: Debian's Chromium, or one of its kind, driven by playwright; nothing is downloaded by it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PARTS = {"client", "database", "business_logic", "console", "store", "queue", "backlog", "workers"}
FAST = {
    "VESTIBULE_PROBE_INTERVAL_S": "0.5",
    "VESTIBULE_PROBE_TIMEOUT_S": "0.5",
    "VESTIBULE_PROBE_SLOW_MS": "60000",
}


@dataclass
class Tab:
    """An open page, and what went wrong on it."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)


class Browser:
    """Opens pages as a person with a password would."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser

    @contextmanager
    def opened(self, url: str, *, width: int = 1280, **options: Any) -> Iterator[Tab]:
        """Open `url` in a window of its own."""
        credentials = {"username": "anybody", "password": "SECRET_TOKEN"}
        size = {"width": width, "height": 900}
        context = self._browser.new_context(http_credentials=credentials, viewport=size, **options)
        context.set_default_timeout(30_000)
        tab = Tab(context.new_page())
        tab.page.on("console", lambda said: tab.complaints.append(said.text) if said.type == "error" else None)
        tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
        context.on("request", lambda request: tab.addresses.append(request.url))
        try:
            tab.page.goto(url)
            yield tab
        finally:
            context.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser that a module shares; without one its tests are skipped."""
    driver = pytest.importorskip("playwright.sync_api", reason="needs playwright (make test-browser)")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("needs Chromium (.ci/browser installs Debian's)")
    # Chromium's own sandbox refuses to work for root, who runs the tests in containers.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with driver.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=options)
        yield Browser(started)
        started.close()


@pytest.fixture(scope="module")
def watched(browser: Browser, start_for_module: Any) -> Any:
    """A system that a module shares, which looks after its parts twice a second."""
    return start_for_module(**FAST)
