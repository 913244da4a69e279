"""Routes that accept an `Idempotency-Key` on POST requests."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from starlette.responses import Response

from vestibule.client_service.api.idempotency import HEADER, MAX_KEY_CHARS
from vestibule.client_service.api.wiring import ClientWiring
from vestibule.service_kit.auth.authentication import GuardedRoute
from vestibule.service_kit.fast_dispatch.fast_dispatch import FastRoute
from vestibule.service_kit.wiring import wiring_of

# Not a parameter of the framework, which would parse it on every request.
TAKES_KEY = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "A name of the request's own: repeated under it within a day, it gets the first answer again",
    "schema": {"type": "string", "maxLength": MAX_KEY_CHARS},
}


class _Repeatable(FastRoute):
    """A route that serves a POST with an `Idempotency-Key` once."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if "POST" in (options.get("methods") or ()):
            described = dict(options.get("openapi_extra") or {})
            described["parameters"] = [*described.get("parameters", ()), TAKES_KEY]
            options["openapi_extra"] = described
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler that checks for an `Idempotency-Key` first."""
        serve = super().get_route_handler()

        async def once(request: Request) -> Response:
            key = request.headers.get(HEADER)
            if key is None or request.method != "POST":
                return await serve(request)
            return await wiring_of(request, ClientWiring).idempotency.serve_once(request, key, serve)

        return once


class RepeatableRoute(GuardedRoute, _Repeatable):
    """A guarded route whose requests can be repeated: the caller is authenticated before any look-up."""
