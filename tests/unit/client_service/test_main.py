"""The client service with a real database service and a real queue, as callers see it."""

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from httpx import ASGITransport, AsyncClient
from redis import Redis

from servers import ports
from vestibule.client_service.erasure import ErasureStages, job
from vestibule.client_service.erasure.records import ErasureRecord
from vestibule.client_service.main import create_app
from vestibule.client_service.queue.result_backend import RECORD_PREFIX, RESULT_PREFIX
from vestibule.client_service.settings import ClientSettings
from vestibule.database_service.main import create_app as create_database
from vestibule.database_service.settings import DatabaseSettings
from vestibule.policy import Action
from vestibule.service_kit.fast_dispatch.fast_dispatch import FastDispatch

MAIL = "anna.schmidt@firma.de"


@asynccontextmanager
async def _database(settings: ClientSettings, port: int) -> AsyncIterator[None]:
    """Serve the database over a real socket in the background."""
    app = create_database(DatabaseSettings(data_dir=settings.data_dir, alert_channels=["report_file"]))
    config = uvicorn.Config(app, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started and not serving.done():  # noqa: ASYNC110 - it offers nothing to wait for
        await asyncio.sleep(0.005)
    try:
        yield
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def _client_of(settings: ClientSettings) -> AsyncIterator[AsyncClient]:
    """Return a client with the development token of a client service with these settings."""
    app = create_app(settings)
    headers = {"Authorization": "Bearer SECRET_TOKEN"}
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client,
    ):
        yield client


@pytest.fixture
def database_port() -> int:
    """The port at which the test serves the database, or not."""
    return ports.free_port()


@pytest.fixture
def client_settings(settings: ClientSettings, database_port: int) -> ClientSettings:
    """Settings of a client service whose database is at `database_port`."""
    return settings.model_copy(update={"database_service_url": f"http://127.0.0.1:{database_port}"})


@pytest.fixture
async def client(client_settings: ClientSettings, database_port: int) -> AsyncIterator[AsyncClient]:
    """A client of a complete client service."""
    async with _database(client_settings, database_port), _client_of(client_settings) as caller:
        yield caller


async def _until(condition: Callable[[], bool]) -> None:
    """Wait until a condition is true."""
    while not condition():  # noqa: ASYNC110 - another process makes it true
        await asyncio.sleep(0.01)


async def _until_missing(client: AsyncClient, part: str | None) -> None:
    """Wait until the readiness names a part, or none; a part that answers later than in a second is named, too."""
    async with asyncio.timeout(60):
        while True:
            answer = await client.get("/readyz")
            if part == answer.json().get("part"):
                assert (503 if part else 200) == answer.status_code
                return


@pytest.mark.parametrize("form", ["json", "params"])
async def test_a_pair_is_added_and_read(client: AsyncClient, form: str) -> None:
    """JSON and query parameters do the same, and the entry is read with its version."""
    for version in (1, 2):
        added = await client.post("/add", **{form: {"key": "ключ 1", "value": "hello & bye"}})  # type: ignore[arg-type]
        expected = {"status": "written", "key": "ключ 1", "version": version, "findings": []}
        answer = added.json()
        assert 16 == len(answer.pop("decision_id"))
        assert (200, expected) == (added.status_code, answer)
    read = await client.get("/read", params={"key": "ключ 1"})
    assert {"key": "ключ 1", "value": "hello & bye", "version": 2} == read.json()
    assert '"2"' == read.headers["etag"]
    unchanged = await client.get("/read", params={"key": "ключ 1"}, headers={"If-None-Match": '"2"'})
    assert (304, b"", '"2"') == (unchanged.status_code, unchanged.content, unchanged.headers["etag"])
    assert 200 == (await client.get("/read", params={"key": "ключ 1"}, headers={"If-None-Match": '"1"'})).status_code


