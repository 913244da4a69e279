"""The pages that the `type` of a problem document leads to: cause and remedy of each type. They need no token."""

import json
from functools import cache
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from vestibule.contracts.errors import NotFound
from vestibule.service_kit.openapi.descriptions import problem_responses
from vestibule.service_kit.openapi.html_page import HtmlPage
from vestibule.service_kit.openapi.problem_examples import example_responses
from vestibule.service_kit.problem_types import PATH, PROBLEM_TYPES, ProblemType

router = APIRouter(prefix=PATH, tags=["problems"])

_JSON, _HTML = "application/json", "text/html"
_PAGE: dict[int | str, dict[str, Any]] = {
    200: {"content": {_HTML: {}}, "description": "JSON with `Accept: application/json`, otherwise an HTML page"}
}
# The table changes only with the version of the service; after an upgrade a page may be five minutes old.
_CACHING = {"Cache-Control": "public, max-age=300", "Vary": "Accept"}
_SHOWN_HEADERS = ("content-type", "retry-after", "www-authenticate")


class ProblemDescription(BaseModel):
    """A problem type."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(examples=["key-not-found"], description="The last segment of the problem's `type`")
    title: str = Field(examples=["Key not found"], description="The `title` of its problem documents")
    status: int = Field(examples=[404], description="The HTTP status")
    cause: str = Field(examples=["No entry has that key."], description="Why it happens")
    remedy: str = Field(examples=["Check the key."], description="What to do about it")


class ProblemList(BaseModel):
    """All problem types, by status and name."""

    problems: list[ProblemDescription]


@router.get("", response_model=ProblemList, responses={**_PAGE})
async def problem_types(request: Request) -> Response:
    """List the problem types of all services. Needs no token."""
    if _wants_json(request):
        return _as_json(ProblemList(problems=[_described(one) for one in PROBLEM_TYPES.values()]))
    return _as_page("")


@router.get(
    "/{name}", response_model=ProblemDescription, responses={**_PAGE, **problem_responses(NotFound, is_guarded=False)}
)
async def problem_type(
    request: Request, name: Annotated[str, Path(description="The name of a problem type", examples=["key-not-found"])]
) -> Response:
    """Describe a problem type: the page that the `type` of its problem documents refers to. Needs no token."""
    if name not in PROBLEM_TYPES:
        raise NotFound("No problem type has that name.")
    return _as_json(_described(PROBLEM_TYPES[name])) if _wants_json(request) else _as_page(name)


def _wants_json(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return _JSON in accepted and _HTML not in accepted


def _described(one: ProblemType) -> ProblemDescription:
    return ProblemDescription.model_validate(one)


def _as_json(answer: BaseModel) -> Response:
    return JSONResponse(answer.model_dump(), headers=_CACHING)


def _as_page(name: str) -> HTMLResponse:
    response = _page().respond(_html(name))
    response.headers.update(_CACHING)
    return response


# One entry a problem type, and the list: a caller cannot make it grow.
@cache
def _html(name: str) -> str:
    one = PROBLEM_TYPES.get(name)
    groups: dict[str, list[ProblemType]] = {}
    for each in PROBLEM_TYPES.values():
        groups.setdefault(_status_line(each.status), []).append(each)
    example = "" if one is None else _example_of(one)
    return _page().render(one=one, groups=groups, example=example, status=one and _status_line(one.status))


def _example_of(one: ProblemType) -> str:
    """Return the example of a problem type as it comes over the wire."""
    answer = example_responses()[one.name]
    headers = [f"{name.title()}: {answer.headers[name]}" for name in _SHOWN_HEADERS if name in answer.headers]
    body = json.dumps(orjson.loads(answer.body), indent=2, ensure_ascii=False)
    return "\n".join([f"HTTP/1.1 {_status_line(one.status)}", *headers, "", body])


def _status_line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


@cache
def _page() -> HtmlPage:
    return HtmlPage.read("problems")
