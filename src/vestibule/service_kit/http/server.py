"""Runs a service's application under uvicorn, with limits on how long a caller may take and how much head it sends.

uvicorn waits forever for the rest of a request, and accepts a head of any size. Here a caller that is too slow gets a
408, too large a head a 431, too many incomplete bodies a 429. One check a second covers all incomplete requests.
"""

import asyncio
import gc
import http
import os
import resource
import signal
import socket
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from operator import itemgetter
from types import FrameType
from typing import ClassVar
from uuid import uuid4

import structlog
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from vestibule.service_kit.http.middleware import BODY_IS_INCOMPLETE
from vestibule.service_kit.logging.logging_config import flush_log
from vestibule.service_kit.problem_types import (
    MALFORMED_REQUEST,
    OVERLOADED,
    REQUEST_HEADERS_TOO_LARGE,
    REQUEST_TIMEOUT,
    TOO_MANY_UPLOADS,
)
from vestibule.service_kit.problems import render_problem
from vestibule.service_kit.settings import UNIX_SCHEME, ServiceSettings
from vestibule.service_kit.wiring import frame_of

LOOK_EVERY_S = 1.0
# Seconds at shutdown in which a request that has begun has to arrive.
LAST_REQUEST_S = 0.5
# What arrives of a body extends its deadline at this rate, and never beyond a whole timeout from now.
LEAST_BYTES_A_SECOND = 4096
# Bodies that are incomplete after the grace period: this many fit for each token, and in all.
BODY_GRACE_S = 1.0
MOST_BODIES_PER_TOKEN = 64
MOST_BODIES = 256
# Path, query and headers of a request together.
MAX_HEAD_BYTES = 64 * 1024
# Descriptors that are reserved for files, peers and the store.
RESERVED_DESCRIPTORS = 200
# Used if the system names no limit.
MOST_DESCRIPTORS = 65_536
RETRY_AFTER_S = 1

