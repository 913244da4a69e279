"""What a request costs, in counts that do not hang on the clock or the machine: a bound that breaks is a finding.

Both services run in this process, joined without a socket; store, queue, scanner, log and signatures are real.
"""

import asyncio
import gc
import io
import sqlite3
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import orjson
import pytest
import structlog
from fastapi import FastAPI
from redis import Redis

import vestibule
from vestibule.client_service.main import create_app
from vestibule.client_service.settings import ClientSettings
from vestibule.database_service.entries.sqlite import database as sqlite_database
from vestibule.database_service.main import create_app as create_database
from vestibule.database_service.settings import DatabaseSettings
from vestibule.service_kit.logging.log_sinks import LogStream
from vestibule.service_kit.logging.logging_config import LogOutput

HEADERS = {"Authorization": "Bearer SECRET_TOKEN", "Content-Type": "application/json"}
TEXT = "the quick brown fox jumps over the lazy dog and on"
SOURCE = f"{Path(vestibule.__file__).parent}/"
# Which service runs the current request; background work has none.
serving: ContextVar[str | None] = ContextVar("serving", default=None)


async def _ask(app: FastAPI, method: str, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    """Serve one request by `app` alone, without what a client of HTTP would do in this process."""
    status, content = 0, b""
    bare, _, query = path.partition("?")

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status, content
        status = message.get("status", status)
        content += message.get("body", b"")

    declared = {**headers, "Content-Length": str(len(body))}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": bare,
        "raw_path": bare.encode(), "query_string": query.encode(), "root_path": "", "scheme": "http",
        "headers": [(name.lower().encode(), value.encode()) for name, value in declared.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    await app(scope, receive, send)
    return status, content


class Counted:
    """A client service, and counts of its calls to other services."""

    def __init__(self, screener: FastAPI, calls: "Counter[str]", statements: "Counter[str]") -> None:
        self.screener, self.calls, self.statements = screener, calls, statements

    async def post(self, path: str, body: object) -> Any:
        """Send one request that is served."""
        status, content = await _ask(self.screener, "POST", path, HEADERS, orjson.dumps(body))
        assert status in {200, 202}, content
        return orjson.loads(content)

    async def add_many(self, count: int) -> None:
        """Add pairs, all at once."""
        await asyncio.gather(*(self.post("/add", {"key": f"k{number}", "value": TEXT}) for number in range(count)))

    def forget(self) -> None:
        """Count anew."""
        self.calls.clear()
        self.statements.clear()


@pytest.fixture
async def counted(settings: ClientSettings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Counted]:
    """Both services, warm."""
    calls: Counter[str] = Counter()
    statements: Counter[str] = Counter()
    connect = sqlite3.connect

    def traced(path: Path, **options: Any) -> sqlite3.Connection:
        connection = connect(path, **options)
        connection.set_trace_callback(lambda statement: statements.update([statement.split()[0].upper()]))
        return connection

    monkeypatch.setattr(sqlite_database.sqlite3, "connect", traced)
    # A machine that is busy with other tests may take long over a hundred requests.
    screener = create_app(settings.model_copy(update={"load_shed_after_s": 0}))
    database = create_database(DatabaseSettings(data_dir=settings.data_dir, embedded=True))

    @asynccontextmanager
    async def hop(
        _session: Any, method: str, url: str, *, data: bytes | None, headers: Mapping[str, str], **_: Any
    ) -> AsyncIterator[Any]:
        path = url.removeprefix(settings.database_service_url)
        calls[path] += 1
        token = serving.set(serving.get() and "database")
        sent = {"Content-Type": "application/json", **headers}
        status, content = await _ask(database, method, path, sent, data or b"")
        serving.reset(token)

        async def read() -> bytes:
            return content

        yield SimpleNamespace(status=status, read=read)

    monkeypatch.setattr(aiohttp.ClientSession, "request", hop)
    # What a line costs is another matter (benchmarks/log_lines.py).
    structlog.configure(processors=[_drop])
    async with database.router.lifespan_context(database), screener.router.lifespan_context(screener):
        app = Counted(screener, calls, statements)
        await app.add_many(20)
        app.forget()
        yield app
    structlog.reset_defaults()


def _drop(_logger: Any, _method: str, _event: Any) -> Any:
    raise structlog.DropEvent


async def test_adds_that_come_together_share_calls_and_commits(counted: Counted) -> None:
    """A hundred take a few calls to the database service, a statement each, and a few commits."""
    await counted.add_many(100)
    assert sum(counted.calls[path] for path in ("/write", "/write/independent")) <= 3
    # A second one each where there is a history to keep.
    assert counted.statements["INSERT"] <= 200
    assert counted.statements["COMMIT"] <= 20
    assert counted.statements["SELECT"] <= 10


async def test_runs_that_come_together_share_calls_commits_and_commands(counted: Counted, redis: "Redis") -> None:
    """A hundred take a few calls, a read and a record each, and a few commands of Redis beside them."""
    commands_before = _commands(redis)
    sent = await asyncio.gather(*(counted.post("/run", {"key": "k1"}) for _ in range(100)))
    assert 100 == len({one["task_id"] for one in sent})
    async with asyncio.timeout(20):
        while redis.llen("celery") < 100:  # noqa: ASYNC110 - Redis offers nothing to wait for
            await asyncio.sleep(0.02)
    assert counted.calls["/tasks/accept"] <= 6
    # A trigger counts each in its state, which SQLite shows as three.
    assert counted.statements["INSERT"] <= 320
    assert counted.statements["SELECT"] <= 220
    assert counted.statements["COMMIT"] <= 20
    pushed = _commands(redis) - commands_before
    assert pushed["cmdstat_lpush"] <= 10


async def test_an_add_takes_few_steps(counted: Counted) -> None:
    """From its head to its answer, over both services, an `/add` runs so many functions and not more.

    It was 1,670 by the framework's own way, and 446 with fast dispatch alone; each of them costs a tenth of a
    microsecond at least.
    """
    steps = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal steps
        steps += event == "call"

    rounds: list[int] = []
    for number in range(50):
        steps = 0
        sys.setprofile(count)
        try:
            await counted.post("/add", {"key": f"k{number}", "value": TEXT})
        finally:
            sys.setprofile(None)
        rounds.append(steps)
    # Some have steps of the polls in them: tokens, allowances, pauses.
    assert min(rounds) <= 390


async def test_an_add_runs_few_functions_of_ours(counted: Counted, settings: ClientSettings) -> None:
    """A clean `/add` runs at most so many different functions, those of the scanner left out; each is a place to read.

    It was 73 in the client service, and 56 in the database service.
    """
    # A coroutine that goes on is called again, maybe by the other service.
    frames: dict[Any, str | None] = {}

    def note(frame: Any, event: str, _argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(SOURCE):
            frames.setdefault(frame, serving.get())

    output = LogOutput("client", settings, LogStream(io.StringIO(), has_colour=False))
    logger = output.logger()
    structlog.configure(
        processors=[output.encode],
        logger_factory=lambda *_names: logger,
    )
    await counted.post("/add", {"key": "k1", "value": TEXT})
    token = serving.set("client")
    sys.setprofile(note)
    try:
        await counted.post("/add", {"key": "k1", "value": TEXT})
    finally:
        sys.setprofile(None)
        serving.reset(token)
        output.close()
    for service, most in (("client", 49), ("database", 47)):
        codes = dict.fromkeys(frame.f_code for frame, where in frames.items() if where == service)
        names = [f"{code.co_filename.removeprefix(SOURCE)} {code.co_qualname}" for code in codes]
        own = [name for name in names if not name.startswith("detection/") and not name.endswith(">")]
        assert 20 < len(own) <= most, "\n".join([f"{len(own)} in the {service} service:", *own])


async def test_an_add_leaves_nothing_behind(counted: Counted) -> None:
    """What an `/add` allocates is free again after it; the store alone grows, and a history has ten versions."""

    async def blocks_after(adds: int) -> int:
        for number in range(adds):
            await counted.post("/add", {"key": f"k{number % 10}", "value": TEXT})
        gc.collect()
        return sys.getallocatedblocks()

    await blocks_after(200)
    before = await blocks_after(200)
    assert await blocks_after(800) - before < 400


def _commands(redis: "Redis") -> "Counter[str]":
    found: Any = redis.info("commandstats")
    return Counter({name: int(stats["calls"]) for name, stats in found.items()})
