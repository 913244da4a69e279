"""The scheduler service probes real parts on its own, and reports their status."""

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from httpx import ASGITransport, AsyncClient, Response

from servers import ports
from vestibule.alerts import AlertArchive, AlertType
from vestibule.encryption import create_key_ring
from vestibule.scheduler_service.availability.parts import Thresholds
from vestibule.scheduler_service.main import create_app
from vestibule.scheduler_service.settings import SchedulerSettings
from vestibule.service_kit.auth.token_file import create_token

SECRET = "s" * 43
INTERVAL_S = 0.1
WITHIN_S = 60


async def _healthy(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


@pytest.fixture
def part_port() -> int:
    """A free port for the monitored part."""
    return ports.free_port()


@pytest.fixture
def settings(tmp_path: Path, part_port: int) -> SchedulerSettings:
    """A scheduler with one part that may answer, one that cannot, and one that is switched off."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "service_secret").write_text(SECRET)
    create_key_ring(tmp_path / "keys" / "keyring.json")
    return SchedulerSettings(
        data_dir=tmp_path,
        embedded=True,
        alert_channels=["report_file"],
        database_service_url=f"http://127.0.0.1:{part_port}",
        client_service_url=f"http://127.0.0.1:{ports.free_port()}",
        business_logic_url="",
        redis_url=f"unix://{tmp_path}/no-redis.sock",
        probe_interval_s=INTERVAL_S,
        probe_timeout_s=30,
        probe_start_grace_s=0,
    )


@asynccontextmanager
async def _running(settings: SchedulerSettings) -> AsyncIterator[AsyncClient]:
    app = create_app(settings)
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://127.0.0.1", headers=headers) as client,
    ):
        yield client


async def _parts(client: AsyncClient) -> dict[str, Any]:
    answer = await client.get("/status")
    assert 200 == answer.status_code
    return {part["name"]: part for part in answer.json()["parts"]}


async def _until(client: AsyncClient, part: str, state: str) -> dict[str, Any]:
    """Wait until `part` is in `state`, and return its status."""
    async with asyncio.timeout(WITHIN_S):
        while (status := (await _parts(client))[part])["state"] != state:  # noqa: ASYNC110 - asked as a user would
            await asyncio.sleep(0.02)
    return dict(status)


def _alerts(settings: SchedulerSettings, part: str) -> list[AlertType]:
    alerts = AlertArchive(settings.alert_record_path).page(limit=500).alerts
    return [alert.type for alert in reversed(alerts) if alert.description.startswith(f"{part} ")]


async def test_an_outage_and_a_recovery_raise_one_alert_each(settings: SchedulerSettings, part_port: int) -> None:
    """Over a real outage: up, down with one alert, up again with one alert; the others are shown as they are."""
    app = web.Application()
    app.router.add_get("/health", _healthy)
    async with _running(settings) as client:
        async with TestServer(app, port=part_port):
            status = await _until(client, "database", "up")
            assert (1.0, 1.0, 1.0, 0) == (*status["availability"].values(), status["misses_in_a_row"])
            assert status["last_answer_at"] is not None
        status = await _until(client, "database", "down")
        assert status["misses_in_a_row"] >= 3
        assert 0 < status["availability"]["hour"] < 1
        async with TestServer(app, port=part_port):
            await _until(client, "database", "up")
            for part in ("client", "queue", "workers"):
                await _until(client, part, "down")
        parts = await _parts(client)
    assert [AlertType.SERVICE_DOWN, AlertType.SERVICE_RECOVERED] == _alerts(settings, "database")[:2]
    assert "off" == parts["business_logic"]["state"]
    assert [] == _alerts(settings, "business_logic")
    assert {"client", "database", "store", "business_logic", "console", "queue", "workers", "backlog"} == set(parts)


async def test_the_status_needs_a_token(settings: SchedulerSettings) -> None:
    """The status needs the scope; health does not."""
    async with _running(settings) as client:
        assert 401 == (await client.get("/status", headers={"Authorization": "Bearer nobody-knows"})).status_code
        assert 200 == (await client.get("/status", headers={"Authorization": "Bearer SECRET_TOKEN"})).status_code
        assert 200 == (await client.get("/health", headers={"Authorization": ""})).status_code


async def test_the_page_asks_for_a_token(settings: SchedulerSettings) -> None:
    """The first request of a browser has none, from this machine too: it gets a challenge, and no alert follows."""
    async with _running(settings) as client:
        refused = await _view(client)
        assert 401 == refused.status_code
        assert ["Bearer", "Basic"] == [each.split()[0] for each in refused.headers.get_list("WWW-Authenticate")]
    assert [] == AlertArchive(settings.alert_record_path).page(limit=9).alerts


async def test_a_token_opens_the_page_as_a_password(settings: SchedulerSettings) -> None:
    """From elsewhere a token with the scope does, as a bearer or as a browser sends a password; nothing else does."""
    token, _ = create_token(settings.token_file, "wall", ["status"])
    other, _ = create_token(settings.token_file, "adder", ["add"])
    async with _running(settings) as client:
        expected = {
            f"Bearer {token}": 200,
            _basic(f"anybody:{token}"): 200,
            _basic(f":{token}"): 200,
            f"Bearer {other}": 403,
            _basic(f"x:{other}"): 403,
            _basic("x:nobody-knows"): 401,
            _basic("x:"): 401,
            "Basic %%%": 401,
            f"Digest {token}": 401,
        }
        for path in ("/status/page", "/status/badge/database.svg"):
            for authorization, status in expected.items():
                answer = await _view(client, path, Host="vestibule.example", Authorization=authorization)
                assert (authorization, status) == (authorization, answer.status_code)


async def test_a_public_page_needs_no_token(settings: SchedulerSettings) -> None:
    """Only where that was asked for; the JSON needs a token all the same."""
    async with _running(settings.model_copy(update={"status_public": True})) as client:
        assert 200 == (await _view(client, Host="vestibule.example")).status_code
        assert 401 == (await _view(client, "/status", Host="vestibule.example")).status_code


async def test_the_page_loads_nothing_and_runs_nothing_else(settings: SchedulerSettings) -> None:
    """It is complete, and its content security policy allows nothing else; that of a badge allows nothing at all."""
    async with _running(settings.model_copy(update={"status_public": True})) as client:
        page = await _view(client)
        badge = await _view(client, "/status/badge/database.svg")
        assert 404 == (await _view(client, "/status/badge/nothing.svg")).status_code
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert [] == re.findall(r"(?:src|href)=\"(?!data:)|url\(|@import|style=|onload", page.text)
    for kind, tag in (("style-src", "style"), ("script-src", "script")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert ("image/svg+xml", "default-src 'none'") == (
        badge.headers["Content-Type"],
        badge.headers["Content-Security-Policy"],
    )
    ElementTree.fromstring(badge.text)


async def test_a_request_id_with_personal_data_is_not_taken(settings: SchedulerSettings) -> None:
    """It would stand in the log and in alerts; a clean one is kept."""
    async with _running(settings) as client:
        given = ["DE89370400440532013000", "ticket-4711", "req_4539148803436467"]
        ids = [(await client.get("/health", headers={"X-Request-ID": one})).headers["X-Request-ID"] for one in given]
    assert ("ticket-4711", 32, 32) == (ids[1], len(ids[0]), len(ids[2]))


async def test_separators_hide_nothing_in_names(settings: SchedulerSettings) -> None:
    """`job-` before a card keeps it in alerts, reports and the store as readable as without."""
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    async with _running(settings) as client:
        for name in ("job-4539148803436467", "job_DE89370400440532013000_x"):
            pinged = await client.post(f"/heartbeats/{name}/fail")
            planned = await client.post("/maintenance", json={"part": f"heartbeat:{name}", "until": until})
            assert (422, "/problems/personal-data") == (pinged.status_code, pinged.json()["type"])
            assert (422, "/problems/personal-data") == (planned.status_code, planned.json()["type"])
            [found] = {(one["start"], one["end"]) for one in pinged.json()["findings"]}
            assert (
                "DE89370400440532013000_x".startswith(name[slice(*found)]) or "4539148803436467" == name[slice(*found)]
            )


async def test_thresholds_are_for_parts_that_exist(settings: SchedulerSettings) -> None:
    """A misspelt name ends the start."""
    with pytest.raises(ValueError, match="databse"):
        create_app(settings.model_copy(update={"part_thresholds": {"databse": Thresholds()}}))


async def _view(client: AsyncClient, path: str = "/status/page", **headers: str) -> Response:
    """Ask as a browser does, which sends no token by itself."""
    request = client.build_request("GET", path, headers={"Host": "localhost", **headers})
    if "Authorization" not in headers:
        del request.headers["Authorization"]
    return await client.send(request)


def _basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode()