_REFUSALS = {
    one.status: one
    for one in (MALFORMED_REQUEST, REQUEST_TIMEOUT, TOO_MANY_UPLOADS, REQUEST_HEADERS_TOO_LARGE, OVERLOADED)
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for the head of a request and for its body, and how many connections fit."""

    head_timeout_s: float
    body_timeout_s: float
    most_connections: int


class RequestTimeouts:
    """Tracks the connections with an incomplete request, the oldest first."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._coming: dict[TimeoutProtocol, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looked_at = 0.0
        self._evicted = 0
        # During shutdown each response is the last on its connection.
        self.is_shutting_down = False
        self._log = structlog.get_logger("vestibule.server")

    def begin(self, connection: "TimeoutProtocol") -> None:
        """Expect the rest of a request."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._looked_at = self._loop.time()
            self._loop.call_later(LOOK_EVERY_S, self._look)
        self._coming[connection] = self._loop.time()

    def end(self, connection: "TimeoutProtocol") -> None:
        """Expect no more of the request."""
        self._coming.pop(connection, None)

    def is_waiting_for(self, connection: "TimeoutProtocol") -> bool:
        """Say whether the rest of a request is expected."""
        return connection in self._coming

    def evict_oldest(self) -> None:
        """Close the connection whose request has been incomplete for longest."""
        oldest = next(iter(self._coming), None)
        if oldest is not None:
            self.end(oldest)
            oldest.refuse(408)
            self._evicted += 1

    def _look(self) -> None:
        assert self._loop is not None  # noqa: S101 - it is what called
        if late := list(self._late(now := self._loop.time())):
            self._refuse(late, 408)
            self._log.info("slow_requests_timed_out", connections=len(late))
        # After a pause of this process, bodies are incomplete because it has not read them yet.
        if now - self._looked_at < 2 * LOOK_EVERY_S:
            self._bound_bodies(now)
        self._looked_at = now
        if self._evicted:
            self._log.warning("connections_exhausted", most=self.limits.most_connections, ended=self._evicted)
            self._evicted = 0
        self._loop.call_later(LOOK_EVERY_S, self._look)

    def _refuse(self, connections: Iterable["TimeoutProtocol"], status: int) -> None:
        for connection in connections:
            self.end(connection)
            connection.refuse(status)

    def _late(self, now: float) -> Iterator["TimeoutProtocol"]:
        shortest_s = min(self.limits.head_timeout_s, self.limits.body_timeout_s)
        for connection, began_at in self._coming.items():
            if now - began_at < shortest_s:
                return  # all others began later
            if connection.is_over_time(now, now - began_at, self.limits):
                yield connection

    def _bound_bodies(self, now: float) -> None:
        """Close the slowest of those who have too many incomplete bodies, so that they take no other caller's place."""
        held: dict[object, list[tuple[float, TimeoutProtocol]]] = defaultdict(list)
        for connection, began_at in self._coming.items():
            age_s = now - began_at
            if age_s < BODY_GRACE_S:
                break  # all others began later
            if connection.is_sending_body:
                held[connection.holder].append((connection.received_bytes / age_s, connection))
        refused = []
        for bodies in held.values():
            bodies.sort(key=itemgetter(0), reverse=True)
            refused += bodies[MOST_BODIES_PER_TOKEN:]
            del bodies[MOST_BODIES_PER_TOKEN:]
        self._refuse((connection for _, connection in refused), 429)
        surplus = [max(held.values(), key=len).pop() for _ in range(sum(map(len, held.values())) - MOST_BODIES)]
        self._refuse((connection for _, connection in surplus), 503)
        if refused or surplus:
            self._log.warning("incomplete_bodies_refused", connections=len(refused) + len(surplus))


class TimeoutProtocol(HttpToolsProtocol):
    """One connection. `timeout_protocol` returns the class that uvicorn takes."""

    timeouts: ClassVar[RequestTimeouts]
    _is_in_head = True
    _is_complete = False
    _is_refused = False
    _head_bytes = 0
    # How much of the body has arrived, and how much of that has extended the deadline.
    received_bytes = 0
    _credited_bytes = 0
    _deadline: float | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the connection, and expect a request."""
        super().connection_made(transport)
        if len(self.connections) > self.timeouts.limits.most_connections:
            self.timeouts.evict_oldest()
        self.timeouts.begin(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.timeouts.end(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request, or of several."""
        if self._is_refused:
            return
        if not self.timeouts.is_waiting_for(self):
            self.timeouts.begin(self)
        self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head:
            if self._head_bytes > MAX_HEAD_BYTES:
                self.refuse(431)
        elif not self._is_complete:
            # The application, which begins later, measures its own time from the end of the body on.
            self.scope[BODY_IS_INCOMPLETE] = True  # type: ignore[literal-required]

    def on_message_begin(self) -> None:
        """Expect a head."""
        self._is_in_head, self._is_complete, self._deadline = True, False, None
        self.received_bytes = self._credited_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Serve the request, unless its head is too large."""
        self._is_in_head = False
        if not self.url.startswith(b"/"):  # names a host itself, which counts before `Host` (RFC 9112, 3.2.2)
            self.headers.append((b"host", self.url))
        # The bytes so far may include some of the body, so the head itself is measured only if they are too many.
        if self._head_bytes > MAX_HEAD_BYTES and self._is_head_too_large():
            self.refuse(431)
        if not self._is_refused:
            super().on_headers_complete()
            self.cycle.keep_alive &= not self.timeouts.is_shutting_down

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self.received_bytes += len(body)
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Expect nothing more until the next request begins."""
        self.timeouts.end(self)
        self._head_bytes, self._is_complete = 0, True
        if not self._is_refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer invalid HTTP with a problem document."""
        del msg
        self.refuse(400)

    def shutdown(self) -> None:
        """Start to close; a new connection may have sent a request that has not been read yet."""
        if self.timeouts.is_waiting_for(self):
            self.loop.call_later(LAST_REQUEST_S, super().shutdown)
        else:
            super().shutdown()

    @property
    def is_sending_body(self) -> bool:
        """Whether the rest of a body is awaited. While reading is paused, the service does not wait for the caller."""
        return not self._is_in_head and not self.flow.read_paused

    @property
    def holder(self) -> object:
        """Who sends the request: its token, valid or not, or else its address."""
        tokens = (value for name, value in self.headers if name == b"authorization")
        return next(tokens, self.client and self.client[0])

    def is_over_time(self, now: float, took_s: float, limits: Limits) -> bool:
        """Say whether the rest of the request has been awaited for too long."""
        if self._is_in_head:
            return took_s > limits.head_timeout_s
        if self.flow.read_paused:
            self._deadline = None
            return False
        latest = now + limits.body_timeout_s
        deadline = latest - took_s if self._deadline is None else self._deadline
        earned_s = (self.received_bytes - self._credited_bytes) / LEAST_BYTES_A_SECOND
        self._credited_bytes = self.received_bytes
        # Capped: who sends most of a body at once and then nothing has no more time than others.
        self._deadline = min(deadline + earned_s, latest)
        return now > self._deadline

    def refuse(self, status: int) -> None:
        """Answer with a problem, unless a response has begun, and close the connection."""
        self._is_refused = True
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            # A connection without a request gets no response.
            self.transport.write(_answer(status) if self._head_bytes or status != 408 else b"")
        self.transport.close()

    def _is_head_too_large(self) -> bool:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        return size > MAX_HEAD_BYTES


def timeout_protocol(timeouts: RequestTimeouts) -> type[TimeoutProtocol]:
    """Return the class of connections that share `timeouts`."""
    return type("Connection", (TimeoutProtocol,), {"timeouts": timeouts})


def raise_descriptor_limit() -> int:
    """Raise the limit of open files as far as the system allows, and return how many connections fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft < wanted or soft == resource.RLIM_INFINITY:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError):  # macOS has a lower limit than it names
            wanted = soft
    else:
        wanted = soft
    return max(wanted - RESERVED_DESCRIPTORS, wanted // 2)


def _answer(status: int) -> bytes:
    kind = _REFUSALS[status]
    request_id = uuid4().hex
    response = render_problem(kind, kind.detail, request_id)
    headers = [*response.raw_headers, (b"connection", b"close"), (b"x-request-id", request_id.encode())]
    if status in (429, 503):
        headers.append((b"retry-after", str(RETRY_AFTER_S).encode()))
    lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}".encode()]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join([*lines, b"", bytes(response.body)])


