"""The routes of entries: add, read, list and delete them, read their history, and watch them change."""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Header, Query
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from vestibule.client_service.api.screening import DecisionReply
from vestibule.client_service.api.wiring import (
    MOST_WAITING,
    CallerPart,
    EntriesPart,
    KeyText,
    RepeatableRoute,
    Sender,
    WiringPart,
    from_query,
    note_preference,
)
from vestibule.contracts.entries import (
    EVENT_STREAM,
    Deleted,
    Entry,
    EntryBatch,
    ExpiresAt,
    History,
    Key,
    KeyBound,
    KeyPage,
    Pair,
    ReadBatch,
    WriteBatch,
    etag_of,
)
from vestibule.contracts.errors import (
    IdempotencyKeyReused,
    InvalidInput,
    PersonalDataFound,
    ScanImpossible,
    TooManyWaiting,
)
from vestibule.runtime.turns import in_slices
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.http.conditional import TAKES_EXPECTED, TAKES_KNOWN, Expected, Known
from vestibule.service_kit.http.preferences import TAKES_PREFERENCE
from vestibule.service_kit.openapi.descriptions import problem_responses

repeatable_router = APIRouter(route_class=RepeatableRoute, tags=["entries"])
router = APIRouter(route_class=GuardedRoute, tags=["entries"])

Prefix = Annotated[KeyBound, Query(description="Prefix of the keys")]


class WrittenEntry(BaseModel):
    """An entry that is on disk."""

    status: Literal["written"] = "written"
    key: str = Field(examples=["test1"])
    version: int = Field(description="1 for the first write of a key, increased by one with each write", examples=[1])
    expires_at: ExpiresAt = None


class AddReply(DecisionReply, WrittenEntry):
    """An entry that is on disk, and the decision about it."""


class AddBatchReply(BaseModel):
    """Entries that are on disk, in the order of the request, and the decision about each."""

    added: list[AddReply]


@repeatable_router.post(
    "/add",
    dependencies=[allow("add")],
    openapi_extra={"parameters": [*TAKES_EXPECTED["parameters"], *TAKES_PREFERENCE["parameters"]]},
    responses=problem_responses(
        409, 412, 413, PersonalDataFound, InvalidInput, ScanImpossible, IdempotencyKeyReused, TooManyWaiting, 503
    ),
    response_model_exclude_none=True,
)
async def add_entry(
    *,
    wiring: WiringPart,
    sender: Sender,
    expected: Expected,
    response: Response,
    body: Annotated[Pair | None, Body()] = None,
    key: KeyText = None,
    value: Annotated[str | None, Query(description="The value, if there is no body")] = None,
    ttl_s: Annotated[str | None, Query(description="Seconds after which the entry expires")] = None,
) -> AddReply:
    """Screen an entry and store it. A 200 means that it is on disk.

    Send JSON, or `key`, `value` and `ttl_s` as query parameters. `If-Match` overwrites only that version,
    `If-None-Match: *` overwrites nothing. `Prefer: receipt` adds a signed receipt of the decision.
    """
    pair = body or from_query(Pair, key=key, value=value, ttl_s=ttl_s)
    added = await wiring.intake.add(pair, sender, expected)
    response.headers["ETag"] = etag_of(added.written.version)
    if sender.wants_receipt:
        note_preference(response, sender)
    return AddReply(**vars(added.written), **added.screened.decision)


@router.get(
    "/read",
    dependencies=[allow("read")],
    openapi_extra=TAKES_KNOWN,
    responses={304: {"description": "Unchanged"}, **problem_responses(404, 422, 503)},
    response_model=Entry,
    response_model_exclude_none=True,
)
async def read_entry(
    key: Annotated[Key, Query()], entries: EntriesPart, response: Response, known: Known
) -> Entry | Response:
    """Return the value under a key, with its version as `ETag`."""
    entry = await entries.read(key)
    etag = etag_of(entry.version)
    if not known.allows(entry.version):
        return Response(status_code=304, headers={"ETag": etag})
    response.headers["ETag"] = etag
    return entry


