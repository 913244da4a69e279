"""Refuses requests early while a service has more to do than it can do in time, so that what it takes is answered soon.

Pure ASGI, outside all other frames: what is refused costs next to nothing, and has no line of its own in the log.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from itertools import islice

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from vestibule.service_kit.metrics.catalogue import REQUESTS
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.problem_types import OVERLOADED
from vestibule.service_kit.problems import render_problem

# So many have to have waited for too long: a few that wait for something else say nothing of the others, and to have
# hundreds at once is what a service is for, on a slow machine too.
LATE_UNTIL_SHED = 256
LOOK_EVERY_S = 0.01
TELL_EVERY_S = 1.0
RETRY_AFTER_S = 1
# They are to answer above all when there is too much to do.
_PROBES = frozenset({"/health", "/healthz", "/readyz", "/metrics"})
# Who asks for these waits on purpose, or for another part.
_LENIENT = ("/watch", "/messages", "/tasks", "/read/batch", "/subjects")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class LoadShedder:
    """Measures by what is under way: where many requests have been for longer than `after_s`, new ones get a 503."""

    def __init__(
        self, app: ASGIApp, after_s: float, metrics: Metrics, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the application; with `after_s` 0 nothing is ever refused."""
        self._app = app
        self._after_s = after_s
        self._metrics = metrics
        self._clock = clock
        # In the order in which they came, so that the oldest are the first.
        self._began: dict[int, float] = {}
        self._next = 0
        self._is_late = False
        self._looked_at = 0.0
        self._untold = 0
        self._log = structlog.get_logger("vestibule.load")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] != "http" or not self._after_s or scope["path"] in _PROBES:
            await self._app(scope, receive, send)
            return
        now = self._clock()
        if self._looks_late(now):
            await self._refuse(scope, send)
            return
        if scope["path"].startswith(_LENIENT):
            await self._app(scope, receive, send)
            return
        self._next = number = self._next + 1
        self._began[number] = now
        try:
            await self._app(scope, receive, send)
        finally:
            del self._began[number]

    def _looks_late(self, now: float) -> bool:
        if now - self._looked_at >= LOOK_EVERY_S:
            self._looked_at = now
            late = next(islice(self._began.values(), LATE_UNTIL_SHED - 1, None), now)
            self._is_late = now - late > self._after_s
        return self._is_late

    async def _refuse(self, scope: Scope, send: Send) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._metrics.count(REQUESTS, method, "shed", "503")
        self._untold += 1
        if self._untold == 1:
            asyncio.get_running_loop().call_later(TELL_EVERY_S, self._tell)
        request_id = secrets.token_hex(16)
        body = overloaded_document(request_id)
        headers = [
            (b"content-type", b"application/problem+json"),
            (b"content-length", b"%d" % len(body)),
            (b"retry-after", b"%d" % RETRY_AFTER_S),
            (b"x-request-id", request_id.encode()),
        ]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _tell(self) -> None:
        self._log.warning("requests_shed", refused=self._untold)
        self._untold = 0


def overloaded_document(request_id: str) -> bytes:
    """Return the problem document of a request that is rejected because of overload."""
    return bytes(render_problem(OVERLOADED, OVERLOADED.detail, request_id).body)
