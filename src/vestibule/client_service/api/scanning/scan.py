"""The route that scans texts: one or up to 1,000 as JSON, and streams of any length as lines of JSON or rows of CSV."""

import asyncio
from typing import Annotated, Any, ClassVar

import orjson
from fastapi import APIRouter, Body, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, ConfigDict, Field
from starlette.responses import Response

from vestibule.client_service.api.scanning.lines import scan_lines
from vestibule.client_service.api.scanning.options import (
    EntitiesQuery,
    ExplainQuery,
    FieldQuery,
    IgnoredQuery,
    MinScoreQuery,
    ScanOptions,
    TreatQuery,
    invalid,
)
from vestibule.client_service.api.scanning.replies import (
    LINES_ANSWER,
    PLAIN_ANSWER,
    BatchScanReply,
    ScanReply,
    TreatedScan,
)
from vestibule.client_service.api.scanning.rows import scan_rows
from vestibule.client_service.api.scanning.streams import CSV, NDJSON
from vestibule.client_service.api.scanning.text_scan import TextScan
from vestibule.client_service.api.wiring import MOST_WAITING, CallerPart, WiringPart
from vestibule.client_service.screening.screener import Screener
from vestibule.contracts.entries import within_value_limit
from vestibule.contracts.errors import InvalidInput, ScanImpossible, TooManyWaiting
from vestibule.contracts.json_types import either
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.fast_dispatch.streamed import StreamingRoute
from vestibule.service_kit.openapi.descriptions import problem_responses

MAX_SCAN_TEXTS = 1000
# Members of a request that needs no scanner of its own.
_PLAIN = frozenset({"text", "texts", "explain"})
_BODIES: dict[str, Any] = {
    NDJSON: {
        "schema": {
            "type": "string",
            "description": 'Any number of lines, each `{"text", "id"?, "field"?}` and at most 4 MiB long. The first '
            'may be `{"options": {...}}`, with the options as the JSON body has them.',
        },
        "example": '{"text":"write to me@example.org","id":"row-1"}\n',
    },
    CSV: {
        "schema": {
            "type": "string",
            "description": "A header row and any number of rows, each at most 4 MiB long. Each cell is scanned by "
            "itself; the name of its column is its `field`.",
        },
        "example": "name,contact\nJane,me@example.org\n",
    },
}


class ScanRoute(GuardedRoute, StreamingRoute):
    """The guarded route of scans, which also takes streams."""

    streams: ClassVar = {NDJSON: scan_lines, CSV: scan_rows}


router = APIRouter(route_class=ScanRoute)


class ScanRequest(ScanOptions):
    """One text, or up to a thousand, and the options."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"text": "write to me@example.org"}], **either("text", "texts")},
    )

    text: Annotated[str, AfterValidator(within_value_limit)] | None = None
    texts: list[str] | None = Field(default=None, max_length=MAX_SCAN_TEXTS)


@router.post(
    "/scan",
    tags=["detection"],
    dependencies=[allow("scan")],
    # Generated clients take the first form that fits.
    response_model=TreatedScan | ScanReply | BatchScanReply,
    responses={
        200: {"content": {"application/json": {"example": PLAIN_ANSWER}, NDJSON: LINES_ANSWER}},
        **problem_responses(413, InvalidInput, ScanImpossible, TooManyWaiting),
    },
    openapi_extra={"requestBody": {"content": _BODIES}},
)
async def scan_text(
    request: Annotated[ScanRequest, Body()],
    wiring: WiringPart,
    caller: CallerPart,
    http: Request,
    *,
    entities: EntitiesQuery = None,
    ignored_entities: IgnoredQuery = None,
    min_score: MinScoreQuery = None,
    field: FieldQuery = None,
    explain: ExplainQuery = None,
    treat: TreatQuery = None,
    columns: Annotated[
        str | None,
        Query(max_length=8192, description="Names of the columns to scan, as a row of CSV", examples=["name,contact"]),
    ] = None,
    delimiter: Annotated[
        str | None, Query(max_length=3, description="Of the columns of CSV: `,`, `;`, `|` or `tab`", examples=[","])
    ] = None,
) -> Response:
    """Return the findings in a text, or in each of up to 1,000. Stores nothing and raises no alert.

    With `Content-Type: application/x-ndjson` or `text/csv` the body may have any length: each line, or row, is answered
    by a line of JSON, in order, while others still arrive. A line that is not valid is answered by its problem, and the
    rest goes on. A token has four such streams at the same time. Read the answers while you send: the service reads no
    further while they are not taken, and ends a stream whose answers nobody reads for a minute.
    """
    if (request.text is None) == (request.texts is None):
        raise RequestValidationError([{"type": "one_of", "loc": ("body", "text"), "msg": "either `text` or `texts`"}])
    if request.text is not None and not http.scope["query_string"] and request.model_fields_set <= _PLAIN:
        return await _scan(wiring.screener, request.text, request.explain)
    for name, value in (("columns", columns), ("delimiter", delimiter)):
        if value is not None:
            raise invalid(f"query/{name}", "not_csv", "absent: only rows of CSV have columns")
    query = {
        "entities": entities,
        "ignored_entities": ignored_entities,
        "min_score": min_score,
        "field": field,
        "explain": explain,
        "treat": treat,
    }
    stated = request.model_dump(exclude_unset=True, exclude={"text", "texts"})
    scan = await TextScan.prepare(wiring, caller, query, stated)
    if request.text is not None:
        return _json(await scan.scan(request.text))
    results = []
    async with wiring.batches.of(caller.token_id, MOST_WAITING):
        # Each is rendered on its own, since all together may have a hundred thousand findings.
        for text in request.texts or ():
            # Lets other requests run between the texts of a long list.
            await asyncio.sleep(0)
            results.append(orjson.dumps(await scan.scan(text)))
    return Response(b'{"results":[' + b",".join(results) + b"]}", media_type="application/json")


async def _scan(screener: Screener, text: str, is_explaining: bool) -> Response:
    # Lets other requests run before a scan.
    await asyncio.sleep(0)
    found = await screener.explain(text) if is_explaining else await screener.scan(text)
    # Rendered here: to find out which form of answer it is would cost as much as the scan.
    return _json({"findings": [one.as_dict() for one in found]})


def _json(members: dict[str, Any]) -> Response:
    return Response(orjson.dumps(members), media_type="application/json")
