"""Serves a route's plain requests without the framework: the same function and the same parameters, with less work.

A plan is read from the signature that the framework reads, so that route and OpenAPI description stay one. A route that
takes what a plan does not cover has none, and the framework serves it (`fast_dispatch.py`).
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from inspect import iscoroutinefunction
from types import FunctionType
from typing import Any, cast
from urllib.parse import parse_qsl

import orjson
from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, serialize_response
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Message

from vestibule.service_kit.fast_dispatch.strict_requests import JSON, names_in_query
from vestibule.service_kit.request_headers import headers_of

IS_FAST = "vestibule.is_fast"
MAX_QUERY_FIELDS = 20
# To parse a body of more bytes is what counts, so it is done once, by the fastest parser; the framework would do it
# again where the body is not valid, and list each mistake with its input.
LARGE_BODY_BYTES = 64 * 1024
MOST_MISTAKES = 100
_JSON = JSON.encode()
_SIMPLE = (str, int, float, bool)

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
Call = Callable[[Request, "RequestInput"], Awaitable[Any]]


class NeedsFramework(Exception):
    """The framework has to serve or to refuse the request; it has had no effect yet."""


@dataclass(slots=True)
class RequestInput:
    """The body of a request as the route's model, or None; its query; and the headers that the route sets."""

    body: Any
    query: Mapping[str, str]
    answer: Response | None = None


class _JsonResponse(Response):
    """A response whose body is rendered last; as the framework makes it, in a fifth of the time."""

    media_type = JSON

    def __init__(self, status: int) -> None:
        self.status_code = status
        self.background = None
        self.raw_headers = []


class Plan:
    """Serves the plain requests of one route."""

    def __init__(self, route: APIRoute, handle: Handler) -> None:
        """Read the plan; `handle` is the framework's handler of the route.

        Raises:
            NeedsFramework: the route takes what a plan does not cover.
        """
        if route._embed_body_fields or route.response_model_exclude_unset or route.response_model_include:
            raise NeedsFramework
        self._handle = handle
        self._call = _call_of(route.dependant, route.body_field)
        self._names = names_in_query(route)
        self._body = None if route.body_field is None else _body_adapter(route.body_field)
        self._needs_body = route.body_field is not None and route.body_field.field_info.is_required()
        self._status = route.status_code or 200
        self._field = route.response_field
        self._model = route.response_field.field_info.annotation if route.response_field else None
        self._rendering: dict[str, Any] = {
            "by_alias": route.response_model_by_alias,
            "exclude_none": route.response_model_exclude_none,
            "exclude_defaults": route.response_model_exclude_defaults,
        }

    async def serve(self, request: Request) -> Response:
        """Return the response to a plain request, or the framework's where `FastDispatch` has not marked it.

        Raises:
            NeedsFramework: the request is not plain.
            RequestValidationError, HTTPException: its large body is not valid.
        """
        if IS_FAST not in request.scope:
            return await self._handle(request)
        content: bytes | None = getattr(request, "_body", None)
        if content is None:
            message = await request.receive()
            if message["type"] != "http.request" or message.get("more_body"):
                message = await _read_rest(request, message)
            # Kept for the next reader, as the framework does.
            content = request._body = message.get("body", b"")
        body = None
        if self._body is not None and (content or self._needs_body):
            media_type = headers_of(request.scope).get(b"content-type", b"")
            if media_type != _JSON and media_type.partition(b";")[0] != _JSON:
                raise NeedsFramework
            is_large = len(content) > LARGE_BODY_BYTES
            try:
                body = _read_large(self._body, content) if is_large else self._body.validate_json(content)
            except ValidationError:
                raise NeedsFramework from None
        query = request.scope["query_string"]
        given = RequestInput(body, _parse_query(query) if query else {})
        if not given.query.keys() <= self._names:
            raise NeedsFramework
        outcome = await self._call(request, given)
        if isinstance(outcome, Response):
            return outcome
        if type(outcome) is self._model and isinstance(outcome, BaseModel):
            rendered = outcome.__pydantic_serializer__.to_json(outcome, **self._rendering)
        else:
            rendered = await serialize_response(
                field=self._field, response_content=outcome, dump_json=True, **self._rendering
            )
        answer = given.answer or _JsonResponse(self._status)
        answer.body, answer.status_code = rendered, self._status
        answer.raw_headers[:0] = [(b"content-length", b"%d" % len(rendered)), (b"content-type", _JSON)]
        return answer


async def _read_rest(request: Request, message: Message) -> Message:
    """Return a message with the whole body, of which `message` has the first part."""
    pieces = [message.get("body", b"")]
    while message.get("more_body"):
        message = await request.receive()
        pieces.append(message.get("body", b""))
    if message["type"] == "http.disconnect":
        raise HTTPException(400)  # as the framework does; the caller is gone
    return {**message, "body": b"".join(pieces)}


