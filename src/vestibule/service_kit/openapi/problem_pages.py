"""The pages that the `type` of a problem document leads to: cause and remedy of each type. They need no token."""

import base64
import hashlib
import json
import re
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from itertools import groupby
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Request
from markupsafe import Markup, escape
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import HTMLResponse, JSONResponse, Response

from vestibule.contracts.errors import NotFound
from vestibule.service_kit.frame_problems import PATH, ProblemType
from vestibule.service_kit.openapi.descriptions import problem_responses
from vestibule.service_kit.openapi.problem_examples import example_responses
from vestibule.service_kit.problem_types import PROBLEM_TYPES

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
async def list_problem_types(request: Request) -> Response:
    """List the problem types of all services. Needs no token."""
    if _wants_json(request):
        return _as_json(
            ProblemList(problems=[ProblemDescription.model_validate(one) for one in PROBLEM_TYPES.values()])
        )
    return _as_page("")


@router.get(
    "/{name}", response_model=ProblemDescription, responses={**_PAGE, **problem_responses(NotFound, is_guarded=False)}
)
async def get_problem_type(
    request: Request, name: Annotated[str, Path(description="The name of a problem type", examples=["key-not-found"])]
) -> Response:
    """Describe a problem type: the page that the `type` of its problem documents refers to. Needs no token."""
    if name not in PROBLEM_TYPES:
        raise NotFound("No problem type has that name.")
    return _as_json(ProblemDescription.model_validate(PROBLEM_TYPES[name])) if _wants_json(request) else _as_page(name)


def _wants_json(request: Request) -> bool:
    accepted = request.headers.get("accept", "")
    return _JSON in accepted and _HTML not in accepted


def _as_json(answer: BaseModel) -> Response:
    return JSONResponse(answer.model_dump(), headers=_CACHING)


def _as_page(name: str) -> HTMLResponse:
    html, policy = _render(name)
    restrictions = {"Content-Security-Policy": policy, "X-Frame-Options": "DENY"}
    return HTMLResponse(html, headers=restrictions | _CACHING)


# One entry for each problem type, and one for the list: a caller cannot make it grow.
@cache
def _render(name: str) -> tuple[str, str]:
    """Return a page and its content security policy, which allows its style and nothing else."""
    # Takes 2 MB, and most services never serve a page.
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["words"] = _as_words
    folder = files(__package__) / "page_files"
    css = (folder / "base.css").read_text() + (folder / "problems.css").read_text()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode("ascii")
    one = PROBLEM_TYPES.get(name)
    groups: dict[str, list[ProblemType]] = {}
    for each in PROBLEM_TYPES.values():
        groups.setdefault(_status_line(each.status), []).append(each)
    html = environment.from_string((folder / "problems.html.jinja").read_text()).render(
        css=Markup(css),  # noqa: S704 - our own file
        one=one,
        groups=groups,
        example="" if one is None else _example_of(one),
        status=one and _status_line(one.status),
    )
    allowed = f"style-src 'sha256-{digest}'; img-src data:"
    return html, f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def _as_words(text: str) -> Markup:
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def _example_of(one: ProblemType) -> str:
    """Return the example response of a problem type with its headers."""
    answer = example_responses()[one.name]
    headers = [f"{name.title()}: {answer.headers[name]}" for name in _SHOWN_HEADERS if name in answer.headers]
    body = json.dumps(orjson.loads(answer.body), indent=2, ensure_ascii=False)
    return "\n".join([f"HTTP/1.1 {_status_line(one.status)}", *headers, "", body])


def _status_line(status: int) -> str:
    return f"{status} {HTTPStatus(status).phrase}"


_HEAD = f"""# Problem types

An error response is a problem document ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) with the media type
`application/problem+json`. Its members are `type`, `title`, `status`, `detail`, `instance`, and what the type adds.

- `type` is `{PATH}/NAME`, a URI reference that resolves against the base URL of the service. It is stable, so programs
  compare it.
- `GET {PATH}/{{name}}` explains a type, and `GET {PATH}` lists all of them, on every service and without a token: an
  HTML page, or JSON with `Accept: application/json`.
- `detail` says what happened in this request. It repeats nothing that the caller sent.
- `instance` is `urn:request:ID`, where ID is the `X-Request-ID` of the response and the request id in the log.

This page is generated from `service_kit/problem_types.py`.
"""


def problem_reference() -> str:
    """Return the text of `docs/problems.md`."""
    parts = [_HEAD]
    for status, types in groupby(PROBLEM_TYPES.values(), key=lambda one: one.status):
        parts.append(f"## Status {status}\n")
        for one in types:
            parts.append(f"### {one.name}\n\n{one.title}.\n\n- Cause: {one.cause}\n- Remedy: {one.remedy}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    print(problem_reference(), end="")
