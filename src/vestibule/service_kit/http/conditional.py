"""Reads the conditions of requests from their headers.

The headers are read by hand and described apart: as parameters of the framework they cost a third of a small route.
"""

from typing import Annotated, Any

from fastapi import Depends, Request

from vestibule.contracts.conditions import ALWAYS, MATCH, NONE_MATCH, Condition
from vestibule.contracts.errors import InvalidInput


async def _condition(request: Request) -> Condition:
    match, none_match = _line(request, MATCH), _line(request, NONE_MATCH)
    return ALWAYS if match is None and none_match is None else Condition.parse(match, none_match)


async def _known(request: Request) -> Condition:
    try:
        return Condition.parse(None, _line(request, NONE_MATCH))
    except InvalidInput:
        # It only saves an answer, so one that cannot be read is as good as none.
        return ALWAYS


def _line(request: Request, name: str) -> str | None:
    lines = request.headers.getlist(name)
    return ", ".join(lines) if lines else None


def _describe(name: str, description: str) -> dict[str, Any]:
    schema = {"type": "string"}
    return {"name": name.lower(), "in": "header", "required": False, "description": description, "schema": schema}


Expected = Annotated[Condition, Depends(_condition)]
Known = Annotated[Condition, Depends(_known)]

# What the OpenAPI description of a route says that takes one of them, as `openapi_extra`.
TAKES_EXPECTED = {
    "parameters": [
        _describe(MATCH, 'Entity tags such as `"3"`, of which the entry must have one; `*`: there must be one'),
        _describe(NONE_MATCH, "Entity tags of which the entry may have none; `*`: there must be no entry"),
    ]
}
TAKES_KNOWN = {"parameters": [_describe(NONE_MATCH, "Entity tags that are known; one that still holds is a 304")]}
