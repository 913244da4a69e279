"""The files of other projects that the pages load are those that are recorded, with their licences."""

import hashlib
import json
from pathlib import Path

import pytest

from vestibule.console.web.assets import MEDIA_TYPES, Assets

ROOT = Path(__file__).parents[3]
ASSETS = ROOT / "src" / "vestibule" / "console" / "assets"
RECORDS = json.loads((ROOT / "requirements" / "vendored.json").read_text())
OF_CONSOLE = {name: one for name, one in RECORDS.items() if Path(one["folder"]).name == "assets"}


@pytest.mark.parametrize("package", OF_CONSOLE)
def test_the_files_of_a_package_are_those_that_are_recorded(package: str) -> None:
    """Nothing is changed in them, and the licence is beside them and in the notice."""
    record = OF_CONSOLE[package]
    found = {name: hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() for name in record["files"]}
    assert {name: one["sha256"] for name, one in record["files"].items()} == found
    (licence,) = [name for name in found if name.endswith(".LICENSE.txt")]
    assert licence.partition(".")[0] in (ROOT / "NOTICE").read_text()


def test_every_file_is_recorded_or_our_own() -> None:
    """A minified file that nobody recorded is one that nobody looked at."""
    recorded = {name for one in OF_CONSOLE.values() for name in one["files"]}
    assert {"console.css", "console.js", "icon.svg"} == {path.name for path in ASSETS.iterdir()} - recorded


def test_licences_are_not_served() -> None:
    """Only what pages load has an address."""
    assets = Assets()
    assert all(Path(name).suffix in MEDIA_TYPES for name in ("htmx.min.js", "console.css"))
    with pytest.raises(KeyError):
        assets.address("htmx.LICENSE.txt")


def test_the_style_sheets_load_nothing() -> None:
    """Neither from elsewhere nor from here: a page needs the two style sheets and no font or picture beside."""
    for name in ("console.css", "uPlot.min.css"):
        text = (ASSETS / name).read_text()
        assert "@import" not in text
        assert "url(" not in text
