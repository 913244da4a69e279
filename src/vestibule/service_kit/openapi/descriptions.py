"""Completes the OpenAPI description of a service: the problems of each route, and examples."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

from vestibule.contracts.errors import InvalidInput
from vestibule.contracts.scopes import ANY_TOKEN, ROUTES, SERVICES_ONLY, Access
from vestibule.service_kit.openapi.problem_examples import USUAL_KINDS, Kind, by_status, sample_of
from vestibule.service_kit.problem_types import problem_type_of
from vestibule.service_kit.problems import MEDIA_TYPE, Problem

# Examples of members without their own, by name; members of one name are alike in every service.
_BY_NAME: Mapping[str, Any] = {
    "alert_id": "9a76fd8275cf19f0",
    "author": "operations",
    "channel": "webhook",
    "cursor": "test1",
    "data": "hello",
    "description": "EMAIL_ADDRESS in the value of a request; the request was rejected.",
    "forms": ["jane@example.org"],
    "fingerprint": "e692:ac6ac54536234054e0ed3e0b049212e7",
    "grace_s": 3_600,
    "holder": "host-1:8003",
    "id": "9a76fd8275cf19f0",
    "idempotency-key": "order-4711",
    "if-match": '"1"',
    "if-none-match": "*",
    "key": "test1",
    "keys": ["test1", "test2"],
    "last-event-id": "AUpHih16myyOP6cnX2Zb1g==",
    "name": "nightly-backup",
    "part": "database",
    "period_s": 86_400,
    "prefix": "orders/",
    "processor": "uppercase",
    "reason": "ticket 4711",
    "request_id": "9638cc59bda34a3ca9d5f4bd55eeedb0",
    "state_by": "operations",
    "state_reason": "ticket 4711",
    "subject": "database",
    "schedule_id": "6f0c5a3e6d0f4a439c550a7d6a2f6f0e",
    "states": "queued,running",
    "task_id": "0b7c5a3e-6d0f-4a43-9c55-0a7d6a2f6f0e",
    "task_ids": ["0b7c5a3e-6d0f-4a43-9c55-0a7d6a2f6f0e"],
    "tenant": "default",
    "time": "2026-01-31T12:00:00+00:00",
    "title": "Database service",
    "token_id": "development",
    "ttl_s": 3_600,
    "value": "hello",
    "wait": 10,
    "window_id": "9a76fd8275cf19f0",
}
_BY_FORMAT: Mapping[str, Any] = {"date-time": "2026-01-31T12:00:00Z"}
_BY_TYPE: Mapping[str, Any] = {"integer": 1, "number": 1.5, "boolean": True, "string": "…", "object": {}, "null": None}
_JSON = "application/json"
# In what a route adds to its description: its errors are `{"error": ...}` (`http/foreign_errors.py`).
FOREIGN_ERRORS = "x-foreign-errors"
_FOREIGN_ERROR = {
    "type": "object",
    "title": "ForeignError",
    "properties": {"error": {"type": "string", "description": "What happened; repeats nothing that was sent"}},
    "required": ["error"],
}
_FOREIGN_EXAMPLE = {"error": "No text provided"}
_OTHER_FOREIGN = "Any other error, in the same form"
_OF_FOREIGN = {
    "400": "The body cannot be read",
    "401": "No token, or an unknown one",
    "403": "The token lacks the scope",
    "413": "The body or a text is too large",
    "415": "The body is not JSON",
    "422": "A member is not valid, or a text cannot be scanned",
    "429": "Too many requests",
    "500": "What is asked for is not served, or a member is missing: the status that clients of Presidio know",
    "503": "The service is overloaded or stopping",
}


class Examples:
    """Makes examples from the schemas of an API."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._schemas = schemas

    def complete(self, operation: dict[str, Any]) -> None:
        """Give each parameter and each JSON body of an operation an example, where it has none."""
        for parameter in operation.get("parameters", ()):
            if "example" not in parameter and "examples" not in parameter:
                parameter["example"] = self._example(parameter["schema"], parameter["name"])
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for described in (*bodies, *operation["responses"].values()):
            content = described.get("content", {}).get(_JSON)
            if content is not None and not {"example", "examples"} & content.keys():
                content["example"] = self._example(content["schema"], "")

    def _example(self, schema: Mapping[str, Any], name: str) -> Any:
        schema = self._resolve(schema)
        known = [*schema.get("examples", ())[:1], *([_BY_NAME[name]] if name in _BY_NAME else ())]
        known += [schema[fixed] for fixed in ("const", "default") if schema.get(fixed) is not None]
        known += schema.get("enum", ())[:1]
        return known[0] if known else self._by_type(schema, name)

    def _by_type(self, schema: Mapping[str, Any], name: str) -> Any:
        match schema.get("type"):
            case "object":
                return self._object(schema)
            case "array":
                return [self._example(schema["items"], name)]
        return _BY_FORMAT.get(schema.get("format", ""), _BY_TYPE.get(schema.get("type", ""), "…"))

    def _object(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        required = schema.get("required", ())
        return {
            name: self._example(member, name)
            for name, member in schema.get("properties", {}).items()
            if name in required or "const" in member or self._says_itself(member)
        }

    def _says_itself(self, member: Mapping[str, Any]) -> bool:
        # An optional member is in the example only if its model has an example.
        return bool(member.get("examples") or self._resolve(member).get("examples"))

    def _resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow references, and take the first of several forms; sibling members are kept."""
        if "$ref" in schema:
            beside = {name: value for name, value in schema.items() if name != "$ref"}
            return {**self._resolve(self._schemas[schema["$ref"].rpartition("/")[2]]), **beside}
        for several in ("anyOf", "oneOf", "allOf"):
            if several in schema:
                beside = {name: value for name, value in schema.items() if name != several}
                return {**self._resolve(schema[several][0]), **beside}
        return schema


_DESCRIPTIONS = {
    401: "No token, or an unknown one",
    403: "The token lacks the scope",
    404: "Not found",
    409: "Not possible in the current state; `detail` says why",
    410: "The result has expired",
    412: "The entry does not match `If-Match` or `If-None-Match`; nothing was changed",
    413: "Over a size limit",
    415: "The body is not JSON, or not declared as JSON; `Accept-Post` names the media type",
    422: "Invalid input, or personal data or a secret was found",
    429: "Too many unknown tokens from this address, or over a quota; retry after `Retry-After` seconds",
    503: "A required service is unavailable; retry after `Retry-After` seconds",
}
_OTHER = "Any other error, such as 405 or 500, is a problem document too; `GET /problems` lists all types"
_SCHEMA = {"$ref": "#/components/schemas/Problem"}
_HEADERS = {
    "X-Request-ID": ("Names the request in the log, in alerts and in problems", "9638cc59bda34a3ca9d5f4bd55eeedb0"),
    "WWW-Authenticate": ("The authentication scheme", "Bearer"),
    "Retry-After": ("Seconds to wait before a retry", "1"),
    "Accept-Post": ("The media type that the route reads", "application/json"),
    "Location": ("The status of the task", "/tasks/0b7c5a3e-6d0f-4a43-9c55-0a7d6a2f6f0e"),
}
_HEADERS_OF = {
    "202": "Location",
    "415": "Accept-Post",
    "401": "WWW-Authenticate",
    "429": "Retry-After",
    "503": "Retry-After",
}


def problem_responses(*kinds: int | Kind, is_guarded: bool = True) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI descriptions of the problems that a route can answer with.

    A bare status stands for its usual error.
    """
    usual: tuple[int, ...] = (401, 403, 429) if is_guarded else ()
    return {status: _describe(status, found) for status, found in by_status((*usual, *kinds)).items()}


def _describe(status: int, kinds: list[Kind]) -> dict[str, Any]:
    examples = {problem_type_of(kind).name: _example(kind) for kind in kinds}
    content = {MEDIA_TYPE: {"schema": _SCHEMA, "examples": examples}}
    return {"description": _DESCRIPTIONS[status], "content": content}


def _example(kind: Kind) -> dict[str, Any]:
    page = problem_type_of(kind).uri
    return {"summary": kind.title, "description": f"Cause and remedy: [{page}]({page})", "value": sample_of(kind)}


def complete_description(app: FastAPI, service: str) -> None:
    """Describe every error response of `app` as a problem document, what each route needs, and examples."""
    generate = app.openapi
    finished: list[dict[str, Any]] = []

    def openapi() -> dict[str, Any]:
        if not finished:
            finished.append(_finish(generate(), service))
        return finished[0]

    app.openapi = openapi  # type: ignore[method-assign]


def _finish(schema: dict[str, Any], service: str) -> dict[str, Any]:
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema()
    if any(FOREIGN_ERRORS in operation for methods in schema["paths"].values() for operation in methods.values()):
        schemas["ForeignError"] = _FOREIGN_ERROR
    components["headers"] = {name: _header(*about) for name, about in _HEADERS.items()}
    examples = Examples(schemas)
    for methods in schema["paths"].values():
        for operation in methods.values():
            _finish_operation(operation, examples)
            access = ROUTES.get(service, {}).get(operation["operationId"])
            if access is not None:
                needed = _describe_access(access, service)
                operation["description"] = f"{operation.get('description', '')}\n\n{needed}".strip()
    return schema


def _describe_access(access: Access, service: str) -> str:
    if service in SERVICES_ONLY:
        return "Only for other services, by the secret that they share."
    if access.scope == ANY_TOKEN:
        return "Needs no scope: every valid token may ask."
    beside = [f"`{scope}`{' ' if when else ''}{when}" for scope, when in access.beside.items()]
    return f"Needs the scope {' and '.join([f'`{access.scope}`', *beside])}."


def _header(description: str, example: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}, "example": example}