@pytest.mark.parametrize(("key", "value", "field"), [("note", f"to {MAIL}", "value"), (MAIL, "hello", "key")])
async def test_personal_data_is_refused_alerted_and_not_stored(
    client: AsyncClient,
    client_settings: ClientSettings,
    content_of: Callable[[Path], bytes],
    *,
    key: str,
    value: str,
    field: str,
) -> None:
    """The 422 has the findings with their positions; its alert is found by id; no file contains the value."""
    refused = await client.post("/add", json={"key": key, "value": value})
    body = refused.json()
    assert (422, "/problems/personal-data") == (refused.status_code, body["type"])
    (finding,) = body["findings"]
    assert ("EMAIL_ADDRESS", field) == (finding["entity"], finding["field"])
    alert = (await client.get(f"/alerts/{body['alert_id']}")).json()
    assert (["EMAIL_ADDRESS"], refused.headers["x-request-id"]) == (alert["entities"], alert["request_id"])
    listed = (await client.get("/alerts")).json()["alerts"][0]
    assert listed == {name: value for name, value in alert.items() if name != "group"}
    assert 404 == (await client.get("/read", params={"key": key})).status_code
    assert all(MAIL.encode() not in content_of(path) for path in client_settings.data_dir.rglob("*"))
    assert MAIL not in refused.text + json.dumps(alert)


async def test_the_policy_redact_stores_names_in_place(client_settings: ClientSettings, database_port: int) -> None:
    """The redacted text is stored, and the reply has the findings."""
    redacting = client_settings.model_copy(update={"entity_policy": {"EMAIL_ADDRESS": Action.REDACT}})
    async with _database(redacting, database_port), _client_of(redacting) as client:
        added = await client.post("/add", json={"key": "note", "value": f"to {MAIL}!"})
        read = await client.get("/read", params={"key": "note"})
    assert (200, ["EMAIL_ADDRESS"]) == (added.status_code, [f["entity"] for f in added.json()["findings"]])
    assert "to <EMAIL_ADDRESS>!" == read.json()["value"]


async def test_a_stored_value_is_run(client: AsyncClient, redis: Redis) -> None:
    """The reply is a task that can be read, and its message contains the stored value."""
    await client.post("/add", json={"key": "test1", "value": "hello"})
    for accepted in (await client.post("/run?key=test1"), await client.post("/run", json={"key": "test1"})):
        assert 202 == accepted.status_code
        status = (await client.get(accepted.json()["status_url"])).json()
        assert (accepted.json()["task_id"], "queued", "uppercase") == tuple(
            status[name] for name in ("task_id", "state", "processor")
        )
    await _until(lambda: redis.llen("celery") == 2)


REJECTED: tuple[tuple[str, Any, int, str], ...] = (
    ("POST /run", {"key": "nothing"}, 404, "key-not-found"),
    ("POST /run?key=nothing", None, 404, "key-not-found"),
    ("POST /run", {"key": "x", "processor": "nobody"}, 422, "unknown-processor"),
    ("POST /run", None, 422, "invalid-input"),
    ("POST /add", None, 422, "invalid-input"),
    ("POST /add?key=x", None, 422, "invalid-input"),
    ("POST /add", {"key": "x"}, 422, "invalid-input"),
    ("POST /add", {"key": "x", "value": "y", "more": 1}, 422, "invalid-input"),
    ("POST /add?key=x&value=y&key=", None, 422, "invalid-input"),
    ("GET /read", None, 422, "invalid-input"),
    ("GET /read?key=nothing", None, 404, "key-not-found"),
    ("GET /tasks/nothing", None, 404, "task-not-found"),
    ("GET /tasks/nothing?wait=31", None, 422, "invalid-input"),
    ("GET /alerts/nothing", None, 404, "alert-not-found"),
    ("GET /alerts?cursor=nothing", None, 422, "invalid-input"),
    ("POST /messages", {"text": "x", "mode": "later"}, 422, "invalid-input"),
    ("POST /messages", {"text": "x", "processor": "nobody"}, 422, "unknown-processor"),
    ("POST /messages", {"text": "x", "mode": "sync"}, 503, "unavailable"),
    ("POST /scan", {}, 422, "invalid-input"),
    ("POST /scan", {"text": "x", "texts": ["y"]}, 422, "invalid-input"),
    ("POST /scan", {"texts": ["x"] * 1001}, 422, "invalid-input"),
)


