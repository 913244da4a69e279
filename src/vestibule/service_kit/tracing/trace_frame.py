"""The span of a request: pure ASGI, inside the request frame, and only there where traces are on."""

from collections.abc import Callable

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vestibule.service_kit.tracing.tracing import TRACEPARENT, Span, SpanKind, Tracer, entered

# Asked every few seconds, and the same every time.
_UNTRACED_PATHS = frozenset({"/health", "/healthz", "/readyz", "/metrics"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class TraceFrame:
    """Wraps a service's application. A span knows the route's template and the status, and no path and no query."""

    def __init__(self, app: ASGIApp, tracer: Tracer, is_loggable: Callable[[str], bool]) -> None:
        self._app = app
        self._tracer = tracer
        self._is_loggable = is_loggable

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in _UNTRACED_PATHS:
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        attributes = {"http.request.method": method, "vestibule.request_id": scope["state"]["request_id"]}
        begun = self._tracer.begin(method, SpanKind.SERVER, self._parent(scope), attributes)
        # The line of the request names its trace.
        structlog.contextvars.bind_contextvars(trace_id=begun.trace_id)

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                _note_answer(begun, message["status"])
            await send(message)

        with entered(begun):
            try:
                await self._app(scope, receive, watch)
            finally:
                route = getattr(scope.get("route"), "path", "unmatched")
                begun.rename(f"{method} {route}")
                begun.note("http.route", route)

    def _parent(self, scope: Scope) -> str | None:
        for name, value in scope["headers"]:
            if name == TRACEPARENT.encode():
                given = str(value.decode("latin-1"))
                # A caller chooses these digits, and sixteen of them may be a card's.
                return given if self._is_loggable(given) else None
        return None


def _note_answer(begun: Span, status: int) -> None:
    begun.note("http.response.status_code", status)
    if status >= 500:
        begun.fail(str(status))
