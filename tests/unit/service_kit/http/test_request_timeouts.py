"""Connections that wait too long, or are too many: they are closed, and other callers are served."""

import asyncio
import http.client
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from vestibule.service_kit.http import server as server_module
from vestibule.service_kit.http.server import Limits, RequestTimeouts, timeout_protocol

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


async def _read(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


class _Served:
    """A server in this process, and connections that send part of a body."""

    def __init__(self, port: int, body_timeout_s: float = 60) -> None:
        self.port = port
        limits = Limits(head_timeout_s=60, body_timeout_s=body_timeout_s, most_connections=1_000)
        app = Starlette(routes=[Route("/", _read, methods=["POST"])])
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
    monkeypatch.setattr(server_module, "MOST_BODIES_PER_TOKEN", 4)
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
    monkeypatch.setattr(server_module, "MOST_BODIES", 4)
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
