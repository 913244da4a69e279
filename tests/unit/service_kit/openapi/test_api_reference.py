"""The API reference loads only files of the package, under a strict policy, and browsers may keep them."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import vestibule.service_kit.openapi

ROOT = Path(__file__).parents[4]
FOLDER = Path(vestibule.service_kit.openapi.__file__).parent
RECORD = json.loads((ROOT / "requirements" / "vendored.json").read_text())["swagger-ui-dist"]
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
TYPES = {
    "docs/swagger-ui.css": "text/css; charset=utf-8",
    "docs/docs.css": "text/css; charset=utf-8",
    "docs/swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "docs/docs.js": "text/javascript; charset=utf-8",
}
# Prints what importing the application opens of the files of Swagger UI.
OPENED = """
import sys
opened = []
sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == "open" else None)
import vestibule.client_service.main
print([path for path in opened if "swagger" in path])
"""


async def _get(service: Any, path: str) -> Any:
    async with service.client(token=None) as client:
        return await client.get(path)


async def _addresses(service: Any) -> list[str]:
    page = (await _get(service, "/docs")).text
    return [one for one in re.findall(r"(?:src|href)=\"([^\"]+)", page) if not one.startswith("data:")]


async def test_the_page_has_a_strict_policy_and_no_inline_script(service: Any) -> None:
    """Scripts, styles and requests are the service's own; nothing is inline, nothing frames the page."""
    answer = await _get(service, "/docs")
    assert (200, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    assert POLICY == answer.headers["content-security-policy"]
    assert "nosniff" == answer.headers["x-content-type-options"]
    assert "no-cache" == answer.headers["cache-control"]
    assert "<title>Vestibule sample service: API</title>" in answer.text
    assert [] == re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", answer.text)


async def test_every_address_of_the_page_is_relative(service: Any) -> None:
    """A proxy may serve the page under a prefix, and no address is another server's."""
    addresses = await _addresses(service)
    assert {*TYPES, "openapi.json"} == {one.partition("?")[0] for one in addresses}


async def test_browsers_keep_the_files_of_a_version(service: Any) -> None:
    """With the hash of the page a file may be kept for a year; its type is right."""
    addresses = await _addresses(service)
    assert addresses
    for address in addresses:
        if (name := address.partition("?")[0]) in TYPES:
            answer = await _get(service, f"/{address}")
            assert (200, TYPES[name]) == (answer.status_code, answer.headers["content-type"])
            assert "public, max-age=31536000, immutable" == answer.headers["cache-control"]
            assert "nosniff" == answer.headers["x-content-type-options"]
            assert "gzip" == answer.headers["content-encoding"]
            assert len(answer.content) > int(answer.headers["content-length"]) > 300


@pytest.mark.parametrize("query", ["", "?v=", "?v=0123456789abcdef"])
async def test_a_file_of_another_version_is_not_kept(service: Any, query: str) -> None:
    """During an upgrade an instance may get the requests of another version's page."""
    answer = await _get(service, f"/docs/docs.js{query}")
    assert (200, "no-cache") == (answer.status_code, answer.headers["cache-control"])


@pytest.mark.parametrize("name", ["LICENSE", "docs.html", "base.css", "..%2Fapi_reference.py", "swagger-ui.css.map"])
async def test_nothing_else_is_served(service: Any, name: str) -> None:
    """Only what the page loads has an address."""
    answer = await _get(service, f"/docs/{name}")
    assert (404, "application/problem+json") == (answer.status_code, answer.headers["content-type"])


def test_no_file_loads_from_another_server() -> None:
    """The style sheets embed their images, and the files of ours name no server."""
    for path in (FOLDER / "swagger_ui" / "swagger-ui.css", FOLDER / "page_files" / "docs.css"):
        text = path.read_text()
        assert "@import" not in text
        assert {"data:"} >= set(re.findall(r"url\([\"']?([a-z]+:|//|[^\"')]{1,20})", text))
    for name in ("docs.js", "docs.css", "docs.html"):
        assert [] == re.findall(r"https?://(?!www\.w3\.org/2000/svg)", (FOLDER / "page_files" / name).read_text())
    assert "validatorUrl: null" in (FOLDER / "page_files" / "docs.js").read_text()


def test_the_files_of_swagger_ui_are_those_that_are_recorded() -> None:
    """Nothing is added to them or changed in them, and the licence is beside them."""
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (FOLDER / "swagger_ui").iterdir()}
    assert {name: one["sha256"] for name, one in RECORD["files"].items()} == found
    assert {"LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt"} <= found.keys()
    assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", RECORD["integrity"])
    assert "://" not in json.dumps(RECORD) + (ROOT / "requirements" / "vendor").read_text()


def test_a_start_reads_none_of_them() -> None:
    """They are read when a browser asks for them."""
    ended = subprocess.run([sys.executable, "-c", OPENED], capture_output=True, text=True, check=True)
    assert "[]" == ended.stdout.strip()
