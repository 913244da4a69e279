"""Completes the OpenAPI description of a service: the problems of each route, and examples."""

from typing import Any

from fastapi import FastAPI

from vestibule.contracts.errors import InvalidInput
from vestibule.service_kit.openapi.examples import Examples
from vestibule.service_kit.openapi.problem_examples import Kind, by_status, sample_of
from vestibule.service_kit.problem_types import problem_type_of
from vestibule.service_kit.problems import MEDIA_TYPE, Problem

_DESCRIPTIONS = {
    401: "No token, or an unknown one",
    403: "The token lacks the scope",
    404: "Not found",
    409: "Not possible in the current state; `detail` says why",
    410: "The result has expired",
    412: "The entry does not match `If-Match` or `If-None-Match`; nothing was changed",
    413: "Over a size limit",
    422: "Invalid input, or personal data or a secret was found",
    429: "Too many unknown tokens from this address; `Retry-After` says when to retry",
    503: "A required service does not answer; `Retry-After` says when to retry",
}
_OTHER = "Any other error, such as 405 or 500, is a problem document too; `GET /problems` lists all types"
_SCHEMA = {"$ref": "#/components/schemas/Problem"}
_HEADERS = {
    "X-Request-ID": ("Names the request in the log, in alerts and in problems", "9638cc59bda34a3ca9d5f4bd55eeedb0"),
    "WWW-Authenticate": ("The authentication scheme", "Bearer"),
    "Retry-After": ("Seconds to wait before a retry", "1"),
}
_HEADERS_OF = {"401": "WWW-Authenticate", "429": "Retry-After", "503": "Retry-After"}


def problem_responses(*kinds: int | Kind, is_guarded: bool = True) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI descriptions of the problems that a route can answer with.

    A status stands for the usual error of it; an error names itself.
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


def describe_problems(app: FastAPI) -> None:
    """Describe every refusal of `app` as the problem that it is, and give an example of what comes and goes."""
    generate = app.openapi
    finished: list[dict[str, Any]] = []

    def openapi() -> dict[str, Any]:
        if not finished:
            finished.append(_finish(generate()))
        return finished[0]

    app.openapi = openapi  # type: ignore[method-assign]


def _finish(schema: dict[str, Any]) -> dict[str, Any]:
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema()
    components["headers"] = {name: _header(*about) for name, about in _HEADERS.items()}
    examples = Examples(schemas)
    for methods in schema["paths"].values():
        for operation in methods.values():
            _finish_operation(operation, examples)
    return schema


def _header(description: str, example: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}, "example": example}


def _finish_operation(operation: dict[str, Any], examples: Examples) -> None:
    responses = operation["responses"]
    _replace_own_form(responses)
    responses["default"] = {"description": _OTHER, "content": {MEDIA_TYPE: {"schema": _SCHEMA}}}
    for status, response in responses.items():
        names = ["X-Request-ID", *filter(None, [_HEADERS_OF.get(status)])]
        headers = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        response["headers"] = headers | response.get("headers", {})
    examples.complete(operation)


def _replace_own_form(responses: dict[str, Any]) -> None:
    # The framework adds a 422 to every route with a parameter, in its own form where the route describes none.
    if "application/json" in responses.get("422", {}).get("content", {}):
        responses["422"] = _describe(422, [InvalidInput])
