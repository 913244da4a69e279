"""The routes for stored entries beyond adding and reading one: batches, lists, deletion, history and watching."""

from typing import Annotated

from fastapi import APIRouter, Body, Header, Query
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from vestibule.client_service.api.messages import decision_of
from vestibule.client_service.api.request_parsing import IntakePart, Sender
from vestibule.client_service.api.schemas import AddReply
from vestibule.client_service.intake.intake import AddedEntry
from vestibule.contracts.entries import (
    EVENT_STREAM,
    Deleted,
    EntryBatch,
    History,
    Key,
    KeyPage,
    ReadBatch,
    WriteBatch,
)
from vestibule.contracts.errors import InvalidInput, PersonalDataFound, ScanImpossible
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.http.conditional import TAKES_EXPECTED, Expected
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["pairs"])


class AddBatchReply(BaseModel):
    """Pairs that are on disk, in the order of the request, and what was decided about each."""

    added: list[AddReply]


@router.post(
    "/add/batch",
    dependencies=[allow("add")],
    responses=problem_responses(412, 413, PersonalDataFound, InvalidInput, ScanImpossible, 503),
    response_model_exclude_none=True,
)
async def add_batch(batch: Annotated[WriteBatch, Body()], intake: IntakePart, sender: Sender) -> AddBatchReply:
    """Check up to 1,000 pairs and store all of them or none. A 200 means that they are on disk.

    Each is checked as a single one would be. Where one is refused, all are; `index` says which it was.
    """
    return AddBatchReply(added=[_reply(added) for added in await intake.add_batch(batch.pairs, sender)])


@router.post(
    "/read/batch",
    dependencies=[allow("read")],
    responses=problem_responses(413, 422, 503),
    response_model_exclude_none=True,
)
async def read_batch(batch: Annotated[ReadBatch, Body()], intake: IntakePart) -> EntryBatch:
    """Return the entries under up to 1,000 keys as they are at one moment, in the order of the request.

    `null` stands where there is none. Values that are too large together are a 413: read fewer at once.
    """
    return await intake.read_batch(batch.keys)


@router.delete(
    "/delete", dependencies=[allow("delete")], openapi_extra=TAKES_EXPECTED, responses=problem_responses(412, 422, 503)
)
async def delete(key: Annotated[Key, Query()], intake: IntakePart, expected: Expected) -> Deleted:
    """Remove the entry under a key; with `If-Match` only that version."""
    return await intake.delete(key, expected)


@router.get(
    "/keys", dependencies=[allow("keys")], responses=problem_responses(422, 503), response_model_exclude_none=True
)
async def keys(
    intake: IntakePart,
    prefix: Annotated[str, Query(max_length=512, description="What the keys start with")] = "",
    limit: Annotated[int, Query(ge=1, le=1000, description="Keys a page")] = 100,
    cursor: Annotated[str | None, Query(max_length=512, description="Where the page before ended")] = None,
) -> KeyPage:
    """Return keys in order of their code points, a page at a time."""
    return await intake.keys(prefix, limit, cursor)


@router.get(
    "/history",
    dependencies=[allow("read")],
    responses=problem_responses(404, 422, 503),
    response_model_exclude_none=True,
)
async def history(key: Annotated[Key, Query()], intake: IntakePart) -> History:
    """Return the versions of an entry that are kept, the newest first: what it was, since when, by whose token.

    It goes back to the last deletion or expiry, which takes the values before it away.
    """
    return await intake.history(key)


@router.get(
    "/watch",
    dependencies=[allow("read")],
    responses={200: {"content": {EVENT_STREAM: {}}, "description": "Events"}, **problem_responses(422, 503)},
    response_class=StreamingResponse,
)
async def watch(
    intake: IntakePart,
    prefix: Annotated[str, Query(max_length=512, description="What the keys start with")] = "",
    last_event_id: Annotated[str | None, Header(max_length=512, description="The last event that was seen")] = None,
) -> StreamingResponse:
    """Tell what happens to entries, as server-sent events: `written`, `deleted` and `expired`, with key and version.

    Without `Last-Event-ID` from now on. Of several changes of one key the last may stand for all. `reset` says that
    what happened meanwhile is not known any more: read everything anew. The stream ends now and then; come again with
    the last id.
    """
    events = await intake.watch(prefix, last_event_id)
    # A proxy on the way must neither keep events nor wait for more.
    return StreamingResponse(
        events, media_type=EVENT_STREAM, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )


def _reply(added: AddedEntry) -> AddReply:
    return AddReply(**added.written.model_dump(), **decision_of(added.admitted))
