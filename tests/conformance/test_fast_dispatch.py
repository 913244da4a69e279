"""Fast dispatch and the framework answer every request the same, for every route of every service."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import structlog
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from servers.openapi_requests import Operation, Sent, operations
from servers.redis import redis_on_socket
from vestibule.business_logic_service.main import create_app as create_business_logic
from vestibule.business_logic_service.settings import BusinessLogicSettings
from vestibule.client_service.erasure import job as erasure_job
from vestibule.client_service.main import create_app as create_client
from vestibule.client_service.settings import ClientSettings
from vestibule.database_service.main import create_app as create_database
from vestibule.database_service.settings import DatabaseSettings
from vestibule.detection import DetectionSettings
from vestibule.encryption import create_key_ring
from vestibule.runtime.files import write_private
from vestibule.scheduler_service.main import create_app as create_scheduler
from vestibule.scheduler_service.settings import SchedulerSettings
from vestibule.service_kit.auth.token_file import create_token
from vestibule.service_kit.fast_dispatch.fast_dispatch import FastDispatch, FastRoute

SECRET = "s" * 43
MAX_BODY_BYTES = 20_000
SERVER_ERROR = 500
FORM = "[forms.contact]\nother_fields = true\n"
ASKED_MOST = {"POST /add", "GET /read", "POST /run", "POST /messages", "POST /write", "POST /process"}
DETECTION = DetectionSettings(entities=frozenset({"EMAIL_ADDRESS"}))
# What differs between two services that did the same: ids, signatures, moments and how long something took.
RANDOM = (
    (re.compile(rb"vst_[\w-]{43}"), b"<token>"),
    (re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), b"<uuid>"),
    (re.compile(rb"eyJ[\w.-]+"), b"<signed>"),
    (re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"), b"<moment>"),
    # The confirmation of a bulk action is its end and a signature of that.
    (re.compile(rb"\b\d{10}\.[0-9a-f]{32}\b"), b"<confirmation>"),
    (re.compile(rb"\b\d{10}\.\d+"), b"<moment>"),
    (re.compile(rb'"[0-9a-f]{12,64}"'), b'"<id>"'),
    # A service takes no request id of a stranger.
    (re.compile(rb"(^|urn:request:)[0-9a-f]{32}\b"), rb"\1<id>"),
    (re.compile(rb'"(latency_ms|took_s)":[\d.e-]+'), rb'"\1":<time>'),
    (re.compile(rb'"saved_at":(null|"<moment>")'), b'"saved_at":<moment>'),
    (re.compile(rb"(?m)^(\w+(?:_bucket|_sum|_seconds)\{.*\}) \S+$"), rb"\1 <time>"),
    # A heartbeat of the requests is missed by the clock.
    (re.compile(rb'(?m)^vestibule_alerts_total\{.*type="HeartbeatMissed"\} \S+\n?'), b""),
    # Changes that come close together are read at once.
    (re.compile(rb'(?m)^(\w+_count\{operation="changes".*\}) \S+$'), rb"\1 <count>"),
    (re.compile(rb"(?m)^(\w+_bytes(?:\{.*\})?) \S+$"), rb"\1 <size>"),
    (re.compile(rb"(?m)^(process_\w+(?:\{.*\})?) \S+$"), rb"\1 <measured>"),
)


@dataclass(frozen=True)
class Answer:
    """An answer without what is random, and whether it was dispatched fast."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    is_fast: bool

    @property
    def shown(self) -> tuple[object, ...]:
        """What a caller sees of it."""
        return self.status, self.headers, self.body