def _read_large(adapter: "TypeAdapter[Any]", content: bytes) -> Any:
    """Return the model of a large body.

    Raises:
        HTTPException: it is no JSON.
        RequestValidationError: it is not valid.
    """
    try:
        return adapter.validate_python(orjson.loads(content))
    except orjson.JSONDecodeError:
        raise HTTPException(400) from None
    except ValidationError as invalid:
        mistakes: list[Any] = [{"type": "too_many_mistakes", "loc": (), "msg": f"at most {MOST_MISTAKES} mistakes"}]
        if invalid.error_count() <= MOST_MISTAKES:
            mistakes = invalid.errors(include_url=False, include_input=False)
    raise RequestValidationError([{**mistake, "loc": ("body", *mistake["loc"])} for mistake in mistakes])


def _call_of(dependant: Dependant, body: Any) -> Call:
    """Return what calls the function of `dependant` with its parameters."""
    function: Any = dependant.call
    others = (
        dependant.cookie_params,
        dependant.websocket_param_name,
        dependant.http_connection_param_name,
        dependant.background_tasks_param_name,
        dependant.security_scopes_param_name,
    )
    if any(others) or len(dependant.body_params) > 1 or not iscoroutinefunction(function):
        raise NeedsFramework
    body_name = dependant.body_params[0].name if dependant.body_params else None
    request_name, response_name = dependant.request_param_name, dependant.response_param_name
    paths = [_parameter(field, field.name) for field in dependant.path_params]
    headers = [_parameter(field, _header_name(field)) for field in dependant.header_params]
    queries = [_parameter(field, field.alias) for field in dependant.query_params]
    needs_query = any(one.is_required for one in queries)
    defaults = {one.field.name: one.default for one in queries}
    # A dependency without a name runs before the body is read (`authentication.py`), and is only described here.
    parts = [(one.name, *_part_of(one, body)) for one in dependant.dependencies if one.name is not None]

    async def call(request: Request, given: RequestInput) -> Any:
        values: dict[str, Any] = {**defaults}
        if request_name is not None:
            values[request_name] = request
        if response_name is not None:
            if given.answer is None:
                given.answer = _JsonResponse(200)
            values[response_name] = given.answer
        if body_name is not None:
            values[body_name] = given.body
        if paths:
            _take(paths, request.scope["path_params"], values)
        if headers:
            _take(headers, request.headers, values)
        if given.query or needs_query:
            _take(queries, given.query, values)
        for name, part, takes_request_alone in parts:
            values[name] = await (part(request) if takes_request_alone else part(request, given))
        return await function(**values)

    return call


def _part_of(dependant: Dependant, body: Any) -> tuple[Callable[..., Awaitable[Any]], bool]:
    """Return what calls the function of a dependency, and whether it takes only the request."""
    call, function = _call_of(dependant, body), cast("FunctionType", dependant.call)
    parameters = function.__code__.co_argcount, function.__code__.co_kwonlyargcount
    if dependant.request_param_name is not None and parameters == (1, 0):
        return function, True
    return call, False


def _body_adapter(field: Any) -> "TypeAdapter[Any]":
    if type(field.field_info).__name__ != "Body" or field.field_info.metadata:
        raise NeedsFramework
    return TypeAdapter(field.field_info.annotation)


@dataclass(frozen=True, slots=True)
class _Parameter:
    """A parameter of a route that is a text in the path, the query or the headers."""

    field: Any
    alias: str
    is_required: bool
    default: Any


def _parameter(field: Any, alias: str) -> _Parameter:
    kind = field.field_info.annotation
    if not all(part in (*_SIMPLE, type(None)) for part in getattr(kind, "__args__", (kind,))):
        raise NeedsFramework
    is_required = field.field_info.is_required()
    return _Parameter(field, alias, is_required, None if is_required else field.get_default())


def _header_name(field: Any) -> str:
    is_renamed = field.field_info.alias is not None
    return str(field.alias if is_renamed else field.name.replace("_", "-"))


def _take(parameters: list[_Parameter], given: Mapping[str, str], values: dict[str, Any]) -> None:
    """Put the parameters that are `given`, or their defaults, into `values`."""
    for one in parameters:
        if one.alias in given:
            value, errors = one.field.validate(given[one.alias], {}, loc=(one.alias,))
            if errors:
                raise NeedsFramework
            values[one.field.name] = value
        elif one.is_required:
            raise NeedsFramework
        else:
            values[one.field.name] = one.default


def _parse_query(text: bytes) -> Mapping[str, str]:
    try:
        fields = parse_qsl(text.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        raise NeedsFramework from None
    query = dict(fields)
    if len(query) < len(fields):
        raise NeedsFramework
    return query
