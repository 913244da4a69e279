"""Connections of callers: limits on how long one may take and how much head it sends, and turns between callers.

uvicorn waits forever for the rest of a request, and accepts a head of any size. Here a caller that is too slow gets a
408, too large a head a 431, too many incomplete bodies a 429. One check a second covers all incomplete requests.
What has arrived begins by turns of those who sent it, so that no caller waits behind all that another has sent.
"""

import asyncio
import http
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any, ClassVar
from uuid import uuid4

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from vestibule.runtime.turns import Turns
from vestibule.service_kit.fast_dispatch.dispatch_plan import LARGE_BODY_BYTES
from vestibule.service_kit.frame_problems import (
    MALFORMED_REQUEST,
    OVERLOADED,
    REQUEST_HEADERS_TOO_LARGE,
    REQUEST_TIMEOUT,
    TOO_MANY_UPLOADS,
)
from vestibule.service_kit.http.middleware import BODY_IS_INCOMPLETE, IS_LATE, LATE_UNTIL_SHED
from vestibule.service_kit.problems import render_problem

LOOK_EVERY_S = 1.0
# Seconds at shutdown in which a request that has begun has to arrive.
LAST_REQUEST_S = 0.5
# What arrives of a body extends its deadline at this rate, and never beyond a whole timeout from now.
LEAST_BYTES_A_SECOND = 4096
# Bodies that are incomplete after the grace period: this many fit for each token, and in all.
BODY_GRACE_S = 1.0
MOST_BODIES_PER_TOKEN = 64
MOST_BODIES = 256
# Of tokens. Without the second, clients of Presidio would share what an address may have: that of a proxy, say.
TOKEN_HEADERS = (b"authorization", b"x-api-key")
# Path, query and headers of a request together.
MAX_HEAD_BYTES = 64 * 1024

RETRY_AFTER_S = 1

_REFUSALS = {
    one.status: one
    for one in (MALFORMED_REQUEST, REQUEST_TIMEOUT, TOO_MANY_UPLOADS, REQUEST_HEADERS_TOO_LARGE, OVERLOADED)
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for the head of a request and for its body, and how many connections fit.

    Requests of one holder are shed while many of it have waited for longer than `shed_after_s` for their turn.
    """

    head_timeout_s: float
    body_timeout_s: float
    most_connections: int
    shed_after_s: float = math.inf


class RequestTimeouts:
    """Tracks the connections with an incomplete request, the oldest first."""

    def __init__(self, limits: Limits, holder_headers: tuple[bytes, ...] = TOKEN_HEADERS) -> None:
        """Take the limits; the first of `holder_headers` that a request has names who holds it."""
        self.limits = limits
        self.holder_headers = holder_headers
        self.turns = Turns()
        self._coming: dict[TimeoutProtocol, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._looked_at = 0.0
        self._evicted = 0
        # During shutdown each response is the last on its connection.
        self.is_shutting_down = False
        # Called for each connection that has ended.
        self.on_connection_lost: Callable[[], None] = lambda: None
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
        self.timeouts.on_connection_lost()
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
        if not self.url.startswith(b"/"):
            # A target that names a host itself, which counts before `Host` (RFC 9112, 3.2.2): such a request has two.
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
        if self._is_refused:
            return
        if BODY_IS_INCOMPLETE not in self.scope:
            super().on_message_complete()
            return
        turns, complete = self.timeouts.turns, partial(_complete, self.cycle)
        if self.received_bytes <= LARGE_BODY_BYTES:
            turns.take(self.holder, complete)
        elif not turns.take_heavy(self.holder, complete, MOST_BODIES_PER_TOKEN):
            self.refuse(429)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Begin a request when it is the turn of its holder."""
        # Not those of the connection, which may have read the head of the next request.
        holder, turns = self._holder_of(cycle.scope["headers"]), self.timeouts.turns
        begin = partial(self._begin, cycle, app)
        since = turns.waiting_since(holder, LATE_UNTIL_SHED)
        if since is not None and turns.clock() - since > self.timeouts.limits.shed_after_s:
            cycle.scope[IS_LATE] = True  # type: ignore[literal-required]
            begin()
        else:
            turns.take(holder, begin)

    def _begin(self, cycle: RequestResponseCycle, app: Any) -> None:
        # A caller who has gone while the request waited gets nothing of it.
        if not cycle.disconnected:
            super()._start_asgi_task(cycle, app)

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
        return self._holder_of(self.headers)

    def _holder_of(self, headers: Iterable[tuple[bytes, bytes]]) -> object:
        for name, value in headers:
            if name in self.timeouts.holder_headers:
                # The scheme may be written in many ways.
                return value.partition(b" ")[2] or value
        return self.client and self.client[0]

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


def _complete(cycle: RequestResponseCycle) -> None:
    cycle.more_body = False
    cycle.message_event.set()


def timeout_protocol(timeouts: RequestTimeouts) -> type[TimeoutProtocol]:
    """Return the class of connections that share `timeouts`."""
    return type("Connection", (TimeoutProtocol,), {"timeouts": timeouts})


def _answer(status: int) -> bytes:
    kind = _REFUSALS[status]
    request_id = uuid4().hex
    response = render_problem(kind, kind.detail, request_id)
    headers: list[tuple[bytes, Any]] = [*response.raw_headers, (b"connection", b"close")]
    headers.append((b"x-request-id", request_id.encode()))
    if status in (429, 503):
        headers.append((b"retry-after", str(RETRY_AFTER_S).encode()))
    lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}".encode()]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join([*lines, b"", bytes(response.body)])
