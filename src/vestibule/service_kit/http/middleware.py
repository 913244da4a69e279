"""The middleware around every request: its id, log line, metrics and span, load shedding, and the limit of its body.

Plain ASGI, since the framework's base class for middleware costs more than the rest of a small route.
"""

import asyncio
import re
import time
from collections.abc import Callable
from itertools import islice

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vestibule.runtime.log_context import begin_log_fields, bind_log_fields, log_fields
from vestibule.runtime.random_ids import random_id
from vestibule.service_kit.fast_dispatch.streamed import BODY_IS_STREAMED
from vestibule.service_kit.frame_problems import OVERLOADED
from vestibule.service_kit.http.cross_origin import CrossOrigin
from vestibule.service_kit.http.head import answer_head
from vestibule.service_kit.metrics.catalogue import REQUEST_DURATION, REQUESTS
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.problems import render_problem, render_unexpected
from vestibule.service_kit.request_headers import headers_of
from vestibule.service_kit.tracing import TRACEPARENT, Span, SpanKind, Tracer, entered, mark_failed, trace_id_of

IsLoggable = Callable[[str], bool]
# Says whether the head of a request comes from a service.
IsPeer = Callable[[Scope], bool]

_WELL_FORMED_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Probes and scrapers call these every few seconds. They are not traced, and are served under overload too.
PROBES = frozenset({"/health", "/healthz", "/readyz", "/metrics"})
# Frequent routes are counted, and not logged where they succeed.
_QUIET_ROUTES = PROBES | {"/tasks/claim"}


# A browser must not take a stored value for a page, and a cache must not keep it.
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")
_NOT_STORED = (b"cache-control", b"no-store")


