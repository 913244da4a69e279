"""The page about the API says what the description says, and needs nothing from elsewhere."""

import base64
import hashlib
import re
import shlex
from typing import Any

import pytest


async def _page(service: Any, host: str = "service") -> Any:
    async with service.client(token=None) as client:
        return await client.get("/docs", headers={"Host": host})


async def test_the_page_names_every_route(service: Any) -> None:
    """Each method of each path stands there, with its scope, a command, and the problems by name."""
    answer = await _page(service)
    assert (200, "text/html; charset=utf-8") == (answer.status_code, answer.headers["content-type"])
    for path, methods in service.app.openapi()["paths"].items():
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in answer.text
        assert f"<code>{path}</code>" in answer.text
    assert "Needs a token with the scope <code>write</code>" in answer.text
    assert "/problems/invalid-input" in answer.text
    assert "/openapi.json" in answer.text


async def test_the_page_loads_nothing(service: Any) -> None:
    """It has no script and names no other server, and its policy would not let it: it works behind a firewall."""
    answer = await _page(service)
    addresses = re.findall(r"(?:src|href)=[\"']([^\"']+)", answer.text)
    assert [] == [one for one in addresses if not re.match(r"#|/openapi\.json$|/problems/[a-z-]+$|data:", one)]
    assert "<script" not in answer.text
    style = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; ")


async def test_commands_can_be_typed_as_they_stand(service: Any) -> None:
    """A shell reads each command as curl with a method, an address and headers."""
    page = (await _page(service, "vestibule.internal:8443")).text
    assert "URL=http://vestibule.internal:8443 TOKEN=" in page
    commands = [
        one.replace("&#34;", '"').replace("&#39;", "'") for one in re.findall(r"<code>(curl [^<]+)</code>", page)
    ]
    operations = [one for methods in service.app.openapi()["paths"].values() for one in methods]
    assert len(operations) == len(commands)
    words = next(shlex.split(one.replace("\\\n", " ")) for one in commands if "/pairs" in one)
    assert ["curl", "-X", "POST", "$URL/pairs"] == words[:4]
    assert '{"key": "test1", "value": "hello"}' == words[-1]


@pytest.mark.parametrize("host", ["a$(touch x)", "evil;touch", "-touch'"])
async def test_an_address_that_a_shell_would_run_is_not_shown(service: Any, host: str) -> None:
    """What stands there for copying is an address or the usual one, whatever the caller says that we are called."""
    page = (await _page(service, host)).text
    assert "touch" not in page
    assert "URL=http://localhost:8000 TOKEN=" in page
