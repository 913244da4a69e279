"""Renders errors as RFC 9457 problem documents; `problem_types.py` has their statuses and titles.

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
from vestibule.service_kit.frame_problems import (
    INTERNAL_ERROR,
    METHOD_NOT_ALLOWED,
    REQUEST_TIMEOUT,
    ROUTE_NOT_FOUND,
    ProblemType,
)
from vestibule.service_kit.problem_types import OF_ERRORS, problem_type_of

MEDIA_TYPE = "application/problem+json"
# The preference of a caller that an answer has a receipt, and the header that says that it has one (RFC 7240).
RECEIPT, PREFERENCE_APPLIED = "receipt", "Preference-Applied"

# A body can hold a hundred thousand mistakes; only the first are listed.
MAX_MISTAKES = 10

# What the framework refuses by itself; `app.py` renders its 400 and 413 as named errors.
_OF_STATUS = {one.status: one for one in (ROUTE_NOT_FOUND, METHOD_NOT_ALLOWED, REQUEST_TIMEOUT)}


class Problem(BaseModel):
    """What went wrong, for programs and for people. A problem type may add members of its own."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(
        description="The problem type: a URI reference, `/problems/NAME`, that resolves against the base URL of the "
        "service. The page there gives cause and remedy.",
        examples=[OF_ERRORS[errors.InvalidInput].uri],
    )
    title: str = Field(description="The problem type in words", examples=[errors.InvalidInput.title])
    status: int = Field(description="The HTTP status", examples=[OF_ERRORS[errors.InvalidInput].status])
    detail: str = Field(description="What happened in this request; repeats nothing that was sent")
    instance: str = Field(description="The request that it happened to", examples=["urn:request:5f0c…"])


def render_error(error: errors.VestibuleError, request_id: str) -> Response:
    """Return the problem document of a named error."""
    headers: dict[str, str] = {}
    if isinstance(error, errors.InvalidToken):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, errors.UnsupportedMediaType):
        # Source: Linked Data Platform 1.0, section 7.1.
        headers["Accept-Post"] = error.media_type
    if isinstance(error, (errors.Unavailable, errors.TooManyAuthFailures, errors.TooManyWaiting, errors.QuotaExceeded)):
        headers["Retry-After"] = str(error.retry_after_s)
    if "receipt" in error.extra:
        headers[PREFERENCE_APPLIED] = RECEIPT
    return render_problem(problem_type_of(type(error)), error.detail, request_id, extra=error.extra, headers=headers)


def render_unexpected(request_id: str) -> Response:
    """Return the response to a request that failed unexpectedly; it does not reveal the cause."""
    return render_problem(INTERNAL_ERROR, INTERNAL_ERROR.detail, request_id)


def render_http_exception(error: HTTPException, request_id: str) -> Response:
    """Return the problem document of an error of the framework: unknown route, wrong method."""
    kind = _OF_STATUS[error.status_code]
    return render_problem(kind, kind.detail, request_id, headers=dict(error.headers or {}))


def render_problem(
    kind: ProblemType,
    detail: str,
    request_id: str,
    *,
    extra: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem document as a response."""
    return Response(orjson.dumps(_document(kind, detail, request_id, extra)), kind.status, headers, MEDIA_TYPE)


def document_of(error: errors.VestibuleError, request_id: str) -> dict[str, object]:
    """Return the problem document of a named error, as a member of another document."""
    return _document(problem_type_of(type(error)), error.detail, request_id, error.extra)


def _document(kind: ProblemType, detail: str, request_id: str, extra: Mapping[str, object] | None) -> dict[str, object]:
    return {
        "type": kind.uri,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "instance": f"urn:request:{request_id}",
        **(extra or {}),
    }


def refusal_of(error: RequestValidationError, request: Request) -> errors.InvalidInput | errors.TooLarge:
    """Return the error of an invalid request, with place and kind of each mistake and nothing that was sent."""
    known_names = names_in_schema(request.app.openapi())
    found = [describe_mistake(mistake, known_names) for mistake in error.errors()[:MAX_MISTAKES]]
    for mistake in found:
        if mistake["kind"] == TOO_LARGE:
            return errors.TooLarge(f"`{mistake['where']}` {mistake['expected']}.")
    places = ", ".join(sorted({str(mistake["where"]) for mistake in found}))
    return errors.InvalidInput(f"The request is not valid. Check: {places}.", errors=found)


def describe_mistake(mistake: Mapping[str, Any], known_names: frozenset[str]) -> dict[str, str]:
    """Return where a mistake is and what was expected there.

    A name that the caller made up could hold anything, so only names of the API are repeated.
    """
    where = [str(part) for part in mistake["loc"] if isinstance(part, int) or part in known_names]
    if mistake["type"] == "json_invalid":
        return {
            "where": "body",
            "kind": "json_invalid",
            "expected": f"valid JSON; it is malformed at character {where[-1]}",
        }
    return {"where": "/".join(where) or "body", "kind": mistake["type"], "expected": _expectation(mistake)}


def _expectation(mistake: Mapping[str, Any]) -> str:
    match mistake["type"]:
        case "extra_forbidden":
            return "documented members only"
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
