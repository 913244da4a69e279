"""The API of the database service over every store: no cursor and no number of a caller ends in a 500."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from httpx import ASGITransport, AsyncClient

from servers.stores import with_server
from vestibule.database_service.main import create_app, store_kinds
from vestibule.database_service.settings import DatabaseSettings
from vestibule.encryption import create_key_ring

SECRET = "s" * 43
KINDS = store_kinds()
# As callers may make them up: larger than 64 bits, no number, a NUL, digits of another script, the last character.
CURSORS = (
    "9" * 18,
    "9" * 19,
    "9" * 20,
    "9" * 400,
    "-1",
    "x",
    "\0",
    "\u0663",
    "a\nb",
    "\U0010ffff" * 128,
    "x" * 512,
    "x" * 513,
)
ROUTES = (
    *(("GET", "/keys"), ("GET", "/encryption-keys"), ("POST", "/reencrypt"), ("POST", "/subjects/erase")),
    ("POST", "/subjects/erase-ended"),
    *(("GET", "/tasks/encryption-keys"), ("POST", "/tasks/reencrypt")),
    ("POST", "/tasks/subjects/erase?tenant=t1"),
)
NUMBERS = ("true", "false", '"1"', "1e400", "1" + "0" * 30, "-1" + "0" * 30, "1e300", "NaN", "Infinity", "-1", "1.5")
TASK = '{"tasks": [{"task_id": "a", "tenant": "t1", "processor": "uppercase", "data": "x", %s}]}'
CHANGE = '{"changes": [{"task_id": "a", "from_states": ["queued"], "state": "failed", "%s": %s}]}'
BODIES = (
    *(
        ("/write/batch", '{"pairs": [{"key": "a", "value": "b", "%s": %s}]}', name)
        for name in ("expected_version", "ttl_s")
    ),
    ("/write", '{"key": "a", "value": "b", "%s": %s}', "ttl_s"),
    *(("/tasks/claim", '{"limit": 1, "lease_s": 1, "%s": %s}', name) for name in ("limit", "lease_s")),
    *(
        ("/tasks/accept", TASK % '"submitted_at": 0, "due_in_s": 0, "%s": %s', name)
        for name in ("submitted_at", "due_in_s", "sent_at", "unique_for_s")
    ),
    *(
        ("/tasks/change", CHANGE, name)
        for name in (
            "due_in_s",
            "sent_at",
            "attempts",
            "started_at",
            "finished_at",
            "keep_data",
            "keep_result_s",
            "keep_s",
        )
    ),
)


@pytest.fixture(params=["memory", "sqlite", "postgresql", "dynamodb"])
async def peer(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AsyncClient]:
    """A peer of a running service over each store."""
    kind = with_server(KINDS[request.param], request)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "service_secret").write_text(SECRET)
    create_key_ring(tmp_path / "keys" / "keyring.json")
    settings = DatabaseSettings(data_dir=tmp_path, database_url=f"{kind.scheme}:")
    monkeypatch.setattr("vestibule.database_service.main.build_store", kind.build)
    app = create_app(settings)
    headers = {"Authorization": f"Bearer {SECRET}"}
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://database", headers=headers, timeout=60) as client,
    ):
        yield client


async def test_no_cursor_ends_in_an_error_of_the_service(peer: AsyncClient) -> None:
    """Each is a page, or a 422."""
    for method, route in ROUTES:
        path, _, query = route.partition("?")
        params = dict([query.split("=")]) if query else {}
        body = {"json": {"value": "jane@example.org", "tenants": ["t1"]}} if "/subjects/" in path else {}
        for cursor in CURSORS:
            answer = await peer.request(method, path, params={**params, "cursor": cursor}, **body)
            assert answer.status_code in (200, 422), (route, cursor, answer.text)
    for name in ("prefix", "cursor"):
        assert 422 == (await peer.get("/keys", params={name: "\0"})).status_code
        assert 422 == (await peer.get("/keys", params={name: "\u20ac" * 200})).status_code
    for text in ("9" * 20, "9" * 19, "\u0663"):
        assert 422 == (await peer.post("/tasks/list", json={"filter": {}, "limit": 1, "cursor": text})).status_code


async def test_no_number_ends_in_an_error_of_the_service(peer: AsyncClient) -> None:
    """Truth values, text and what no store can keep are a 422 in place of every number of a body."""
    for path, template, name in BODIES:
        for number in NUMBERS:
            content = template % (name, number)
            answer = await peer.post(path, content=content, headers={"Content-Type": "application/json"})
            is_in_place = name == "keep_data" and number in ("true", "false")
            fits = is_in_place or (number == "1.5" and name.endswith(("_s", "_at")))
            assert (200 if fits else 422) == answer.status_code, (path, content, answer.text)


async def test_names_without_a_printable_form_are_refused(peer: AsyncClient) -> None:
    """No text column takes a NUL."""
    for field in ("task_id", "tenant", "processor"):
        task = {"task_id": "a", "tenant": "t1", "processor": "p", "data": "x", "submitted_at": 0, "due_in_s": 0}
        answer = await peer.post("/tasks/accept", json={"tasks": [{**task, field: "a\0b"}]})
        assert 422 == answer.status_code, field
    assert 422 == (await peer.post("/tasks/find", json={"task_ids": ["\0"]})).status_code
    listed = await peer.post("/tasks/list", json={"filter": {"tenant": "\0"}, "limit": 1})
    assert 422 == listed.status_code
