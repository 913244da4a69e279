"""The frame around every request: its id, its one log line, its metrics, and the answer when all else failed.

Plain ASGI, since the framework's own base class for middleware costs more than all the rest of a small route.
"""

import re
import secrets
import time
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.problems import render_unexpected

REQUEST_ID_HEADER = b"x-request-id"
_WELL_FORMED_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Asked every few seconds by probes, scrapers and relays: worth a metric, not a line each.
_QUIET_ROUTES = frozenset({"/health", "/healthz", "/readyz", "/metrics", "/tasks/claim"})

IsLoggable = Callable[[str], bool]


class RequestFrame:
    """Wraps a service's application. Neither path nor query is logged, only the route's template."""

    def __init__(self, app: ASGIApp, metrics: Metrics, is_loggable: IsLoggable) -> None:
        self._app = app
        self._metrics = metrics
        self._is_loggable = is_loggable
        self._log = structlog.get_logger("vestibule.request")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = self._request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        began = time.perf_counter()
        answer = _Answer(send, request_id)
        try:
            await self._app(scope, receive, answer.send)
        except Exception:  # noqa: BLE001 - the last resort: logged, and answered with nothing of its cause
            self._log.exception("unexpected_error")
            if answer.status is None:
                await render_unexpected(request_id)(scope, receive, answer.send)
        finally:
            self._report(scope, answer.status or 500, time.perf_counter() - began)

    def _request_id(self, scope: Scope) -> str:
        for name, value in scope["headers"]:
            if name == REQUEST_ID_HEADER and _WELL_FORMED_ID.fullmatch(value):
                given = value.decode("ascii")
                if self._is_loggable(given):
                    return str(given)
        return secrets.token_hex(16)

    def _report(self, scope: MutableMapping[str, Any], status: int, took_s: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._metrics.observe_request(method, route, status, took_s)
        if route in _QUIET_ROUTES and status < 400:
            return
        write = self._log.error if status >= 500 and status != 503 else self._log.info
        write("request", method=method, route=route, status=status, duration_ms=round(took_s * 1000, 2))


class _Answer:
    """Watches what is sent: adds the request id to the head and remembers the status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._header = (REQUEST_ID_HEADER, request_id.encode("ascii"))
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        """Pass `message` on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), self._header]
        await self._send(message)
