"""Refuses what the framework would ignore: unknown and repeated query parameters, and bodies of other media types."""

from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, get_args, get_origin

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute
from starlette.responses import Response

from vestibule.contracts.errors import InvalidInput, UnsupportedMediaType

JSON = UnsupportedMediaType.media_type

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def names_in_query(route: APIRoute) -> frozenset[str]:
    """Return the names of the parameters that a route takes from the query."""
    return frozenset(_kinds_in_query(route))


def _repeatable(route: APIRoute) -> frozenset[str]:
    """Return the names of the parameters that may be given several times."""
    kinds = _kinds_in_query(route).items()
    return frozenset(name for name, kind in kinds if any(get_origin(part) is list for part in (kind, *get_args(kind))))


def _kinds_in_query(route: APIRoute) -> dict[str, Any]:
    fields = get_flat_params(route.dependant)
    return {field.alias: field.field_info.annotation for field in fields if isinstance(field.field_info, Query)}


def strict(route: APIRoute, handle: Handler) -> Handler:
    """Return a handler that checks a request of `route` before the framework's `handle` serves it."""
    names, repeatable = names_in_query(route), _repeatable(route)
    takes_body = route.body_field is not None

    async def checked(request: Request) -> Response:
        check_query(request, names, repeatable)
        if takes_body and _has_body(request):
            _check_media_type(request)
        return await handle(request)

    return checked


def check_query(request: Request, names: frozenset[str], repeatable: frozenset[str]) -> None:
    """Check that a query has only parameters of these names, and several times only those that are `repeatable`.

    Raises:
        InvalidInput: it does not.
    """
    given = Counter(name for name, _value in request.query_params.multi_items())
    mistakes = []
    if given.keys() - names:
        taken = ", ".join(f"`{name}`" for name in sorted(names))
        expected = f"only the parameters {taken}" if names else "no parameters"
        mistakes.append({"where": "query", "kind": "extra_forbidden", "expected": expected})
    repeated = [name for name in sorted(given.keys() & names - repeatable) if given[name] > 1]
    mistakes += [{"where": f"query/{name}", "kind": "repeated", "expected": "one value"} for name in repeated]
    if mistakes:
        places = ", ".join(mistake["where"] for mistake in mistakes)
        raise InvalidInput(f"The request is not valid. Check: {places}.", errors=mistakes)


def _has_body(request: Request) -> bool:
    return "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"


def _check_media_type(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != JSON and not (media_type.startswith("application/") and media_type.endswith("+json")):
        raise UnsupportedMediaType(f"The body must be JSON, sent with `Content-Type: {JSON}`.")