class RequestFrame:
    """Gives every request its id, its log line and its metrics. Neither logs the path or the query, only the route."""

    def __init__(
        self, app: ASGIApp, metrics: Metrics, is_loggable: IsLoggable | None, cross_origin: CrossOrigin | None = None
    ) -> None:
        """Take the application; `is_loggable` checks request ids that callers choose. Without it only those of
        authenticated services are taken (`Authenticator`). Pages of other origins may use what is `cross_origin`.
        """
        self._cross_origin = cross_origin
        self._app = app
        self._metrics = metrics
        self._is_loggable = is_loggable
        # What counts requests, by method, route and status.
        self._counted: dict[tuple[str, str, int], tuple[Callable[[], None], Callable[[float], None]]] = {}
        self._log = structlog.get_logger("vestibule.request")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. An unexpected error is logged, and answered with a 500 that does not reveal its cause."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = ""
        state = scope.setdefault("state", {})
        offered = headers_of(scope).get(b"x-request-id")
        if offered is not None and _WELL_FORMED_ID.fullmatch(offered):
            if self._is_loggable is None:
                state["offered_id"] = offered.decode("ascii")
            elif self._is_loggable(offered.decode("ascii")):
                request_id = offered.decode("ascii")
        state["has_callers_id"] = bool(request_id) or "offered_id" in state
        request_id = state["request_id"] = request_id or random_id(2)
        begin_log_fields({"request_id": request_id})
        began = time.perf_counter()
        status = 0
        shared = self._cross_origin
        if shared is not None and not scope["path"].startswith(shared.prefix):
            shared = None

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own_id = (b"x-request-id", state["request_id"].encode("ascii"))
                headers = [*message.get("headers", ()), own_id, _NO_SNIFFING]
                for name, _value in headers:
                    if name == b"cache-control":
                        break
                else:
                    headers.append(_NOT_STORED)
                if shared is not None:
                    headers += shared.headers_of(scope)
                message["headers"] = headers
            await send(message)

        try:
            if scope["method"] == "HEAD":
                await answer_head(self._app, scope, receive, send_with_id)
            else:
                await self._app(scope, receive, send_with_id)
        except Exception:  # noqa: BLE001 - the last resort: logged, and answered with nothing of its cause
            self._log.exception("unexpected_error")
            if not status:
                await render_unexpected(state["request_id"])(scope, receive, send_with_id)
        finally:
            self._report(scope, status or 500, time.perf_counter() - began)

    def _report(self, scope: Scope, status: int, took_s: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        counted = self._counted.get((method, route, status))
        if counted is None:
            metrics = self._metrics
            counted = (
                metrics.counter(REQUESTS, method, route, str(status)),
                metrics.observer(REQUEST_DURATION, method, route),
            )
            self._counted[method, route, status] = counted
        counted[0]()
        counted[1](took_s)
        if status < 400 and route in _QUIET_ROUTES:
            return
        # For a caller a service sends the id of the request, or of each in a batch. Otherwise it polls.
        caller = None if scope["state"]["has_callers_id"] else scope["state"].get("caller")
        polls = caller is not None and caller.is_service and "requests" not in log_fields()
        if status < 400 and polls:
            return
        write = self._log.error if status >= 500 and status != 503 else self._log.info
        write("request", method=method, route=route, status=status, duration_ms=round(took_s * 1000, 2))


class TraceFrame:
    """Records the span of a request: the route's template and the status, and neither path nor query."""

    def __init__(self, app: ASGIApp, tracer: Tracer, is_loggable: IsLoggable | None, is_peer: IsPeer) -> None:
        """Take the application; a trace goes on from whom `is_loggable` clears, or without it from services."""
        self._app = app
        self._tracer = tracer
        self._is_loggable = is_loggable
        self._is_peer = is_peer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        attributes = {"http.request.method": method, "vestibule.request_id": scope["state"]["request_id"]}
        span: Span = self._tracer.begin(method, SpanKind.SERVER, self._parent(scope), attributes)
        # The log line of the request names its trace.
        bind_log_fields(trace_id=trace_id_of(span))

        async def send_and_note(message: Message) -> None:
            if message["type"] == "http.response.start":
                span.set_attribute("http.response.status_code", message["status"])
                if message["status"] >= 500:
                    mark_failed(span, str(message["status"]))
            await send(message)

        with entered(self._tracer, span):
            try:
                await self._app(scope, receive, send_and_note)
            finally:
                route = getattr(scope.get("route"), "path", "unmatched")
                span.update_name(f"{method} {route}")
                span.set_attribute("http.route", route)

    def _parent(self, scope: Scope) -> str | None:
        for name, value in scope["headers"]:
            if name == TRACEPARENT.encode():
                given: str = value.decode("latin-1")
                # A caller chooses these digits, and sixteen of them may be the number of a card.
                is_taken = self._is_peer(scope) if self._is_loggable is None else self._is_loggable(given)
                return given if is_taken else None
        return None


# So many requests have to be late before new ones are rejected. A few late ones may wait for something else, and
# hundreds at once are normal load, on a slow machine too.
LATE_UNTIL_SHED = 256
LOOK_EVERY_S = 0.01
LOG_EVERY_S = 1.0
RETRY_AFTER_S = 1
# Set in the scope by the server if a body has not arrived as a whole when the application begins.
BODY_IS_INCOMPLETE = "vestibule.body_is_incomplete"
# Set in the scope by the server if too many of the same holder have waited too long for their turn.
IS_LATE = "vestibule.is_late"
# Requests to these wait on purpose, or for another service.
LENIENT = ("/watch", "/messages", "/tasks", "/read/batch", "/add/batch", "/subjects")


class LoadShedder:
    """Answers 503 to new requests while many have been in flight for longer than `after_s`.

    The time of a request begins when its body has arrived: callers that send slowly are no load.

    Stands outside all other middleware: a rejected request costs little, and has no log line of its own.
    """

    def __init__(
        self,
        app: ASGIApp,
        after_s: float,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        cross_origin: CrossOrigin | None = None,
    ) -> None:
        """Take the application; with `after_s` 0 nothing is rejected. Pages may read what is `cross_origin`."""
        self._cross_origin = cross_origin
        self._app = app
        self._after_s = after_s
        self._metrics = metrics
        self._clock = clock
        # When each request in flight had arrived as a whole, the oldest first.
        self._began: dict[object, float] = {}
        self._is_late = False
        self._checked_at = 0.0
        self._unlogged = 0
        self._log = structlog.get_logger("vestibule.load")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or reject it."""
        if scope["type"] != "http" or not self._after_s or scope["path"] in PROBES:
            await self._app(scope, receive, send)
            return
        now = self._clock()
        if now - self._checked_at >= LOOK_EVERY_S:
            self._checked_at = now
            late = next(islice(self._began.values(), LATE_UNTIL_SHED - 1, None), now)
            self._is_late = now - late > self._after_s
        if self._is_late or IS_LATE in scope:
            await self._reject(scope, send)
            return
        if scope["path"].startswith(LENIENT):
            await self._app(scope, receive, send)
            return
        request = object()
        if BODY_IS_INCOMPLETE in scope:
            receive = self._timed_from_end(request, receive)
        else:
            self._began[request] = now
        try:
            await self._app(scope, receive, send)
        finally:
            self._began.pop(request, None)

    def _timed_from_end(self, request: object, receive: Receive) -> Receive:
        async def receive_timed() -> Message:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                self._began[request] = self._clock()
            return message

        return receive_timed

    async def _reject(self, scope: Scope, send: Send) -> None:
        self._metrics.count(REQUESTS, scope["method"] if scope["method"] in _METHODS else "OTHER", "shed", "503")
        self._unlogged += 1
        if self._unlogged == 1:
            asyncio.get_running_loop().call_later(LOG_EVERY_S, self._log_rejected)
        request_id = random_id(2)
        headers = {"Retry-After": str(RETRY_AFTER_S), "X-Request-ID": request_id}
        response = render_problem(OVERLOADED, OVERLOADED.detail, request_id, headers=headers)
        raw_headers, shared = response.raw_headers, self._cross_origin
        if shared is not None and scope["path"].startswith(shared.prefix):
            raw_headers = [*raw_headers, *shared.headers_of(scope)]
        await send({"type": "http.response.start", "status": 503, "headers": raw_headers})
        await send({"type": "http.response.body", "body": response.body})

    def _log_rejected(self) -> None:
        self._log.warning("requests_shed", refused=self._unlogged)
        self._unlogged = 0


class BodyLimit:
    """Lets a route read at most `max_bytes` of a body, and nothing of a body that is declared to be longer.

    A route that reads a body piece by piece has no limit; it sets `BODY_IS_STREAMED` once it knows the caller.
    The framework's own limit stands outside the request frame and answers in plain text.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; reading too much of its body raises a 413 in the route."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        left = self._max_bytes
        is_too_long = is_whole = False
        declared = headers_of(scope).get(b"content-length", b"")
        if declared.isdigit():
            is_too_long = int(declared) > left
            if not is_too_long and BODY_IS_INCOMPLETE not in scope:
                # It has arrived, and has the declared length: the server would not have taken it otherwise.
                await self._app(scope, receive, send)
                return

        async def receive_counted() -> Message:
            nonlocal left, is_whole
            is_bounded = BODY_IS_STREAMED not in scope["state"]
            if is_too_long and is_bounded:
                raise HTTPException(413)
            message = await receive()
            if message["type"] == "http.disconnect" and not is_whole:
                # The caller disconnected or was too slow; the body itself is not at fault.
                raise HTTPException(408)
            is_whole = not message.get("more_body", False)
            left -= len(message.get("body", b""))
            if left < 0 and is_bounded:
                raise HTTPException(413)
            return message

        await self._app(scope, receive_counted, send)
