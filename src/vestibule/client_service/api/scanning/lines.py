"""`POST /scan` with lines of JSON: one text a line, after the options, if there are any."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any

import orjson
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from vestibule.client_service.api.scanning.options import MAX_FIELD_CHARS, ScanOptions, invalid
from vestibule.client_service.api.scanning.streams import MAX_RECORD_BYTES, Answer, StreamedScan, opened_stream, respond
from vestibule.client_service.api.scanning.text_scan import TextScan
from vestibule.contracts.entries import TOO_LARGE, within_value_limit
from vestibule.contracts.errors import InvalidInput, TooLarge
from vestibule.contracts.json_types import MAX_COUNT, Integer
from vestibule.service_kit.http.duplex import BodyLine, BodyLines
from vestibule.service_kit.problems import describe_mistake

_NAMES = frozenset({"text", "id", "field"})

Arrivals = AsyncIterator[Sequence[BodyLine]]


class ScanLine(BaseModel):
    """A line of NDJSON: a text, its field, and the id that its answer repeats."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, AfterValidator(within_value_limit)] = Field(examples=["write to jane@example.org"])
    id: Annotated[Integer, Field(ge=-MAX_COUNT, le=MAX_COUNT)] | Annotated[str, Field(max_length=200)] | None = Field(
        default=None, examples=["row-1"]
    )
    field: Annotated[str, Field(max_length=MAX_FIELD_CHARS)] | None = Field(default=None, examples=["comment"])


async def scan_lines(request: Request, query: Mapping[str, Any]) -> Response:
    """Answer each line of the body by a line.

    Raises:
        InvalidInput, RequestValidationError: the options are not valid. What is wrong with a line is its answer.
        TooManyWaiting: the token has as many streams as it may.
    """
    for name in ("columns", "delimiter"):
        if name in query:
            raise invalid(f"query/{name}", "not_csv", "absent: only rows of CSV have columns")
    async with opened_stream(request) as (wiring, caller, held):
        arrivals = _without_blank(BodyLines(request, MAX_RECORD_BYTES).arrivals())
        # Before Python 3.12.9 and 3.13.2, a tuple as the default is a SystemError.
        first = await anext(arrivals, None) or ()
        given = _options_in(first[0]) if first else None
        scan = await TextScan.prepare(wiring, caller, query, given or {})

        async def answer(line: BodyLine, place: Answer) -> Answer:
            one = _read(line)
            if one.id is not None:
                place["id"] = one.id
            return await scan.scan(one.text, one.field)

        streamed = StreamedScan(wiring, caller, request.state.request_id, _place, answer)
        return respond(streamed, _after(first if given is None else first[1:], arrivals), held)


async def _without_blank(arrivals: AsyncIterator[list[BodyLine]]) -> AsyncIterator[Sequence[BodyLine]]:
    async for lines in arrivals:
        if kept := [line for line in lines if line.content is None or line.content.strip()]:
            yield kept


async def _after(first: Sequence[BodyLine], arrivals: Arrivals) -> Arrivals:
    yield first
    async for lines in arrivals:
        yield lines


def _place(line: BodyLine) -> Answer:
    return {"line": line.number}


def _options_in(line: BodyLine) -> Mapping[str, Any] | None:
    """Return the options that the first line states; None if it is a text.

    Raises:
        RequestValidationError: they are not valid.
    """
    if line.content is None or b'"options"' not in line.content:
        return None
    try:
        stated = orjson.loads(line.content)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(stated, dict) or stated.keys() != {"options"}:
        return None
    try:
        return ScanOptions.model_validate(stated["options"]).model_dump(exclude_unset=True)
    except ValidationError as error:
        found: list[Any] = error.errors(include_url=False, include_input=False)
        raise RequestValidationError([{**one, "loc": ("body", "options", *one["loc"])} for one in found]) from None


def _read(line: BodyLine) -> ScanLine:
    """Return what a line says.

    Raises:
        InvalidInput, TooLarge: it is not valid.
    """
    if line.content is None:
        raise TooLarge(f"A line may have at most {MAX_RECORD_BYTES:,} bytes.")
    try:
        return ScanLine.model_validate_json(line.content)
    except ValidationError as error:
        found: Any = error.errors(include_url=False, include_input=False)
    mistakes = [_describe(one) for one in found[:10]]
    for mistake in mistakes:
        if mistake["kind"] == TOO_LARGE:
            raise TooLarge(f"`text` {mistake['expected']}.")
    places = ", ".join(dict.fromkeys(mistake["where"] for mistake in mistakes))
    raise InvalidInput(f"The line is not valid. Check: {places}.", errors=mistakes)


def _describe(mistake: Mapping[str, Any]) -> dict[str, str]:
    if mistake["type"] == "json_invalid":
        return {"where": "line", "kind": "json_invalid", "expected": "a JSON object in UTF-8, on one line"}
    described = describe_mistake(mistake, _NAMES)
    return described if mistake["loc"] else {**described, "where": "line"}
