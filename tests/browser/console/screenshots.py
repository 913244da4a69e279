"""Takes every page of the console, wide and narrow, light and dark, of a system that it starts and fills.

usage: make screenshots, which puts them into build/screenshots
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

import conftest
from servers.console_data import fill, write_processors
from vestibule.cli.canary.console import kind_of, sign_in, walk

VARIANTS = tuple((width, scheme) for width in (1440, 390) for scheme in ("light", "dark"))
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Curves are drawn, and parts that load by themselves are there.
SETTLED_MS = 400


def name_of(address: str) -> str:
    """Return the name of the file of a page: its path, with `one` for what it is about."""
    path = address.partition("?")[0]
    return "-".join("one" if part == "…" else part for part in kind_of(path) if part) or "overview"


def addresses_of(url: str) -> dict[str, str]:
    """Return one page of each path, by the name of its file, and the live view."""
    with httpx.Client(base_url=url, timeout=40, trust_env=False) as http:
        sign_in(http, conftest.TOKEN)
        found: dict[str, str] = {}
        for address, page in walk(http, most_of_a_kind=1):
            if "<!doctype html>" in page.text:
                found.setdefault(name_of(address), address)
    return {**found, "requests-live": "/requests?live=1"}


def take(browser: Any, url: str, folder: Path) -> int:
    """Take each page in each variant, and return how many pictures there are."""
    addresses = addresses_of(url)
    for width, scheme in VARIANTS:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page = context.new_page()
        page.goto(f"{url}/sign-in")
        page.screenshot(path=folder / f"sign-in-{width}-{scheme}.png")
        page.fill("#token", conftest.TOKEN)
        page.click("button.primary")
        page.wait_for_load_state()
        for name, address in addresses.items():
            page.goto(url + address)
            page.wait_for_timeout(SETTLED_MS)
            page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
        context.close()
    return len(VARIANTS) * (len(addresses) + 1)


def main(folder: Path) -> None:
    """Start a system, fill it, take it, end it."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        sys.exit("needs Chromium (.ci/browser installs Debian's)")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        own = write_processors(Path(home, "processors"))
        settings = {"VESTIBULE_PROCESSORS_DIR": str(own), "VESTIBULE_TASK_MAX_ATTEMPTS": "1"}
        system = conftest.start_system(Path(home, "var"), Path(home, "output.log"), **conftest.WITH_CONSOLE, **settings)
        try:
            with system.client() as http:
                fill(http, system.part_url(3))
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
                taken = take(browser, system.part_url(4), folder)
                browser.close()
        finally:
            conftest.end_system(system)
    print(f"{taken} pictures in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