def _finish_operation(operation: dict[str, Any], examples: Examples) -> None:
    responses = operation["responses"]
    if operation.pop(FOREIGN_ERRORS, False):
        _describe_foreign(operation, responses)
    else:
        _describe_problems(operation, responses)
    for status, response in responses.items():
        names = ["X-Request-ID", *filter(None, [_HEADERS_OF.get(status)])]
        headers = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        response["headers"] = headers | response.get("headers", {})
    examples.complete(operation)


def _describe_foreign(operation: dict[str, Any], responses: dict[str, Any]) -> None:
    responses.pop("422", None)
    of_request = ("400", "413", "415", "422", "500") if "requestBody" in operation else ("500",)
    statuses = ("401", "403", "429", "503", *of_request) if "security" in operation else ()
    for status in (*statuses, "default"):
        content = {"schema": {"$ref": "#/components/schemas/ForeignError"}, "example": _FOREIGN_EXAMPLE}
        responses[status] = {"description": _OF_FOREIGN.get(status, _OTHER_FOREIGN), "content": {_JSON: content}}


def _describe_problems(operation: dict[str, Any], responses: dict[str, Any]) -> None:
    _replace_own_form(responses)
    # What the frame of a service answers before a route sees the request.
    of_frame = [422, 503] if "security" in operation else []
    for status in of_frame + ([413, 415] if "requestBody" in operation else []):
        responses.setdefault(str(status), _describe(status, [USUAL_KINDS[status]]))
    responses["default"] = {"description": _OTHER, "content": {MEDIA_TYPE: {"schema": _SCHEMA}}}


def _replace_own_form(responses: dict[str, Any]) -> None:
    # The framework adds a 422 in its own form to every route with a parameter that describes none.
    if "application/json" in responses.get("422", {}).get("content", {}):
        responses["422"] = _describe(422, [InvalidInput])