async def _ask(app: FastAPI, sent: Sent) -> Answer:
    """Send a request as uvicorn hands it on; a caller that has sent all of it waits for the head of a stream alone."""
    messages: list[Any] = []
    pieces = list(sent.body or (b"",))

    async def receive() -> dict[str, Any]:
        if not pieces:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        messages.append(message)

    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": sent.method,
        "path": unquote(sent.path), "raw_path": sent.path.encode(), "query_string": sent.query.encode("latin-1"),
        "root_path": "", "scheme": "http", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        "headers": [(name.encode(), value.encode()) for name, value in sent.headers], "state": {},
    }  # fmt: skip
    await app(scope, receive, send)
    start, *rest = messages
    content = b"".join(message.get("body", b"") for message in rest)
    headers = {name: value for name, value in start["headers"] if name == b"content-length"}
    assert headers.get(b"content-length", b"%d" % len(content)) == b"%d" % len(content) or sent.method == "HEAD"
    shown = [(name, _without_random(value)) for name, value in start["headers"] if name != b"content-length"]
    is_event_stream = (b"content-type", b"text/event-stream; charset=utf-8") in shown
    body = b"" if is_event_stream else _without_random(content)
    if unquote(sent.path).startswith("/status"):
        # Probes measure, and the lease moves with the clock: the members are compared, and not the values.
        is_page = (b"content-type", b"text/html; charset=utf-8") in shown
        body = b"" if is_page else re.sub(rb':("[^"]*"|[\d.e-]+|null|true|false|<\w+>)', b":<value>", body)
    # What services write in the background is searched, too.
    body = re.sub(rb'"((?:entries_|results_)?examined)":\d+', rb'"\1":0', body)
    for name in (b"alerts", b"groups", b"decisions", b"counts", b"lines"):
        # Malformed requests are listed once for each group; groups, decisions and acts arrive in the background.
        if body.startswith(b'{"%b":[' % name):
            body = b'{"%b":[...]}' % name
    if sent.path == "/decisions/rates":
        # A minute may begin between the two.
        body = re.sub(rb":\[.*\]", b":[...]", body)
    if sent.path == "/metrics":
        body = b"\n".join(sorted(body.splitlines()))  # in the order in which they were counted first
    return Answer(start["status"], sorted(shown), body, "vestibule.is_fast" in scope)


def _without_random(text: bytes) -> bytes:
    for pattern, name in RANDOM:
        text = pattern.sub(name, text)
    return text


@dataclass
class Way:
    """One of the two ways to dispatch: a service with a store of its own, and the same keys and tokens as the other."""

    home: Path
    redis_url: str
    database_url: str
    is_fast: bool

    def create(self, service: str) -> FastAPI:
        """Return a service of this way."""
        common: dict[str, Any] = {
            "data_dir": self.home,
            "max_body_bytes": MAX_BODY_BYTES,
            "alert_channels": [],
            # Neither limit is the subject, and both depend on the clock.
            "auth_failures_per_minute": 1_000_000,
            "load_shed_after_s": 0,
            "service_timeout_s": 60,
        }
        peers: dict[str, Any] = {"redis_url": self.redis_url, "business_logic_url": "", "detection": DETECTION}
        peers["database_service_url"] = self.database_url
        match service:
            case "client":
                app = create_client(ClientSettings(callback_secret=SecretStr(SECRET), **peers, **common))
            case "database":
                app = create_database(DatabaseSettings(**common), sweep_interval_s=3600)
            case "business_logic":
                app = create_business_logic(BusinessLogicSettings(detection=DETECTION, **common))
            case _:
                settings = SchedulerSettings(client_service_url="", probe_interval_s=3600, **peers, **common)
                app = create_scheduler(settings)
        if not self.is_fast:
            app.user_middleware = [one for one in app.user_middleware if one.cls is not FastDispatch]
        return app


@contextmanager
def _ways(folder: Path) -> Iterator[list[Way]]:
    write_private(folder / "keys" / "service_secret", SECRET.encode())
    create_key_ring(folder / "keys" / "keyring.json")
    with ExitStack() as stack:
        ways = []
        for name in ("fast", "framework"):
            redis = stack.enter_context(redis_on_socket())
            way = Way(folder / name, redis.url, f"unix://{redis.folder}/database.sock", name == "fast")
            ways.append(way)
        yield ways


@asynccontextmanager
async def _running(way: Way, service: str) -> AsyncIterator[FastAPI]:
    """Run a service, and the database service where it calls that."""
    app = way.create(service)
    async with AsyncExitStack() as stack:
        if service in {"client", "scheduler"}:
            await stack.enter_async_context(_on_socket(way.create("database"), way.database_url))
        await stack.enter_async_context(app.router.lifespan_context(app))
        yield app


@asynccontextmanager
async def _on_socket(app: FastAPI, url: str) -> AsyncIterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, uds=url.removeprefix("unix://"), log_config=None, access_log=False))
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(30):
            while not server.started:  # noqa: ASYNC110 - uvicorn offers nothing to wait for
                await asyncio.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        await serving


