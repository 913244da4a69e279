"""Reads the conditions of requests from their headers.

The headers are read by hand, and described separately: as parameters they cost a third of a small route.
"""

from typing import Annotated, Any

from fastapi import Depends, Request

from vestibule.contracts.entries import ALWAYS, MATCH, NONE_MATCH, Condition
from vestibule.contracts.errors import InvalidInput
from vestibule.service_kit.request_headers import headers_of

_MATCH, _NONE_MATCH = MATCH.lower().encode(), NONE_MATCH.lower().encode()


async def _condition(request: Request) -> Condition:
    headers = headers_of(request.scope)
    if _MATCH not in headers and _NONE_MATCH not in headers:
        return ALWAYS
    return Condition.parse(_line(request, MATCH), _line(request, NONE_MATCH))


async def _known(request: Request) -> Condition:
    try:
        return Condition.parse(None, _line(request, NONE_MATCH))
    except InvalidInput:
        # The condition only saves a response, so an invalid one is ignored.
        return ALWAYS


def _line(request: Request, name: str) -> str | None:
    lines = request.headers.getlist(name)
    return ", ".join(lines) if lines else None


def describe_header(name: str, description: str) -> dict[str, Any]:
    """Return the OpenAPI description of a header that is read by hand."""
    schema = {"type": "string"}
    return {"name": name.lower(), "in": "header", "required": False, "description": description, "schema": schema}


Expected = Annotated[Condition, Depends(_condition)]
Known = Annotated[Condition, Depends(_known)]

# The `openapi_extra` of routes that take one of them.
TAKES_EXPECTED = {
    "parameters": [
        describe_header(
            MATCH, 'Entity tags such as `"3"`, one of which the entry must have; `*`: the entry must exist'
        ),
        describe_header(NONE_MATCH, "Entity tags that the entry must not have; `*`: the entry must not exist"),
    ]
}
TAKES_KNOWN = {"parameters": [describe_header(NONE_MATCH, "Known entity tags; 304 if one is current")]}
