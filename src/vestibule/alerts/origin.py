"""The origin of an alert: the request that is being served, and its token."""

from typing import TypedDict

import structlog


class Origin(TypedDict):
    """The ids of a request and of its caller's token; None if unknown."""

    request_id: str | None
    token_id: str | None


def current_origin() -> Origin:
    """Return the origin that the frame and the authentication of this request have bound."""
    bound = structlog.contextvars.get_contextvars()
    return {"request_id": bound.get("request_id"), "token_id": bound.get("token_id")}
