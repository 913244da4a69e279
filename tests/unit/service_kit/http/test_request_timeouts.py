"""Connections that wait too long, or are too many: they are closed, and other callers are served."""

import asyncio
import http.client
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from vestibule.service_kit.http import connections
from vestibule.service_kit.http.connections import Limits, RequestTimeouts, timeout_protocol
from vestibule.service_kit.http.middleware import IS_LATE

SERVER = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300))
from fastapi import FastAPI
from vestibule.service_kit.http.server import run_server
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.settings import ServiceSettings
from vestibule.service_kit.wiring import ServiceFrame, attach_frame

app = FastAPI()
attach_frame(app, ServiceFrame("bare", Metrics("bare")))

@app.get("/")
async def answer():
    return "here"

run_server(app, ServiceSettings(port=int(sys.argv[1])))
"""


def test_where_descriptors_run_out_those_who_hold_them_longest_make_room(
    free_port: int, wait_until: Callable[..., Any]
) -> None:
    """With more silent connections than the process may have descriptors, a new caller is still answered."""
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(free_port)])
    silent: list[socket.socket] = []

    def status() -> int:
        connection = http.client.HTTPConnection("127.0.0.1", free_port, timeout=60)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status
        except ConnectionRefusedError:
            return 0
        finally:
            connection.close()

    try:
        wait_until(lambda: status() == 200, what="the server")
        for _ in range(400):
            silent.append(socket.create_connection(("127.0.0.1", free_port), 60))
        assert [200] * 3 == [status() for _ in range(3)]
        assert b"" == silent[0].recv(1)
    finally:
        for connection in silent:
            connection.close()
        server.terminate()
        server.wait(60)


class _Transport(asyncio.Transport):
    """A connection without a peer."""

    def write(self, data: Any) -> None:
        """Send nothing."""

    def close(self) -> None:
        """Have nothing to close."""


async def _read(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


class _Served:
    """A server in this process, and connections that send part of a body."""

    def __init__(self, port: int, endpoint: Callable[..., Any] = _read, *, body_timeout_s: float = 60) -> None:
        self.port = port
        limits = Limits(head_timeout_s=60, body_timeout_s=body_timeout_s, most_connections=1_000)
        app = Starlette(routes=[Route("/", endpoint, methods=["POST"])])
        protocol = timeout_protocol(RequestTimeouts(limits))
        self._server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, http=protocol, log_config=None))

    async def __aenter__(self) -> "_Served":
        self._serving = asyncio.create_task(self._server.serve())
        while not self._server.started:  # noqa: ASYNC110 - uvicorn offers nothing to wait for
            await asyncio.sleep(0.01)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._server.should_exit = True
        await self._serving

    async def begin(self, token: str, body: bytes, of: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Send the head of a request with `of` bytes, and `body` of them."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        head = f"POST / HTTP/1.1\r\nHost: it\r\nAuthorization: Bearer {token}\r\nContent-Length: {of}\r\n\r\n"
        writer.write(head.encode() + body)
        return reader, writer


async def test_incomplete_bodies_are_bounded_for_each_token(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one token's too many the slowest get a 429; the others, and another token's, are served when they end."""
    monkeypatch.setattr(connections, "MOST_BODIES_PER_TOKEN", 4)
    async with _Served(free_port) as served:
        neighbour = await served.begin("b", b"x", of=200)
        greedy = [await served.begin("a", b"x" * (1 + number), of=200) for number in range(9)]
        answers = [await asyncio.wait_for(reader.read(), 30) for reader, _ in greedy[:5]]
        assert [b"429"] * 5 == [answer[9:12] for answer in answers]
        assert all(b"retry-after: 1" in answer and b"/problems/too-many-uploads" in answer for answer in answers)
        for sent, (reader, writer) in [(1, neighbour), *((1 + number, greedy[number]) for number in range(5, 9))]:
            writer.write(b"x" * (200 - sent))
            assert b" 200 " in await asyncio.wait_for(reader.readline(), 30)
            writer.close()


