"""The database service for other services, and for callers without the secret."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient

from vestibule.alerts import AlertArchive, AlertType
from vestibule.database_service.entries.memory import MemoryStore
from vestibule.database_service.entries.stores.sqlite import SqliteStore
from vestibule.database_service.main import build_store, create_app
from vestibule.database_service.settings import DatabaseSettings
from vestibule.encryption import KeyRingFile, KeyRingUnreadable, Purpose, add_key, create_key_ring
from vestibule.service_kit.auth.service_secret import ServiceSecretMissing
from vestibule.service_kit.auth.token_file import create_token

SECRET = "s" * 43


@pytest.fixture
def settings(tmp_path: Path) -> DatabaseSettings:
    """Settings of an embedded service with its keys in place."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "service_secret").write_text(SECRET)
    create_key_ring(tmp_path / "keys" / "keyring.json")
    return DatabaseSettings(data_dir=tmp_path, embedded=True, alert_channels=["report_file"])


@pytest.fixture
async def client(settings: DatabaseSettings) -> AsyncIterator[AsyncClient]:
    """A peer of the running service."""
    app = create_app(settings)
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://database", headers=headers) as peer,
    ):
        yield peer


async def test_a_pair_is_written_read_listed_and_deleted(client: AsyncClient) -> None:
    """The four routes do what they say."""
    written = await client.post("/write", json={"key": "ключ 🔑", "value": "zeile\n\0"})
    assert (200, {"key": "ключ 🔑", "version": 1}) == (written.status_code, written.json())
    read = await client.get("/read", params={"key": "ключ 🔑"})
    assert {"key": "ключ 🔑", "value": "zeile\n\0", "version": 1} == read.json()
    assert ["ключ 🔑"] == (await client.get("/keys", params={"prefix": "кл"})).json()["keys"]
    assert {"key": "ключ 🔑", "deleted": True} == (await client.delete("/delete", params={"key": "ключ 🔑"})).json()
    gone = await client.get("/read", params={"key": "ключ 🔑"})
    assert (404, "/problems/key-not-found") == (gone.status_code, gone.json()["type"])
    assert "ключ" not in gone.text
    assert not (await client.delete("/delete", params={"key": "ключ 🔑"})).json()["deleted"]


async def test_the_metrics_count_the_tasks_of_the_ledger(client: AsyncClient) -> None:
    """Each state that is not done has a gauge, also where no task is in it."""
    shown = (await client.get("/metrics")).text
    for state in ("queued", "running", "retrying", "dead"):
        assert f'vestibule_ledger_tasks{{service="database",state="{state}"}} 0.0' in shown


async def test_keys_come_in_pages(client: AsyncClient) -> None:
    """Following the cursors gives every key once, in order."""
    for number in range(7):
        await client.post("/write", json={"key": f"k{number}", "value": ""})
    found, cursor = [], None
    while True:
        page = (await client.get("/keys", params={"limit": 3} | ({"cursor": cursor} if cursor else {}))).json()
        found += page["keys"]
        cursor = page.get("cursor")
        if cursor is None or len(found) > 7:
            break
    assert [f"k{number}" for number in range(7)] == found


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/write", {"key": "", "value": "x"}),
        ("POST", "/write", {"key": "a"}),
        ("POST", "/write", {"key": "a\n", "value": "x"}),
        ("GET", "/read", None),
        ("GET", "/read?key=%00", None),
        ("GET", "/keys?limit=0", None),
        ("GET", "/keys?limit=1001", None),
        ("DELETE", "/delete?key=", None),
    ],
)
async def test_a_malformed_request_is_refused(client: AsyncClient, method: str, path: str, body: object) -> None:
    """The rules of keys and values hold here too, whatever the client service lets through."""
    answer = await client.request(method, path, json=body)
    assert (422, "/problems/invalid-input") == (answer.status_code, answer.json()["type"])


