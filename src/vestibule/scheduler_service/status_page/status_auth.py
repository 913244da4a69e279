"""Whom the status page and the badges are shown: a browser cannot send a bearer token by itself.

They are open where everybody may see them. Else a caller shows a token with the scope `status`, as a bearer, or as the
password that a browser asks for (RFC 7617).
"""

import base64
import binascii
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from vestibule.contracts.errors import InvalidToken
from vestibule.service_kit.auth.authentication import (
    Authenticator,
    Credentials,
    client_address,
    credentials_of,
    is_local,
)
from vestibule.service_kit.problems import render_error

SCOPE = "status"
CHALLENGE = 'Basic realm="Vestibule status", charset="UTF-8"'


class StatusPageRoute(APIRoute):
    """A route for people with a browser, which asks who is there."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler that admits first and serves then."""
        handle = super().get_route_handler()

        async def received(request: Request) -> Response:
            if not request.app.state.is_status_public:
                credentials = credentials_of(request) or _password_of(request)
                if credentials is None:
                    # Every browser comes like this at first, and is no stranger for that.
                    return _ask(request)
                authenticator: Authenticator = request.app.state.authenticator
                try:
                    await authenticator.authenticate(credentials, SCOPE, lambda: client_address(request))
                except InvalidToken:
                    return _ask(request)
            return await handle(request)

        return received


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
    error = InvalidToken("Give a token with the scope `status` as the password; any name will do.")
    answer = render_error(error, request.state.request_id)
    answer.headers.append("WWW-Authenticate", CHALLENGE)
    return answer
