"""Conditions, expiry and batches of the database service over HTTP, and what they leave in its file."""

import asyncio
import base64
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from httpx import ASGITransport, AsyncClient

from vestibule.database_service.entries.encrypted_store import REALM
from vestibule.database_service.main import create_app
from vestibule.database_service.settings import DatabaseSettings
from vestibule.encryption import Cipher, KeyRingFile, create_key_ring

SECRET = "s" * 43
OLD_SCHEMA = """
    CREATE TABLE entries (
        key TEXT PRIMARY KEY, value TEXT, version INTEGER NOT NULL, written_at REAL NOT NULL
    ) STRICT, WITHOUT ROWID
"""


@pytest.fixture
def settings(tmp_path: Path) -> DatabaseSettings:
    """Settings of a service that sweeps continuously."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "service_secret").write_text(SECRET)
    create_key_ring(tmp_path / "keys" / "keyring.json")
    return DatabaseSettings(data_dir=tmp_path, sweep_interval_s=0.05)


@asynccontextmanager
async def _peer(settings: DatabaseSettings) -> AsyncIterator[AsyncClient]:
    app = create_app(settings)
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://database", headers=headers) as peer,
    ):
        yield peer


@pytest.fixture
async def client(settings: DatabaseSettings) -> AsyncIterator[AsyncClient]:
    """A peer of the running service."""
    async with _peer(settings) as peer:
        yield peer


async def test_a_condition_decides(client: AsyncClient) -> None:
    """Writing and deleting happen for the version that is expected, and are a 412 with the current one otherwise."""
    steps = [
        ("POST", {"If-Match": "*"}, 412),
        ("POST", {"If-None-Match": "*"}, 200),
        ("POST", {"If-None-Match": "*"}, 412),
        ("POST", {"If-Match": '"7", "1"'}, 200),
        ("POST", {"If-Match": 'W/"2"'}, 412),
        ("POST", {"If-None-Match": 'W/"2"'}, 412),
        ("DELETE", {"If-Match": '"1"'}, 412),
        ("DELETE", {"If-Match": '"2"'}, 200),
        ("DELETE", {"If-Match": '"2"'}, 412),
    ]
    current: list[object] = []
    for method, headers, status in steps:
        path, body = ("/write", {"key": "a", "value": "x"}) if method == "POST" else ("/delete?key=a", None)
        answer = await client.request(method, path, json=body, headers=headers)
        assert status == answer.status_code, headers
        if status == 412:
            assert "/problems/precondition-failed" == answer.json()["type"]
            current.append(answer.json()["current_version"])
    assert [None, 1, 2, 2, 2, None] == current


@pytest.mark.parametrize("header", ["1", '"1', '"1" "2"', "", '"1",', '*, "1"'])
async def test_a_malformed_condition_is_refused(client: AsyncClient, header: str) -> None:
    """A condition that cannot be parsed is not ignored."""
    answer = await client.post("/write", json={"key": "a", "value": "x"}, headers={"If-Match": header})
    assert (422, "header/If-Match") == (answer.status_code, answer.json()["errors"][0]["where"])
    assert 404 == (await client.get("/read?key=a")).status_code


@pytest.mark.parametrize("ttl_s", [0, -1, "soon", 1e12, "NaN"])
async def test_a_time_to_live_has_bounds(client: AsyncClient, ttl_s: object) -> None:
    """What expires at once, never or in a thousand years is a mistake."""
    answer = await client.post("/write", json={"key": "a", "value": "x", "ttl_s": ttl_s})
    assert (422, "/problems/invalid-input") == (answer.status_code, answer.json()["type"])


async def test_what_has_expired_leaves_the_file(client: AsyncClient, settings: DatabaseSettings) -> None:
    """The answer says until when, and the running service removes the value from the file by itself."""
    written = (await client.post("/write", json={"key": "a", "value": "x", "ttl_s": 600})).json()
    read = (await client.get("/read?key=a")).json()
    assert written["expires_at"][:19] == read["expires_at"][:19]
    await client.post("/write", json={"key": "a", "value": "x", "ttl_s": 0.2})
    other = sqlite3.connect(settings.sqlite_path)
    async with asyncio.timeout(60):
        while other.execute("SELECT value FROM entries").fetchone()[0] is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    other.close()
    assert 404 == (await client.get("/read?key=a")).status_code


async def test_a_batch_is_whole_or_nothing(client: AsyncClient) -> None:
    """All pairs are written, or none where one has another version; null stands for a missing entry."""
    pairs = [{"key": f"k{number}", "value": str(number), "expected_version": 0} for number in range(3)]
    written = await client.post("/write/batch", json={"pairs": pairs})
    assert [{"key": f"k{number}", "version": 1} for number in range(3)] == written.json()["written"]
    refused = await client.post("/write/batch", json={"pairs": [{"key": "new", "value": "x"}, pairs[2]]})
    assert (412, 1, 1) == (refused.status_code, refused.json()["index"], refused.json()["current_version"])
    read = (await client.post("/read/batch", json={"keys": ["k2", "new", "k0"]})).json()["entries"]
    assert [{"key": "k2", "value": "2", "version": 1}, None, {"key": "k0", "value": "0", "version": 1}] == read


@pytest.mark.parametrize(
    "pairs", [[], [{"key": "a", "value": "x"}] * 2, [{"key": f"k{number}", "value": ""} for number in range(1001)]]
)
async def test_a_batch_has_bounds(client: AsyncClient, pairs: list[object]) -> None:
    """No pair, one key twice and more than a thousand pairs are mistakes, and nothing is written."""
    assert 422 == (await client.post("/write/batch", json={"pairs": pairs})).status_code
    assert [] == (await client.get("/keys")).json()["keys"]


@pytest.mark.parametrize("columns", ["", ", expires_at REAL"], ids=["before_expiry", "before_tenants"])
async def test_a_file_from_before_is_taken_over(settings: DatabaseSettings, columns: str) -> None:
    """Entries of an older file belong to the default tenant, and their versions continue."""
    cipher = Cipher(KeyRingFile(settings.key_ring_path), REALM)
    rows = [(key, base64.b64encode(cipher.encrypt(b"x", key.encode())).decode()) for key in ("a", "default/a", "b/a")]
    with sqlite3.connect(settings.sqlite_path) as old:
        old.execute(OLD_SCHEMA.replace(", written_at REAL NOT NULL", f", written_at REAL NOT NULL{columns}"))
        old.executemany("INSERT INTO entries (key, value, version, written_at) VALUES (?, ?, 4, 0)", rows)
    old.close()
    async with _peer(settings) as client:
        assert sorted(key for key, _ in rows) == (await client.get("/keys")).json()["keys"]
        for key, _ in rows:
            assert {"key": key, "value": "x", "version": 4} == (await client.get("/read", params={"key": key})).json()
        assert 5 == (await client.post("/write", json={"key": "a", "value": "y"})).json()["version"]