BACKLOG = 4096
KEEP_ALIVE_S = 75
FINAL_ACCEPT_S = 0.1
# A body may take this many times as long as a head.
BODY_TIMES = 2
STARTUP_FAILURE = 3  # as uvicorn's own program ends
COLLECT_AFTER_OBJECTS = 50_000


def run_server(app: FastAPI, settings: ServiceSettings) -> None:
    """Serve `app` until SIGTERM or SIGINT. `/readyz` then answers 503, and requests in flight are answered first."""
    signal.signal(signal.SIGTERM, _end)
    _freeze_objects()
    limits = Limits(settings.request_timeout_s, BODY_TIMES * settings.request_timeout_s, raise_descriptor_limit())
    timeouts = RequestTimeouts(limits)
    config = uvicorn.Config(
        app,
        http=timeout_protocol(timeouts),
        host=settings.host,
        port=settings.port,
        uds=settings.host.removeprefix(UNIX_SCHEME) if settings.host.startswith(UNIX_SCHEME) else None,
        # uvicorn's own log setup would print query strings.
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.shutdown_grace_s,
    )
    server = DrainingServer(config, app, timeouts, settings.shutdown_drain_s)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


class DrainingServer(uvicorn.Server):
    """Accepts requests for some seconds after the signal while `/readyz` is 503; uvicorn closes its socket at once."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, timeouts: RequestTimeouts, drain_s: float) -> None:
        super().__init__(config)
        self._app = app
        self._timeouts = timeouts
        self._drain_s = drain_s
        self._asked: tuple[int, FrameType | None] | None = None
        self._ends_at = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start to shut down; a second signal shuts down at once."""
        frame_of(self._app).is_shutting_down = self._timeouts.is_shutting_down = True
        if self._asked is not None or not self._drain_s:
            super().handle_exit(sig, frame)
            return
        self._asked, self._ends_at = (sig, frame), time.monotonic() + self._drain_s

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting connections, after those that the kernel has accepted already."""
        for listener in (one for server in self.servers for one in server.sockets):
            with socket.socket(fileno=os.dup(listener.fileno())) as ours:
                # The kernel queues no more. Queued connections are accepted now; closing the socket would reset them.
                ours.listen(0)
        await asyncio.sleep(FINAL_ACCEPT_S)
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Continue until load balancers had time to notice."""
        if self._asked is not None and not self.should_exit and time.monotonic() >= self._ends_at:
            super().handle_exit(*self._asked)
        return await super().on_tick(counter)


def _freeze_objects() -> None:
    # Rules, routes and models are some hundred thousand objects that live as long as the process. To examine them in
    # every collection costs a quarter of all requests' time, and pauses of tens of milliseconds.
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER_OBJECTS, 20, 50)


def _end(number: int, _frame: FrameType | None) -> None:
    # uvicorn raises the signal again when all is done. The process then ends without Python's cleanup, which would take
    # longer than the rest of the shutdown; only the log needs to be flushed.
    flush_log()
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