async def test_incomplete_bodies_are_bounded_in_all(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where many tokens hold too many together, the one who holds most makes room."""
    monkeypatch.setattr(connections, "MOST_BODIES", 4)
    async with _Served(free_port) as served:
        neighbours = [await served.begin(token, b"x", of=2) for token in ("b", "c")]
        greedy = [await served.begin("a", b"x", of=2) for _ in range(4)]
        ended = [asyncio.create_task(reader.read()) for reader, _ in greedy]
        async with asyncio.timeout(30):
            while sum(task.done() for task in ended) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert [b"503"] * 2 == [task.result()[9:12] for task in ended if task.done()]
        for reader, writer in neighbours:
            writer.write(b"x")
            assert b" 200 " in await asyncio.wait_for(reader.readline(), 30)
            writer.close()
        for task, (_, writer) in zip(ended, greedy, strict=True):
            writer.close()
            task.cancel()


async def test_most_of_a_body_at_once_buys_no_more_time_than_one_timeout(free_port: int) -> None:
    """A caller that sends a megabyte and then nothing is ended like others; its bytes would last four minutes."""
    async with _Served(free_port, body_timeout_s=0.5) as served:
        reader, writer = await served.begin("a", b"x" * 1_000_000, of=1_000_001)
        assert b" 408 " in await asyncio.wait_for(reader.readline(), 30)
        writer.close()


async def test_a_flood_that_waits_for_its_turns_is_served_whole(
    free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests that arrive together begin by turns, whole ones and those whose bodies come later; none is lost."""
    # How many bodies may be incomplete for a second is the subject of others.
    monkeypatch.setattr(connections, "MOST_BODIES_PER_TOKEN", 1_000)
    begun: list[str] = []

    async def note(request: Request) -> PlainTextResponse:
        begun.append(request.headers["authorization"])
        return PlainTextResponse(str(len(await request.body())))

    async with _Served(free_port, note) as served:
        flood = [await served.begin("a", b"", of=1) for _ in range(100)]
        flood += [await served.begin("a", b"x", of=1) for _ in range(100)]
        reader, writer = await served.begin("b", b"x", of=1)
        for _, one in flood[:100]:
            one.write(b"x")
        for answer, one in [*flood, (reader, writer)]:
            assert b" 200 " in await asyncio.wait_for(answer.readline(), 30)
            one.close()
    assert 201 == len(begun)


async def test_large_bodies_that_wait_to_be_parsed_are_bounded(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one token one is parsed and one waits; the third gets a 429, and the others are served."""
    monkeypatch.setattr(connections, "MOST_BODIES_PER_TOKEN", 1)
    size = connections.LARGE_BODY_BYTES + 1
    async with _Served(free_port) as served:
        held = [await served.begin("a", b"x", of=size) for _ in range(3)]
        for _, writer in held:
            writer.write(b"x" * (size - 1))
        answers = [await asyncio.wait_for(reader.readline(), 30) for reader, _ in held]
        for _, writer in held:
            writer.close()
    assert 2 <= sum(b" 200 " in answer for answer in answers)
    assert all(b" 200 " in answer or b" 429 " in answer for answer in answers)


async def test_only_the_holder_of_too_many_waiting_requests_is_shed(free_port: int) -> None:
    """Its further requests are marked to be rejected, and begin at once; those of another are not."""
    timeouts = RequestTimeouts(Limits(60, 60, 1_000, shed_after_s=0))
    since = timeouts.turns.clock()
    waiting: list[int] = []
    for number in range(1 + connections.LATE_UNTIL_SHED):
        timeouts.turns.take(b"a", partial(waiting.append, number))
    while timeouts.turns.clock() <= since:
        pass
    marked: dict[str, bool] = {}

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        marked[dict(scope["headers"])[b"authorization"].decode()] = IS_LATE in scope
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    config = uvicorn.Config(app, http=timeout_protocol(timeouts), log_config=None, lifespan="off")
    config.load()
    state = uvicorn.server.ServerState()
    for token in "ab":
        protocol: Any = config.http_protocol_class(config, state, {})
        protocol.connection_made(_Transport())
        protocol.data_received(f"GET / HTTP/1.1\r\nHost: it\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    await asyncio.gather(*state.tasks)
    assert {"Bearer a": True, "Bearer b": False} == marked


@pytest.mark.parametrize(
    ("head", "holder"),
    [
        ("Authorization: Bearer one\r\n", b"one"),
        ("X-API-Key: one\r\n", b"one"),
        ("X-API-Key: two\r\nAuthorization: Bearer one\r\n", b"two"),
        ("X-Other: one\r\n", "192.0.2.1"),
    ],
)
async def test_a_request_is_held_by_its_token_whichever_header_has_it(head: str, holder: object) -> None:
    """Without one by its address."""
    held = []

    class Noting(timeout_protocol(RequestTimeouts(Limits(60, 60, 1_000)))):  # type: ignore[misc]
        def _start_asgi_task(self, cycle: Any, _app: Any) -> None:
            held.append(self._holder_of(cycle.scope["headers"]))

    config = uvicorn.Config(_read, http=Noting, log_config=None)
    config.load()
    protocol = Noting(config=config, server_state=uvicorn.server.ServerState(), app_state={})
    protocol.connection_made(_Transport())
    protocol.client = ("192.0.2.1", 1)
    protocol.data_received(f"GET / HTTP/1.1\r\nHost: it\r\n{head}\r\n".encode())
    assert [holder] == held
