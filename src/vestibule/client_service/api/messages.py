"""The routes of the front door: each says what it takes and gives, and calls one use case."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from starlette.responses import JSONResponse, Response

from vestibule.client_service.api.idempotency import RepeatableRoute
from vestibule.client_service.api.request_parsing import IntakePart, PairSource, Sender
from vestibule.client_service.api.schemas import AcceptedMessage, AddReply, Reply
from vestibule.client_service.api.tasks import accepted
from vestibule.client_service.intake.requests import Message
from vestibule.client_service.screening.screener import Screened
from vestibule.contracts.conditions import etag_of
from vestibule.contracts.entries import Entry, Key
from vestibule.contracts.errors import (
    IdempotencyKeyReused,
    InvalidInput,
    NotProcessable,
    PersonalDataFound,
    ResultRefused,
    ScanImpossible,
    UnknownProcessor,
)
from vestibule.service_kit.auth.authentication import allow
from vestibule.service_kit.http.conditional import TAKES_EXPECTED, TAKES_KNOWN, Expected, Known
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=RepeatableRoute)

REFUSED = (PersonalDataFound, InvalidInput, ScanImpossible, IdempotencyKeyReused)


@router.post(
    "/add",
    tags=["pairs"],
    dependencies=[allow("add")],
    openapi_extra=TAKES_EXPECTED,
    responses=problem_responses(409, 412, 413, *REFUSED, 503),
    response_model_exclude_none=True,
)
async def add(pair: PairSource, intake: IntakePart, sender: Sender, expected: Expected) -> AddReply:
    """Check a pair at the door and store it. A 200 means that it is on disk.

    Send JSON, or `key`, `value` and `ttl_s` as query parameters. With `If-Match` only that version is overwritten, with
    `If-None-Match: *` nothing is.
    """
    added = await intake.add(pair, sender, expected)
    return AddReply(**added.written.model_dump(), **decision_of(added.admitted))


@router.get(
    "/read",
    tags=["pairs"],
    dependencies=[allow("read")],
    openapi_extra=TAKES_KNOWN,
    responses={304: {"description": "Unchanged"}, **problem_responses(404, 422, 503)},
    response_model=Entry,
    response_model_exclude_none=True,
)
async def read(key: Annotated[Key, Query()], intake: IntakePart, response: Response, known: Known) -> Entry | Response:
    """Return the value under a key, with its version as `ETag`."""
    entry = await intake.read(key)
    etag = etag_of(entry.version)
    if not known.allows(entry.version):
        return Response(status_code=304, headers={"ETag": etag})
    response.headers["ETag"] = etag
    return entry


@router.post(
    "/messages",
    tags=["messages"],
    dependencies=[allow("message")],
    response_model=Reply,
    response_model_exclude_none=True,
    responses={
        202: {"model": AcceptedMessage, "description": "Accepted"},
        **problem_responses(409, 413, *REFUSED, UnknownProcessor, NotProcessable, ResultRefused, 503),
    },
)
async def message(message: Annotated[Message, Body()], intake: IntakePart, sender: Sender) -> Reply | Response:
    """Check a message at the door and have it processed: in the background, or at once with `mode: sync`.

    Where it is not said, the routes of the settings decide; in the background if they say nothing.
    """
    taken = await intake.take_message(message, sender)
    if taken.is_reply:
        return Reply(reply=taken.outcome, **decision_of(taken.admitted))
    work = accepted(taken.outcome).model_dump()
    reply = AcceptedMessage(**work, **decision_of(taken.admitted))
    return JSONResponse(reply.model_dump(exclude_none=True), status_code=202)


def decision_of(admitted: Screened) -> dict[str, Any]:
    """Return the members of a reply that say what was decided."""
    return {
        "findings": [located.as_dict() for located in admitted.findings],
        "would_have": admitted.would_have,
        "receipt": admitted.receipt,
    }
