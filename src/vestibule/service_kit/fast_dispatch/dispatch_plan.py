"""How a route's plain requests are served without the framework: the same function, the same parameters, less work.

A plan is read from the signature that the framework has read too, so that route and OpenAPI description stay one. What
a plan does not cover has none, and is the framework's, as is every request that is not plain (`fast_dispatch.py`).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any, cast
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, serialize_response
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

JSON = "application/json"
MAX_QUERY_FIELDS = 20
_SIMPLE = (str, int, float, bool)

Take = Callable[[Request, "RequestInput"], Awaitable[Any]]


class NeedsFramework(Exception):
    """A request that is for the framework to serve or to refuse; nothing was done about it yet."""


@dataclass(slots=True)
class RequestInput:
    """What a request brings: its body as the route's model, or None, and its query; and the headers of its answer."""

    body: Any
    query: Mapping[str, str]
    answer: Response | None = None


class Plan:
    """Serves the plain requests of one route."""

    def __init__(self, route: APIRoute) -> None:
        """Read the plan.

        Raises:
            NeedsFramework: the route takes what a plan does not cover.
        """
        if route._embed_body_fields or route.response_model_exclude_unset or route.response_model_include:
            raise NeedsFramework
        self._call = _call_of(route.dependant, route.body_field)
        self._body = None if route.body_field is None else _body_adapter(route.body_field)
        self._needs_body = route.body_field is not None and route.body_field.field_info.is_required()
        self._route = route
        self._status = route.status_code or 200
        self._model = route.response_field.field_info.annotation if route.response_field else None

    async def serve(self, request: Request) -> Response:
        """Return the answer to a plain request.

        Raises:
            NeedsFramework: it is none.
        """
        given = RequestInput(self._parse(request, await read_body(request)), _query(request))
        outcome = await self._call(request, given)
        if isinstance(outcome, Response):
            return outcome
        response = Response(await self._render(outcome), self._status, media_type=JSON)
        if given.answer is not None:
            response.raw_headers.extend(given.answer.raw_headers)
        return response

    def _parse(self, request: Request, content: bytes) -> Any:
        if self._body is None or (not content and not self._needs_body):
            return None
        if request.headers.get("content-type", "").partition(";")[0] != JSON:
            raise NeedsFramework
        try:
            return self._body.validate_json(content)
        except ValidationError:
            raise NeedsFramework from None

    async def _render(self, outcome: Any) -> bytes:
        route = self._route
        if type(outcome) is self._model and isinstance(outcome, BaseModel):
            return outcome.__pydantic_serializer__.to_json(
                outcome,
                by_alias=route.response_model_by_alias,
                exclude_none=route.response_model_exclude_none,
                exclude_defaults=route.response_model_exclude_defaults,
            )
        rendered: bytes = await serialize_response(
            field=route.response_field,
            response_content=outcome,
            by_alias=route.response_model_by_alias,
            exclude_none=route.response_model_exclude_none,
            exclude_defaults=route.response_model_exclude_defaults,
            dump_json=True,
        )
        return rendered


async def read_body(request: Request) -> bytes:
    """Return the body of `request`, and keep it there for who asks again."""
    kept: bytes | None = getattr(request, "_body", None)
    if kept is not None:
        return kept
    message = await request.receive()
    content: bytes = message.get("body", b"")
    if message["type"] == "http.request" and message.get("more_body"):
        pieces = [content]
        while message.get("more_body"):
            message = await request.receive()
            pieces.append(message.get("body", b""))
        content = b"".join(pieces)
    if message["type"] == "http.disconnect":
        raise HTTPException(400)  # nobody hears it; the framework says the same
    request._body = content
    return content


def _call_of(dependant: Dependant, body: Any) -> Take:
    """Return what calls the function of `dependant` with its parameters."""
    function: Any = dependant.call
    if _takes_more(dependant) or not _is_coroutine_function(function):
        raise NeedsFramework
    if len(dependant.body_params) > 1:
        raise NeedsFramework
    body_name = dependant.body_params[0].name if dependant.body_params else None
    request_name, response_name = dependant.request_param_name, dependant.response_param_name
    paths = [(field.name, _checked(field)) for field in dependant.path_params]
    headers = [(field.name, _alias_of(field), _checked(field)) for field in dependant.header_params]
    queries = [(field.name, field.alias, _checked(field)) for field in dependant.query_params]
    # What has no name is asked before the body is read (`authentication.py`), and only described here.
    parts = [(one.name, *_part_of(one, body)) for one in dependant.dependencies if one.name is not None]

    async def call(request: Request, given: RequestInput) -> Any:
        values: dict[str, Any] = {}
        if request_name is not None:
            values[request_name] = request
        if response_name is not None:
            values[response_name] = given.answer = given.answer or _headers_alone()
        if body_name is not None:
            values[body_name] = given.body
        for name, field in paths:
            values[name] = _value(field, name, request.scope["path_params"])
        for name, alias, field in headers:
            values[name] = _value(field, alias, request.headers)
        for name, alias, field in queries:
            values[name] = _value(field, alias, given.query)
        for name, part, takes_request_alone in parts:
            values[name] = await (part(request) if takes_request_alone else part(request, given))
        return await function(**values)

    return call


def _part_of(dependant: Dependant, body: Any) -> tuple[Callable[..., Awaitable[Any]], bool]:
    """Return what calls the function of a dependency, and whether that takes nothing but the request."""
    call, function = _call_of(dependant, body), cast("FunctionType", dependant.call)
    parameters = function.__code__.co_argcount, function.__code__.co_kwonlyargcount
    if dependant.request_param_name is not None and parameters == (1, 0):
        return function, True
    return call, False


def _headers_alone() -> Response:
    response = Response()
    del response.headers["content-length"]
    return response


def _takes_more(dependant: Dependant) -> bool:
    others = (
        dependant.cookie_params,
        dependant.websocket_param_name,
        dependant.http_connection_param_name,
        dependant.background_tasks_param_name,
        dependant.security_scopes_param_name,
    )
    return any(others)


def _is_coroutine_function(function: Any) -> bool:
    return bool(getattr(getattr(function, "__code__", None), "co_flags", 0) & 0x80)


def _body_adapter(field: Any) -> "TypeAdapter[Any]":
    if type(field.field_info).__name__ != "Body" or field.field_info.metadata:
        raise NeedsFramework
    return TypeAdapter(field.field_info.annotation)


def _checked(field: Any) -> Any:
    kind = field.field_info.annotation
    parts = getattr(kind, "__args__", (kind,))
    if not all(part in (*_SIMPLE, type(None)) for part in parts):
        raise NeedsFramework
    return field


def _query(request: Request) -> Mapping[str, str]:
    text: bytes = request.scope["query_string"]
    if not text:
        return {}
    try:
        fields = parse_qsl(text.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        raise NeedsFramework from None
    query = dict(fields)
    if len(query) < len(fields):
        raise NeedsFramework
    return query


def _alias_of(header: Any) -> str:
    is_renamed = header.field_info.alias is not None
    return str(header.alias if is_renamed else header.name.replace("_", "-"))


def _value(field: Any, alias: str, given: Mapping[str, str]) -> Any:
    if alias not in given:
        if field.field_info.is_required():
            raise NeedsFramework
        return field.get_default()
    value, errors = field.validate(given[alias], {}, loc=(alias,))
    if errors:
        raise NeedsFramework
    return value