async def test_only_services_are_authenticated(client: AsyncClient, settings: DatabaseSettings) -> None:
    """Neither the development token nor a caller's token with every scope opens the database, and each is alerted."""
    callers, _ = create_token(settings.token_file, "caller", ["*"])
    for token in ("SECRET_TOKEN", callers):
        for method, path in (("POST", "/write"), ("GET", "/read?key=a"), ("DELETE", "/delete?key=a"), ("GET", "/keys")):
            answer = await client.request(method, path, headers={"Authorization": f"Bearer {token}"})
            assert 401 == answer.status_code
    alerts = AlertArchive(settings.alert_record_path).page(limit=100).alerts
    assert [(AlertType.INVALID_TOKEN, "database")] * 8 == [(alert.type, alert.service) for alert in alerts]
    assert 2 == len({alert.fingerprint for alert in alerts})


async def test_the_ids_of_a_refused_caller_are_not_taken(settings: DatabaseSettings, receiver: Any) -> None:
    """They would stand in log, alerts, reports and traces, and nothing here scans them; a service names its own."""
    app = create_app(settings.model_copy(update={"otlp_endpoint": receiver.url()}))
    trace_id = b"jane@example.com".hex()
    names = {"X-Request-ID": "jane-4111111111111111", "traceparent": f"00-{trace_id}-4111111111111111-01"}
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://database", headers=names) as caller,
    ):
        refused = [await caller.get(path, headers={"Authorization": "Bearer x"}) for path in ("/keys", "/nowhere")]
        taken = await caller.get("/keys", headers={"Authorization": f"Bearer {SECRET}"})
    assert [401, 404, 200] == [answer.status_code for answer in (*refused, taken)]
    assert names["X-Request-ID"] == taken.headers["X-Request-ID"]
    (alert,) = AlertArchive(settings.alert_record_path).page(limit=10).alerts
    assert alert.request_id == refused[0].headers["X-Request-ID"]
    assert [] == [answer.text for answer in refused if "jane" in answer.text + str(answer.headers)]
    traces = [span.trace_id.hex() for span in receiver.all_spans() if span.name.startswith("GET")]
    assert 3 == len(traces)
    assert 1 == traces.count(trace_id)


