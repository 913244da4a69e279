"""How long a caller may take, and how much head a request may have: uvicorn's protocol with limits on both.

uvicorn waits for ever for the rest of a request, and takes a head of any size. Here whoever is too slow gets a 408, a
head that is too large a 431, and the connection ends. One look a second over those whose requests are on their way
costs nothing to the others.
"""

import asyncio
import http
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import uuid4

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from vestibule.service_kit.problem_types import MALFORMED_REQUEST, REQUEST_HEADERS_TOO_LARGE, REQUEST_TIMEOUT
from vestibule.service_kit.problems import render_problem

LOOK_EVERY_S = 1.0
# Time at a stop in which a request that is on its way has to come.
LAST_REQUEST_S = 0.5
# A body may take longer the more of it has come.
LEAST_BYTES_A_SECOND = 4096
# Path, query and headers of a request together.
MAX_HEAD_BYTES = 64 * 1024
# Descriptors that are kept for files, peers and the store.
SPARE_DESCRIPTORS = 200
# More than this no machine gives out where it names no limit.
MOST_DESCRIPTORS = 65_536

_REFUSALS = {one.status: one for one in (MALFORMED_REQUEST, REQUEST_TIMEOUT, REQUEST_HEADERS_TOO_LARGE)}


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for the head of a request and for its body, and how many connections fit."""

    head_timeout_s: float
    body_timeout_s: float
    most_connections: int


class RequestTimeouts:
    """Knows the connections whose requests are on their way, the one that began first at the front."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._coming: dict[TimeoutProtocol, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._made_room = 0
        # While the service stops, each answer is the last on its connection.
        self.is_shutting_down = False
        self._log = structlog.get_logger("vestibule.server")

    def begin(self, connection: "TimeoutProtocol") -> None:
        """Expect the rest of a request."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.call_later(LOOK_EVERY_S, self._look)
        self._coming[connection] = self._loop.time()

    def end(self, connection: "TimeoutProtocol") -> None:
        """Expect nothing more."""
        self._coming.pop(connection, None)

    def is_waiting_for(self, connection: "TimeoutProtocol") -> bool:
        """Say whether the rest of a request is expected."""
        return connection in self._coming

    def make_room(self) -> None:
        """End the connection that has been at its request for longest."""
        oldest = next(iter(self._coming), None)
        if oldest is not None:
            self.end(oldest)
            oldest.refuse(408)
            self._made_room += 1

    def _look(self) -> None:
        assert self._loop is not None  # noqa: S101 - it is what called
        late = list(self._late(self._loop.time()))
        for connection in late:
            self.end(connection)
            connection.refuse(408)
        if late:
            self._log.info("slow_requests_timed_out", connections=len(late))
        if self._made_room:
            self._log.warning("connections_exhausted", most=self.limits.most_connections, ended=self._made_room)
            self._made_room = 0
        self._loop.call_later(LOOK_EVERY_S, self._look)

    def _late(self, now: float) -> Iterator["TimeoutProtocol"]:
        shortest_s = min(self.limits.head_timeout_s, self.limits.body_timeout_s)
        for connection, began_at in list(self._coming.items()):
            if now - began_at < shortest_s:
                return  # and so is it with all that began later
            if connection.is_over_time(now - began_at, self.limits):
                yield connection


class TimeoutProtocol(HttpToolsProtocol):
    """One connection. `timeout_protocol` returns the class that uvicorn takes."""

    timeouts: ClassVar[RequestTimeouts]
    _is_in_head = True
    _is_refused = False
    _head_bytes = 0
    _body_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; a request is expected from now on."""
        super().connection_made(transport)
        if len(self.connections) > self.timeouts.limits.most_connections:
            self.timeouts.make_room()
        self.timeouts.begin(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.timeouts.end(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came of a request, or of several."""
        if self._is_refused:
            return
        if not self.timeouts.is_waiting_for(self):
            self.timeouts.begin(self)
        self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_bytes > MAX_HEAD_BYTES:
            self.refuse(431)

    def on_message_begin(self) -> None:
        """Expect a head."""
        self._is_in_head, self._body_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Have the request served, unless its head is too large."""
        self._is_in_head = False
        # What came until now is more than the head mostly, and seldom too much: only then it is measured.
        if self._head_bytes > MAX_HEAD_BYTES and self._is_head_too_large():
            self.refuse(431)
        if not self._is_refused:
            super().on_headers_complete()
            self.cycle.keep_alive &= not self.timeouts.is_shutting_down

    def on_body(self, body: bytes) -> None:
        """Take some of the body."""
        self._body_bytes += len(body)
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Expect nothing more until the next request begins."""
        self.timeouts.end(self)
        self._head_bytes = 0
        if not self._is_refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer to what is not HTTP as to everything else that cannot be taken."""
        del msg
        self.refuse(400)

    def shutdown(self) -> None:
        """Begin to end, at a stop: whoever has just come may have sent a request that we have not read yet."""
        if self.timeouts.is_waiting_for(self):
            self.loop.call_later(LAST_REQUEST_S, super().shutdown)
        else:
            super().shutdown()

    def is_over_time(self, took_s: float, limits: Limits) -> bool:
        """Say whether the rest of the request has been awaited for too long."""
        if self._is_in_head:
            return took_s > limits.head_timeout_s
        # Where we do not read, it is not the caller who is slow.
        has_stopped_reading = self.flow.read_paused
        return not has_stopped_reading and took_s > limits.body_timeout_s + self._body_bytes / LEAST_BYTES_A_SECOND

    def refuse(self, status: int) -> None:
        """Answer with a problem, where no answer has begun, and end the connection."""
        self._is_refused = True
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            # A connection on which nothing came is told nothing.
            self.transport.write(_answer(status) if self._head_bytes or status != 408 else b"")
        self.transport.close()

    def _is_head_too_large(self) -> bool:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        return size > MAX_HEAD_BYTES


def timeout_protocol(timeouts: RequestTimeouts) -> type[TimeoutProtocol]:
    """Return the class of connections that share `timeouts`."""
    return type("Connection", (TimeoutProtocol,), {"timeouts": timeouts})


def raise_descriptor_limit() -> int:
    """Let this process have as many open connections as the machine allows it, and return how many these are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft < wanted or soft == resource.RLIM_INFINITY:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError):  # macOS has a limit beneath the one that it names
            wanted = soft
    else:
        wanted = soft
    return max(wanted - SPARE_DESCRIPTORS, wanted // 2)


def _answer(status: int) -> bytes:
    kind = _REFUSALS[status]
    request_id = uuid4().hex
    response = render_problem(kind, kind.detail, request_id)
    headers: list[tuple[bytes, Any]] = [*response.raw_headers, (b"connection", b"close")]
    headers.append((b"x-request-id", request_id.encode()))
    lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}".encode()]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join([*lines, b"", bytes(response.body)])
