"""Renders named errors as RFC 9457 problem documents: the one place where an error becomes an HTTP status.

Source: RFC 9457, Problem Details for HTTP APIs.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from vestibule.contracts import errors
from vestibule.contracts.entries import TOO_LARGE

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:vestibule:problem:"

# The nearest class in an error's ancestry decides.
STATUS: Mapping[type[errors.VestibuleError], int] = {
    errors.InvalidInput: 422,
    errors.PersonalDataFound: 422,
    errors.NotProcessable: 422,
    errors.ScanImpossible: 422,
    errors.IdempotencyKeyReused: 422,
    errors.TooLarge: 413,
    errors.InvalidToken: 401,
    errors.TooManyAuthFailures: 429,
    errors.ScopeMissing: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.ResultExpired: 410,
    errors.PreconditionFailed: 412,
    errors.Unavailable: 503,
    errors.VestibuleError: 500,
}

# A body can hold a hundred thousand mistakes; the first few are enough to mend them.
MAX_MISTAKES = 10

HTTP_TITLES = {
    400: "Malformed request",
    404: "No such route",
    405: "Method not allowed",
    408: "Request timeout",
    413: "Too large",
}


class Problem(BaseModel):
    """What went wrong, for programs and for people. The problem may add members of its own."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="A URN that names the kind of problem", examples=[TYPE_PREFIX + "invalid-input"])
    title: str = Field(description="The kind of problem in words", examples=["Invalid input"])
    status: int = Field(description="The HTTP status", examples=[422])
    detail: str = Field(description="What to do about it; repeats nothing that was sent")
    instance: str = Field(description="The request that it happened to", examples=["urn:request:5f0c…"])


def status_of(error: errors.VestibuleError) -> int:
    """Return the HTTP status that `error` is rendered with."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def render_error(error: errors.VestibuleError, request_id: str) -> Response:
    """Return the problem document of a named error."""
    headers: dict[str, str] = {}
    if isinstance(error, errors.InvalidToken):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, (errors.Unavailable, errors.TooManyAuthFailures)):
        headers["Retry-After"] = str(error.retry_after_s)
    return render_problem(
        status_of(error), error.slug, error.title, error.detail, request_id, extra=error.extra, headers=headers
    )


def render_unexpected(request_id: str) -> Response:
    """Return the answer to a request that failed in a way nobody foresaw: it says nothing of the cause."""
    return render_problem(
        500,
        "internal-error",
        "Internal error",
        "Something went wrong on our side. The log has the cause under this request's id.",
        request_id,
    )


def render_http_exception(error: HTTPException, request_id: str) -> Response:
    """Return the problem document of what the framework refuses by itself: unknown routes, wrong methods."""
    title = HTTP_TITLES.get(error.status_code, "Request refused")
    slug = title.lower().replace(" ", "-")
    headers = dict(error.headers or {})
    return render_problem(error.status_code, slug, title, f"{title}.", request_id, headers=headers)


def render_problem(
    status: int,
    slug: str,
    title: str,
    detail: str,
    request_id: str,
    *,
    extra: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem document as a response."""
    document = {
        "type": TYPE_PREFIX + slug,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": f"urn:request:{request_id}",
        **(extra or {}),
    }
    return Response(orjson.dumps(document), status, headers, MEDIA_TYPE)


def refusal_of(error: RequestValidationError, request: Request) -> errors.InvalidInput | errors.TooLarge:
    """Return what was wrong with a request, by place and kind, repeating nothing that was sent."""
    known_names = names_in_schema(request.app.openapi())
    found = [describe_mistake(mistake, known_names) for mistake in error.errors()[:MAX_MISTAKES]]
    for mistake in found:
        if mistake["kind"] == TOO_LARGE:
            return errors.TooLarge(f"`{mistake['where']}` {mistake['expected']}.")
    places = ", ".join(sorted({str(mistake["where"]) for mistake in found}))
    return errors.InvalidInput(f"The request is not valid. Look at: {places}.", errors=found)


def describe_mistake(mistake: Mapping[str, Any], known_names: frozenset[str]) -> dict[str, str]:
    """Return where a mistake is and what was expected there.

    Names that the caller made up could hold anything, so only names that the API itself has are repeated.
    """
    where = [str(part) for part in mistake["loc"] if isinstance(part, int) or part in known_names]
    if mistake["type"] == "json_invalid":
        return {"where": "body", "kind": "json_invalid", "expected": f"well-formed JSON; it breaks off at {where[-1]}"}
    return {"where": "/".join(where) or "body", "kind": mistake["type"], "expected": _expectation(mistake)}


def _expectation(mistake: Mapping[str, Any]) -> str:
    match mistake["type"]:
        case "extra_forbidden":
            return "no members but the documented ones"
        case "model_attributes_type" | "model_type":
            return "a JSON object, sent with `Content-Type: application/json`"
        case _:
            # pydantic's and our own validators' messages name the rule and do not quote the input.
            return str(mistake["msg"]).removeprefix("Value error, ")


def names_in_schema(schema: Mapping[str, Any]) -> frozenset[str]:
    """Return every name that the API's own description gives to a member or a parameter."""
    names = {"body", "query", "path", "header"}
    for model in schema.get("components", {}).get("schemas", {}).values():
        names.update(model.get("properties", {}))
    for methods in schema["paths"].values():
        for operation in methods.values():
            names.update(parameter["name"] for parameter in operation.get("parameters", ()))
    return frozenset(names)