@router.delete(
    "/delete", dependencies=[allow("delete")], openapi_extra=TAKES_EXPECTED, responses=problem_responses(412, 422, 503)
)
async def delete_entry(key: Annotated[Key, Query()], entries: EntriesPart, expected: Expected) -> Deleted:
    """Delete the entry under a key; with `If-Match` only that version."""
    return await entries.delete(key, expected)


@router.post(
    "/add/batch",
    dependencies=[allow("add")],
    openapi_extra=TAKES_PREFERENCE,
    responses=problem_responses(412, 413, PersonalDataFound, InvalidInput, ScanImpossible, TooManyWaiting, 503),
    response_model_exclude_none=True,
)
async def add_entries(
    batch: Annotated[WriteBatch, Body()], wiring: WiringPart, sender: Sender, response: Response
) -> AddBatchReply:
    """Screen up to 1,000 entries and store all of them or none. A 200 means that they are on disk.

    Each is screened as `POST /add` does. One that is rejected rejects all; `index` says which one.
    """
    async with wiring.batches.of(sender.token_id, MOST_WAITING):
        added = await wiring.intake.add_batch(batch.pairs, sender)
    note_preference(response, sender)
    replies = [AddReply(**vars(one.written), **one.screened.decision) async for one in in_slices(added)]
    return AddBatchReply(added=replies)


@router.post(
    "/read/batch",
    dependencies=[allow("read")],
    responses=problem_responses(413, 422, TooManyWaiting, 503),
    response_model_exclude_none=True,
)
async def read_entries(
    batch: Annotated[ReadBatch, Body()], entries: EntriesPart, wiring: WiringPart, caller: CallerPart
) -> EntryBatch:
    """Return the entries under up to 1,000 keys as of one moment, in the order of the request.

    A key without an entry gives `null`. Values that are too large for one reply are a 413: read fewer at once.
    """
    async with wiring.batches.of(caller.token_id, MOST_WAITING):
        return await entries.read_batch(batch.keys)


@router.get(
    "/keys", dependencies=[allow("keys")], responses=problem_responses(422, 503), response_model_exclude_none=True
)
async def list_keys(
    entries: EntriesPart,
    prefix: Prefix = "",
    limit: Annotated[int, Query(ge=1, le=1000, description="Keys per page")] = 100,
    cursor: Annotated[KeyBound, Query(description="The `cursor` of the previous page")] = "",
) -> KeyPage:
    """Return keys in order of their code points, a page at a time."""
    return await entries.keys(prefix, limit, cursor or None)


@router.get(
    "/history",
    dependencies=[allow("read")],
    responses=problem_responses(404, 422, 503),
    response_model_exclude_none=True,
)
async def get_entry_history(key: Annotated[Key, Query()], entries: EntriesPart) -> History:
    """Return the versions of an entry that are kept, newest first: the value, since when, and by whose token.

    The history goes back to the last deletion or expiry, which removes the values before it.
    """
    return await entries.history(key)


@router.get(
    "/watch",
    dependencies=[allow("read")],
    responses={
        200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}}}, "description": "Events"},
        **problem_responses(422, 503),
    },
    response_class=StreamingResponse,
)
async def watch_entries(
    entries: EntriesPart,
    wiring: WiringPart,
    caller: CallerPart,
    prefix: Prefix = "",
    last_event_id: Annotated[str | None, Header(max_length=512, description="Id of the last event received")] = None,
) -> StreamingResponse:
    """Stream changes of entries as server-sent events: `written`, `deleted` and `expired`, with key and version.

    Without `Last-Event-ID` the stream starts now. Several changes of one key may be merged into the last. `reset`
    means that changes in between are lost: read the entries again. The service closes the stream periodically;
    reconnect with the last id.
    """
    async with wiring.opening_streams.of(caller.token_id):
        events = await entries.watch(prefix, last_event_id)
    # Proxies on the way must not buffer events.
    return StreamingResponse(events, media_type=EVENT_STREAM, headers={"X-Accel-Buffering": "no"})
