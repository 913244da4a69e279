"""Every page of the console, as axe-core sees it: wide and narrow, light and dark, with data and without."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from servers.console_data import fill, write_processors
from vestibule.cli.canary.console import kind_of, sign_in, walk

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

AXE = Path(__file__).parents[3] / ".tools" / "axe-core" / "axe.min.js"
WIDTHS = (1440, 390)
ALL = tuple((width, scheme) for width in WIDTHS for scheme in ("light", "dark"))
# Of a system with data each page in each variant; of one without what differs most.
VARIANTS = {"full": ALL, "empty": ((390, "light"),)}
# Every rule once for each width; in the dark only colours are others.
RUN = """async (only) => {
  const options = {resultTypes: ["violations"], ...(only ? {runOnly: {type: "rule", values: only}} : {})};
  const found = await axe.run(document, options);
  const places = (one) => one.nodes.map((node) => node.html.slice(0, 200)).join(" | ");
  return found.violations.map((one) => `${one.id}: ${one.help}; ${places(one)}`);
}"""
CONTRAST = ["color-contrast"]
OVERHANG = "document.documentElement.scrollWidth - window.innerWidth"


@pytest.fixture(scope="module")
def axe() -> Path:
    """The file of axe-core; skip where nobody fetched it."""
    if not AXE.exists():
        pytest.skip("needs axe-core (make test-browser fetches it where there is npm)")
    return AXE


@pytest.fixture(scope="module")
def start(start_for_module: Any, tmp_path_factory: Any) -> Any:
    """The function that starts a system, with data or as it is at its first start."""

    def start_one(name: str) -> Any:
        folder = write_processors(tmp_path_factory.mktemp("processors"))
        settings = {"VESTIBULE_PROCESSORS_DIR": str(folder), "VESTIBULE_TASK_MAX_ATTEMPTS": "1"}
        started = start_for_module(name=name, VESTIBULE_CONSOLE="on", **settings)
        if name == "full":
            with started.client() as http:
                fill(http, started.part_url(3), requests=20)
        return started

    return start_one


def _addresses(url: str) -> list[str]:
    """Return one page of each kind."""
    with httpx.Client(base_url=url, timeout=40, trust_env=False) as http:
        sign_in(http, "SECRET_TOKEN")
        kinds = {
            kind_of(address.partition("?")[0]): address
            for address, page in walk(http, most_of_a_kind=1)
            if "<!doctype html>" in page.text
        }
    return sorted(kinds.values())


@contextmanager
def _signed_in(browser: Any, url: str) -> Iterator[Any]:
    # The policy of the pages lets no script in but their own.
    with browser.opened(f"{url}/sign-in", width=WIDTHS[0], bypass_csp=True) as tab:
        yield tab


def _violations(tab: Any, axe: Path, variants: Iterable[tuple[int, str]]) -> list[str]:
    found = []
    tab.page.add_script_tag(path=axe)
    for width, scheme in variants:
        tab.page.set_viewport_size({"width": width, "height": 900})
        tab.page.emulate_media(color_scheme=scheme)
        said = tab.page.evaluate(RUN, CONTRAST if scheme == "dark" else None)
        found += [f"{width} px, {scheme}: {one}" for one in said]
        if (overhang := tab.page.evaluate(OVERHANG)) > 0:
            found.append(f"{width} px: {overhang} px too wide")
    return found


@pytest.mark.parametrize("name", VARIANTS)
def test_no_page_has_a_barrier(browser: Any, start: Any, axe: Path, name: str) -> None:
    """Nothing that axe-core finds, at either width and in either scheme, and no page is wider than its window."""
    url, variants = start(name).part_url(4), VARIANTS[name]
    with _signed_in(browser, url) as tab:
        wrong = {"/sign-in": _violations(tab, axe, variants)}
        tab.page.get_by_label("Token").fill("SECRET_TOKEN")
        tab.page.get_by_role("button", name="Sign in").click()
        tab.page.locator("h1:not(:has-text('Sign in'))").wait_for()
        for address in _addresses(url):
            tab.page.goto(url + address)
            wrong[address] = _violations(tab, axe, variants)
    assert {} == {address: found for address, found in wrong.items() if found}
    assert len(wrong) > 5