@pytest.fixture
def quiet_log() -> Iterator[None]:
    """Drop what is logged: the line of a request is another test's subject."""
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, _drop])
    yield
    structlog.reset_defaults()


def _drop(_logger: Any, _method: str, _event: Any) -> Any:
    raise structlog.DropEvent


def _covered(app: FastAPI) -> set[str]:
    """Return the operations that are dispatched fast: covered by a plan, with no parameter within the path."""
    routers = next(one.kwargs["routers"] for one in app.user_middleware if one.cls is FastDispatch)
    routes = [route for router in routers for route in router.routes if isinstance(route, FastRoute)]
    found = [route for route in routes if route.is_covered and "}/" not in route.path]
    return {f"{method} {route.path}" for route in found for method in route.methods}


@pytest.mark.parametrize("service", ["client", "database", "business_logic", "scheduler"])
async def test_every_route_answers_the_same_by_either_dispatch(
    service: str, tmp_path: Path, quiet_log: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status, headers and body of valid and invalid requests are the same, and valid ones are dispatched fast.

    No request is beyond what a service understands, whatever number it has where.
    """
    # A search or an erasure that takes long is answered otherwise.
    monkeypatch.setattr(erasure_job, "ANSWER_AFTER_S", 60.0)
    differences: list[Any] = []
    failures: list[Any] = []
    dispatched_fast: set[str] = set()
    with _ways(tmp_path) as ways:
        authorizations = _authorizations(tmp_path, service)
        for way in ways:
            way.home.mkdir()
            (way.home / "keys").symlink_to(tmp_path / "keys")
            (way.home / "policy.toml").write_text(FORM)
        async with _running(ways[0], service) as fast, _running(ways[1], service) as framework:
            if service == "scheduler":
                await _wait_for_probes([fast, framework], authorizations[0])
            asked = 0
            covered = _covered(fast)
            for operation in sorted(operations(fast.openapi(), authorizations), key=lambda one: one.path == "/metrics"):
                # What was counted is asked for once, after all else: to render it takes as long as many requests.
                is_metrics = operation.path == "/metrics"
                requests = [operation.valid()] if is_metrics else _requests(operation, covered)
                for sent in requests:
                    asked += 1
                    expected, actual = await _ask(framework, sent), await _ask(fast, sent)
                    assert not expected.is_fast
                    if actual.is_fast and sent.path == operation.valid().path and sent.method == operation.method:
                        dispatched_fast.add(f"{operation.method} {operation.path}")
                    # A mistake of a client of Presidio may be a 500 to it.
                    is_presidio = sent.path.startswith("/presidio/") and "The service failed" not in str(actual.shown)
                    if actual.status >= SERVER_ERROR and not is_presidio:
                        failures.append((sent, actual.shown))
                    if expected.shown != actual.shown:
                        differences.append((sent, expected.shown, actual.shown))
            assert [] == differences[:5]
            assert [] == failures[:5]
            assert covered == dispatched_fast
    assert asked > 100


def _requests(operation: Operation, covered: set[str]) -> Iterator[Sent]:
    """Yield the requests of an operation: all of those that are sent most, and some of the others, which take minutes.

    Which ones differs from operation to operation, so that each way to get one wrong is tried at many.
    """
    name = f"{operation.method} {operation.path}"
    # Both ways the framework serves those that no plan covers.
    every = 1 if name in ASKED_MOST else 5 if name in covered else 15
    first, *others = operation.requests(MAX_BODY_BYTES)
    yield first
    yield from islice(others, sum(name.encode()) % every, None, every)


async def _wait_for_probes(apps: list[FastAPI], authorization: str) -> None:
    """Wait until each part was probed once, which it is not again; of workers, where none runs, nothing is known."""
    status = Sent("GET", "/status").header("authorization", authorization)
    async with asyncio.timeout(60):
        while max([(await _ask(app, status)).body.count(b'"state":"unknown"') for app in apps]) > 1:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def _authorizations(folder: Path, service: str) -> tuple[str, str]:
    """Return what a caller shows that may do everything, and one that may do nothing."""
    everything, _ = create_token(folder / "keys" / "tokens.json", "everything", ["*"])
    nothing, _ = create_token(folder / "keys" / "tokens.json", "nothing", [])
    return f"Bearer {SECRET if service == 'database' else everything}", f"Bearer {nothing}"
