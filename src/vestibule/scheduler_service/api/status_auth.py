"""Authentication of the status page and the badges: a browser cannot send a bearer token by itself.

Where they are public they need no token. Otherwise a caller sends a token with the scope `status`, as a bearer token or
as the password of HTTP basic authentication (RFC 7617).
"""

import base64
import binascii
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from vestibule.contracts.errors import InvalidToken
from vestibule.scheduler_service.api.wiring import SchedulerWiring
from vestibule.service_kit.auth.authentication import Credentials, client_address, credentials_of, is_local
from vestibule.service_kit.problems import render_error
from vestibule.service_kit.wiring import wiring_of

SCOPE = "status"
CHALLENGE = 'Basic realm="Vestibule status", charset="UTF-8"'


class StatusPageRoute(APIRoute):
    """A route for browsers, which accepts a token as a password."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler that authenticates first."""
        handle = super().get_route_handler()

        async def authenticated(request: Request) -> Response:
            wiring = wiring_of(request, SchedulerWiring)
            if not wiring.is_status_public:
                credentials = credentials_of(request) or _password_of(request)
                if credentials is None:
                    # The first request of every browser has no password; it does not count as a failure.
                    return _ask(request)
                try:
                    await wiring.authenticator.verify(credentials, SCOPE, lambda: client_address(request))
                except InvalidToken:
                    return _ask(request)
            return await handle(request)

        return authenticated


def _password_of(request: Request) -> Credentials | None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        _, _, token = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Credentials(token, is_local(request)) if token else None


def _ask(request: Request) -> Response:
    error = InvalidToken("Use a token with the scope `status` as the password, with any user name.")
    answer = render_error(error, request.state.request_id)
    answer.headers.append("WWW-Authenticate", CHALLENGE)
    return answer