async def test_each_rejection_has_its_problem_type(client: AsyncClient) -> None:
    """Every rejection has its status and its type; malformed input raises an alert too."""
    raised = 0
    for request_line, body, status, kind in REJECTED:
        answer = await client.request(*request_line.split(" "), json=body)
        told = (request_line, answer.status_code, answer.json()["type"])
        assert (request_line, status, f"/problems/{kind}") == told
        raised += status == 422
    # Those of one cause are told together, and counted in the background.
    counts: Counter[str] = Counter()
    async with asyncio.timeout(60):
        while counts.total() < raised:
            groups = (await client.get("/alert-groups")).json()["groups"]
            counts = Counter(group["type"] for group in groups for _ in range(group["count"]))
    assert {"InvalidInput": raised} == counts


async def test_a_message_is_accepted_or_rejected(client: AsyncClient, redis: Redis) -> None:
    """A clean message is queued; one with a secret is rejected and leaves nothing in the queue."""
    assert 202 == (await client.post("/messages", json={"text": "hello"})).status_code
    refused = await client.post("/messages", json={"text": "password=Tr0ub4dor&3"})
    assert (422, "text") == (refused.status_code, refused.json()["findings"][0]["field"])
    await _until(lambda: redis.llen("celery") == 1)


async def test_a_refused_retry_leaves_the_task_as_it_is(client: AsyncClient, redis: Redis) -> None:
    """It has not ended in the ledger: what Redis knows of its run stays, so it does not run again."""
    task_id = (await client.post("/messages", json={"text": "hello"})).json()["task_id"]
    redis.hset(RECORD_PREFIX + task_id, "has_ended", "1")
    assert 409 == (await client.post(f"/tasks/{task_id}/retry")).status_code
    assert redis.exists(RECORD_PREFIX + task_id)
    assert 200 == (await client.post(f"/tasks/{task_id}/cancel")).status_code
    retried = await client.post(f"/tasks/{task_id}/retry")
    assert (200, "queued", 0) == (retried.status_code, retried.json()["state"], redis.exists(RECORD_PREFIX + task_id))


async def test_a_message_is_no_result(client: AsyncClient, redis: Redis) -> None:
    """The body of a message in the place of a result is taken for none: the task is read, and subjects are erased."""
    task_id = (await client.post("/messages", json={"text": "hello"})).json()["task_id"]
    await _until(lambda: redis.llen("celery") == 1)
    redis.set(RESULT_PREFIX + task_id, base64.b64decode(json.loads(redis.lindex("celery", 0))["body"]))
    assert "queued" == (await client.get(f"/tasks/{task_id}")).json()["state"]
    erased = await client.request("DELETE", "/subjects", json={"value": "a common word"})
    assert erased.status_code in (200, 202)


@pytest.mark.parametrize("value", ["     ", "   a", "--1--", "1    2", "%20%20%20%20", "<<>>@", "\u200b" * 4])
async def test_too_little_to_search_for_erases_nothing(client: AsyncClient, value: str) -> None:
    """A blank value would be in every text; what is left of a value without separators has four characters at least."""
    await client.post("/add", json={"key": "a", "value": "a 1 @ 1-2 b"})
    refused = await client.request("DELETE", "/subjects", json={"value": value})
    assert (422, "body/value") == (refused.status_code, refused.json()["errors"][0]["where"])
    assert 200 == (await client.get("/read", params={"key": "a"})).status_code