async def test_a_locked_store_is_a_503(client: AsyncClient, settings: DatabaseSettings) -> None:
    """What cannot be written now may be written later, and the answer says when to try."""
    other = sqlite3.connect(settings.sqlite_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    answer = await client.post("/write", json={"key": "a", "value": "b"})
    other.close()
    assert (503, "database", "1") == (answer.status_code, answer.json()["part"], answer.headers["retry-after"])
    assert 200 == (await client.post("/write", json={"key": "a", "value": "b"})).status_code


async def test_a_store_without_its_file_is_not_ready(client: AsyncClient, settings: DatabaseSettings) -> None:
    """What routes traffic learns it; a write is refused and says why."""
    assert 200 == (await client.get("/readyz")).status_code
    settings.sqlite_path.unlink()
    ready, written = await client.get("/readyz"), await client.post("/write", json={"key": "a", "value": "b"})
    assert [(503, "store"), (503, "database")] == [(one.status_code, one.json()["part"]) for one in (ready, written)]


async def test_many_requests_at_once_are_all_on_disk(client: AsyncClient, settings: DatabaseSettings) -> None:
    """Every 200 stands for a row that another process can read."""
    bodies = [{"key": f"k{number}", "value": str(number)} for number in range(200)]
    answers = await asyncio.gather(*(client.post("/write", json=body) for body in bodies))
    assert {200} == {answer.status_code for answer in answers}
    other = sqlite3.connect(settings.sqlite_path)
    count = "SELECT count(*) FROM entries WHERE key NOT LIKE '~%'"
    assert 200 == other.execute(count).fetchone()[0]
    other.close()


async def test_lost_commits_are_alerted_once(settings: DatabaseSettings) -> None:
    """The next commit is noted as the last."""
    note = settings.sqlite_path.with_name(".vestibule.db.last")
    for change in (0, 5, 0):
        if change:
            noted = json.loads(note.read_text())
            note.write_text(json.dumps(noted | {"entries": noted["entries"] + change, "tasks": 2}))
        app = create_app(settings)
        async with app.router.lifespan_context(app):
            pass
    (alert,) = AlertArchive(settings.alert_record_path).page(limit=100).alerts
    assert (AlertType.COMMITS_LOST, True) == (
        alert.type,
        "5 changes of entries and 2 changes of tasks" in alert.description,
    )


def test_without_the_secret_nothing_starts(tmp_path: Path) -> None:
    """A service without the secret does not start."""
    with pytest.raises(ServiceSecretMissing):
        create_app(DatabaseSettings(data_dir=tmp_path))


def test_the_url_chooses_the_store(tmp_path: Path) -> None:
    """The scheme names the store, and a path the file."""
    assert isinstance(build_store(DatabaseSettings(database_url="memory:")), MemoryStore)
    assert isinstance(build_store(DatabaseSettings(database_url="sqlite:")), SqliteStore)
    with pytest.raises(ValueError, match=r"no store for `mongo:`; known are dynamodb, memory, postgresql, sqlite"):
        build_store(DatabaseSettings(database_url="mongo://user:secret@host/db"))


@pytest.mark.parametrize(
    ("url", "path"),
    [("sqlite:", "var/vestibule.db"), ("sqlite:///srv/x.db", "/srv/x.db"), ("sqlite:x.db", "x.db")],
)
def test_the_file_of_the_store(url: str, path: str) -> None:
    """A file anywhere, or the one in the data directory."""
    assert Path(path) == DatabaseSettings(database_url=url).sqlite_path


async def test_the_service_encrypts_what_it_stores(
    client: AsyncClient, settings: DatabaseSettings, content_of: Callable[[Path], bytes]
) -> None:
    """No file of the data directory contains a value that was written over HTTP."""
    await client.post("/write", json={"key": "a", "value": "Zq7MARKERx9"})
    assert "Zq7MARKERx9" == (await client.get("/read", params={"key": "a"})).json()["value"]
    assert [] == [path.name for path in settings.data_dir.rglob("*") if b"MARKER" in content_of(path)]


async def test_encryption_keys_are_counted_and_values_reencrypted(
    client: AsyncClient, settings: DatabaseSettings
) -> None:
    """The running service notices a rotation within seconds; re-encryption moves all values, in pages."""
    for number in range(5):
        await client.post("/write", json={"key": f"k{number}", "value": "v"})
    first = KeyRingFile(settings.key_ring_path).current().active(Purpose.DATA).id
    # The identity of the store is one of them.
    assert {"entries": 6, "by_key": {first: 6}, "not_opened": [], "reencrypted": 0, "cursor": None} == (
        await client.get("/encryption-keys", params={"limit": 10})
    ).json()
    second = add_key(settings.key_ring_path, Purpose.DATA).id
    # The change may be seen between the two of a page, which then takes two calls.
    reencrypted = 0
    async with asyncio.timeout(60):
        while reencrypted < 2:
            reencrypted += (await client.post("/reencrypt", params={"limit": 2})).json()["reencrypted"]
            await asyncio.sleep(0.05)
    page = (await client.post("/reencrypt", params={"limit": 2, "cursor": "default/k1"})).json()
    assert (2, "default/k3") == (page["reencrypted"], page["cursor"])
    assert {second: 4, first: 2} == (await client.get("/encryption-keys")).json()["by_key"]


async def test_a_value_that_cannot_be_decrypted_is_a_503(client: AsyncClient, settings: DatabaseSettings) -> None:
    """The answer contains nothing of the value."""
    await client.post("/write", json={"key": "a", "value": "b"})
    other = sqlite3.connect(settings.sqlite_path, isolation_level=None)
    other.execute("UPDATE entries SET value = 'Zq7MARKERx9'")
    other.close()
    answer = await client.get("/read", params={"key": "a"})
    assert (503, "database") == (answer.status_code, answer.json()["part"])
    assert "MARKER" not in answer.text


def test_without_the_key_ring_nothing_starts(settings: DatabaseSettings) -> None:
    """A service that could decrypt nothing does not start; its error is one line without a key."""
    ring = settings.key_ring_path.read_text()
    for content in ("", "{}", "[]", ring[:-20], ring.replace('"data"', '"other"')):
        settings.key_ring_path.write_text(content)
        with pytest.raises(KeyRingUnreadable, match=r"cannot read the key ring .*keyring\.json") as caught:
            create_app(settings)
        assert "\n" not in str(caught.value)
    settings.key_ring_path.unlink()
    with pytest.raises(KeyRingUnreadable):
        create_app(settings)
