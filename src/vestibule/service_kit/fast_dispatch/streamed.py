"""Routes that also read bodies of some media types piece by piece, beside the body that the framework reads."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response

from vestibule.service_kit.fast_dispatch.fast_dispatch import FastRoute
from vestibule.service_kit.fast_dispatch.strict_requests import Handler, check_query, names_in_query

# Set in the `state` of a request whose body is read piece by piece: the limit of a body does not hold for it.
BODY_IS_STREAMED = "vestibule.body_is_streamed"

# Gets the request and the parameters of its query by name; parameters that are not given are left out.
StreamHandler = Callable[[Request, Mapping[str, Any]], Awaitable[Response]]


class StreamingRoute(FastRoute):
    """A route whose requests are served by `streams` where their media type is one of those, by either dispatch."""

    streams: ClassVar[Mapping[str, StreamHandler]] = {}

    def get_route_handler(self) -> Handler:
        """Return the handler that chooses by the media type."""
        handle, names = super().get_route_handler(), names_in_query(self)

        async def by_media_type(request: Request) -> Response:
            serve = self.streams.get(request.headers.get("content-type", "").partition(";")[0].strip().lower())
            if serve is None:
                return await handle(request)
            check_query(request, names, frozenset())
            given = _read_query(self, request)
            request.scope["state"][BODY_IS_STREAMED] = True
            return await serve(request, given)

        return by_media_type


def _read_query(route: APIRoute, request: Request) -> dict[str, Any]:
    """Return the parameters of the query that are given, as the framework validates them.

    Raises:
        RequestValidationError: one is not valid.
    """
    values: dict[str, Any] = {}
    mistakes: list[Any] = []
    for field in route.dependant.query_params:
        if field.alias in request.query_params:
            value, errors = field.validate(request.query_params[field.alias], {}, loc=("query", field.alias))
            values[field.name] = value
            mistakes += errors or ()
    if mistakes:
        raise RequestValidationError(mistakes)
    return values