async def test_a_long_erasure_has_an_address(client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The 202 says where its progress is; there it ends with the counts and without the value; others are unknown."""
    monkeypatch.setattr(job, "ANSWER_AFTER_S", 0.0)
    run_page, may_run = ErasureStages.run_page, asyncio.Event()

    async def run_later(stages: ErasureStages, record: ErasureRecord) -> ErasureRecord | None:
        await may_run.wait()
        return await run_page(stages, record)

    monkeypatch.setattr(ErasureStages, "run_page", run_later)
    await client.post("/add", json={"key": "a", "value": "customer K-48213"})
    await client.post("/add", json={"key": "b", "value": "customer K-482137"}, headers={"Idempotency-Key": "once"})
    started = await client.request("DELETE", "/subjects", json={"value": "K-48213"})
    address = started.headers["location"]
    assert (202, "running", address.rpartition("/")[2]) == (
        started.status_code,
        started.json()["state"],
        started.json()["erasure_id"],
    )
    may_run.set()
    async with asyncio.timeout(60):
        while (ended := (await client.get(address)).json())["state"] == "running":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert (1, 0) == (ended["erased"], ended["unreadable"])
    assert "K-48213" not in json.dumps(ended)
    assert [404, 200] == [(await client.get("/read", params={"key": key})).status_code for key in ("a", "b")]
    unknown = await client.get(f"/subjects/erasures/{'0' * 32}")
    assert (404, "/problems/erasure-not-found") == (unknown.status_code, unknown.json()["type"])


async def test_an_erased_reply_has_no_second_effect(client: AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply that named the subject is gone; its request, repeated, is refused and writes nothing."""
    monkeypatch.setattr(job, "ANSWER_AFTER_S", 60.0)
    key, once = "customer K-48213", {"Idempotency-Key": "once"}
    assert 200 == (await client.post("/add", json={"key": key, "value": "x"}, headers=once)).status_code
    erased = (await client.request("DELETE", "/subjects", json={"value": "K-48213"})).json()
    assert 2 == erased["entries_erased"]
    assert 409 == (await client.post("/add", json={"key": key, "value": "x"}, headers=once)).status_code
    assert 404 == (await client.get("/read", params={"key": key})).status_code


async def test_a_callers_own_size_is_that_callers_error(client_settings: ClientSettings, database_port: int) -> None:
    """A text that fits into the request of its caller, and not into that to the database service; others are served."""
    detection = client_settings.detection.model_copy(update={"scan_budget_ms": 60_000})
    patient = client_settings.model_copy(update={"detection": detection})
    async with _database(patient, database_port), _client_of(patient) as client:
        huge = client.post("/messages", json={"text": "\x01" * 699_040})
        answers = await asyncio.gather(huge, *(client.post("/messages", json={"text": "hello"}) for _ in range(5)))
    assert [413, *[202] * 5] == [answer.status_code for answer in answers]
    assert "/problems/too-large" == answers[0].json()["type"]


async def test_scanning_stores_and_alerts_nothing(client: AsyncClient) -> None:
    """One text or many: findings in the order of the texts, with offsets in code points."""
    one = await client.post("/scan", json={"text": f"🔑 {MAIL}"})
    assert [("EMAIL_ADDRESS", 2, 2 + len(MAIL))] == [
        (finding["entity"], finding["start"], finding["end"]) for finding in one.json()["findings"]
    ]
    many = await client.post("/scan", json={"texts": ["hello", MAIL, ""]})
    assert [0, 1, 0] == [len(result["findings"]) for result in many.json()["results"]]
    assert [] == (await client.get("/alerts")).json()["alerts"]
    assert MAIL not in one.text + many.text


async def test_an_unavailable_database_is_a_503_and_recovers(
    client_settings: ClientSettings, database_port: int
) -> None:
    """Writing, reading and running name the unavailable service and when to retry; once it is back, all succeed."""
    async with _client_of(client_settings) as client:
        for attempt in ("/add?key=a&value=b", "/run?key=a"):
            answer = await client.post(attempt)
            assert (503, "database") == (answer.status_code, answer.json()["part"])
            assert int(answer.headers["retry-after"]) >= 1
        await _until_missing(client, "database")
        async with _database(client_settings, database_port):
            assert 200 == (await client.post("/add?key=a&value=b")).status_code
            assert 202 == (await client.post("/run?key=a")).status_code
            await _until_missing(client, None)


async def test_an_unavailable_queue_blocks_no_task(client_settings: ClientSettings, database_port: int) -> None:
    """Entries are served, tasks are accepted and can be read; only the readiness names the queue."""
    without = client_settings.model_copy(update={"redis_url": "unix:///nowhere/redis.sock"})
    async with _database(without, database_port), _client_of(without) as client:
        assert 200 == (await client.post("/add?key=a&value=b")).status_code
        for path, body in (("/run?key=a", None), ("/messages", {"text": "x"})):
            answer = await client.post(path, json=body)
            assert 202 == answer.status_code
            assert "queued" == (await client.get(answer.json()["status_url"])).json()["state"]
        await _until_missing(client, "queue")


async def test_a_request_id_that_holds_personal_data_is_replaced(client: AsyncClient) -> None:
    """Ids that callers choose go into logs and reports, so they are scanned as well."""
    answer = await client.get("/alerts", headers={"X-Request-ID": "4111-1111-1111-1111"})
    assert "4111-1111-1111-1111" != answer.headers["x-request-id"]


async def test_a_request_id_that_cannot_be_scanned_is_replaced(client_settings: ClientSettings) -> None:
    """A scan of an id that exceeds its time fails no request, and the id is not logged."""
    detection = client_settings.detection.model_copy(update={"max_text_chars": 3})
    async with _client_of(client_settings.model_copy(update={"detection": detection})) as client:
        answer = await client.get("/alerts", headers={"X-Request-ID": "a-long-id"})
    assert 200 == answer.status_code
    assert "a-long-id" != answer.headers["x-request-id"]


def test_nested_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The limits of detection can be set one by one, and the policy of single entities as JSON."""
    monkeypatch.setenv("VESTIBULE_DETECTION__MAX_TEXT_CHARS", "77")
    monkeypatch.setenv("VESTIBULE_ENTITY_POLICY", '{"EMAIL_ADDRESS": "redact"}')
    read = ClientSettings(data_dir=tmp_path)
    assert (77, {"EMAIL_ADDRESS": Action.REDACT}) == (read.detection.max_text_chars, read.entity_policy)


@pytest.mark.parametrize("is_fast", [True, False])
async def test_streams_are_scanned_by_either_dispatch(client_settings: ClientSettings, *, is_fast: bool) -> None:
    """Lines, rows and refusals are the same without the fast dispatch; no database is needed."""
    app = create_app(client_settings)
    if not is_fast:
        app.user_middleware = [one for one in app.user_middleware if one.cls is not FastDispatch]
    headers = {"Authorization": "Bearer SECRET_TOKEN"}
    transport = ASGITransport(app, raise_app_exceptions=False)
    lines, rows = f'{{"text": "to {MAIL}", "id": 1}}\nbad', f"a,b\n{MAIL},c\n"
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as caller,
    ):
        of_lines = await caller.post("/scan", content=lines, headers={"Content-Type": "application/x-ndjson"})
        of_rows = await caller.post("/scan?columns=a", content=rows, headers={"Content-Type": "text/csv"})
        refused = await caller.post("/scan?columns=c", content=rows, headers={"Content-Type": "text/csv"})
        charset = await caller.post("/scan", content=rows, headers={"Content-Type": "text/csv; charset=latin-1"})
        unknown = await caller.post("/scan", content=rows, headers={"Content-Type": "text/csv", "Authorization": "no"})
    assert [200, 200, 422, 415, 401] == [one.status_code for one in (of_lines, of_rows, refused, charset, unknown)]
    first, second = map(json.loads, of_lines.text.splitlines())
    assert ({"line", "id", "findings"}, {"line", "problem"}) == (first.keys(), second.keys())
    (row,) = map(json.loads, of_rows.text.splitlines())
    assert [("a", "EMAIL_ADDRESS")] == [(one["column"], one["entity"]) for one in row["findings"]]
