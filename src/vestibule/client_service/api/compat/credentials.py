"""Tokens in `x-api-key`, where clients of other interfaces have them."""

from fastapi import Request

from vestibule.service_kit.auth.authentication import Credentials, direct_address, is_loopback


def key_credentials(request: Request) -> Credentials | None:
    """Return the credentials in `x-api-key`; None if there is no such header."""
    for name, value in request.scope["headers"]:
        if name == b"x-api-key" and value:
            return credentials_with(request, value.decode("latin-1"))
    return None


def credentials_with(request: Request, token: str) -> Credentials:
    """Return the credentials of a request that has a token in a place of its own."""
    address = direct_address(request)
    return Credentials(token, is_loopback(address), address)
