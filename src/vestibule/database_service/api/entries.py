"""The routes of entries: write, read, delete and list, one at a time and in batches; their history and changes."""

from typing import Annotated

from fastapi import APIRouter, Header, Query
from starlette.responses import StreamingResponse

from vestibule.contracts.entries import (
    EVENT_STREAM,
    BatchedWriteOutcomes,
    BatchedWrites,
    Deleted,
    Entry,
    EntryBatch,
    History,
    KeyPage,
    Pair,
    ReadBatch,
    WriteBatch,
    Written,
    WrittenBatch,
)
from vestibule.database_service.api.dependencies import (
    TAKES_OPERATION,
    Cursor,
    KeyParameter,
    Operation,
    PageSize,
    Prefix,
    TenantViewPart,
    WiringPart,
)
from vestibule.database_service.entries.tenant_view import write_each
from vestibule.runtime.log_context import bind_log_fields
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.http.conditional import TAKES_EXPECTED, Expected
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["entries"])


@router.post(
    "/write",
    dependencies=[allow("write")],
    openapi_extra={"parameters": [*TAKES_EXPECTED["parameters"], TAKES_OPERATION]},
    responses=problem_responses(412, 413, 422, 503),
    response_model_exclude_none=True,
)
async def write_entry(pair: Pair, view: TenantViewPart, expected: Expected, operation: Operation) -> Written:
    """Write a value under a key. A 200 means that it is on disk."""
    return await view.write(pair, expected, operation)


@router.post(
    "/write/batch",
    dependencies=[allow("write")],
    responses=problem_responses(412, 413, 422, 503),
    response_model_exclude_none=True,
)
async def write_entries(batch: WriteBatch, view: TenantViewPart) -> WrittenBatch:
    """Write all pairs or none. A 200 means that all are on disk; a 412 gives the `index` of the version conflict."""
    return WrittenBatch(written=await view.write_all(batch.pairs))


@router.post(
    "/write/independent",
    dependencies=[allow("write")],
    responses=problem_responses(413, 422, 503),
    response_model_exclude_none=True,
)
async def write_independent_entries(batch: BatchedWrites, wiring: WiringPart) -> BatchedWriteOutcomes:
    """Write the entries of several requests, each on its own. One with a version is on disk; others have a reason."""
    bind_log_fields(requests=[one.request_id for one in batch.writes])
    return BatchedWriteOutcomes.model_construct(outcomes=await write_each(wiring.store, batch.writes))


@router.post(
    "/read/batch",
    dependencies=[allow("read")],
    responses=problem_responses(413, 422, 503),
    response_model_exclude_none=True,
)
async def read_entries(
    batch: ReadBatch,
    view: TenantViewPart,
    skip_unreadable: Annotated[bool, Query(description="Return null for a value that cannot be decrypted")] = False,
) -> EntryBatch:
    """Return the entries under many keys as they are at one moment."""
    return EntryBatch(entries=await (view.read_readable if skip_unreadable else view.read_many)(batch.keys))


@router.get(
    "/read", dependencies=[allow("read")], responses=problem_responses(404, 422, 503), response_model_exclude_none=True
)
async def read_entry(key: KeyParameter, view: TenantViewPart) -> Entry:
    """Return the entry under a key."""
    return await view.get(key)


@router.delete(
    "/delete", dependencies=[allow("write")], openapi_extra=TAKES_EXPECTED, responses=problem_responses(412, 422, 503)
)
async def delete_entry(key: KeyParameter, view: TenantViewPart, expected: Expected) -> Deleted:
    """Delete the entry under a key."""
    return Deleted(key=key, deleted=await view.delete(key, condition=expected))


@router.get("/keys", dependencies=[allow("read")], responses=problem_responses(422, 503))
async def list_keys(view: TenantViewPart, prefix: Prefix = "", limit: PageSize = 100, cursor: Cursor = "") -> KeyPage:
    """Return keys in order, a page at a time."""
    return await view.keys(prefix, limit, cursor)


@router.get(
    "/history",
    dependencies=[allow("read")],
    responses=problem_responses(404, 422, 503),
    response_model_exclude_none=True,
)
async def get_entry_history(key: KeyParameter, view: TenantViewPart) -> History:
    """Return the versions of an entry, the newest first."""
    return await view.get_history(key)


@router.get(
    "/watch", dependencies=[allow("read")], responses=problem_responses(422, 503), response_class=StreamingResponse
)
async def watch_entries(
    wiring: WiringPart,
    view: TenantViewPart,
    prefix: Prefix = "",
    last_event_id: Annotated[str | None, Header(max_length=512, description="The last event received")] = None,
) -> StreamingResponse:
    """Stream the changes of entries as server-sent events, from now on or from after the last event received."""
    return StreamingResponse(await wiring.change_stream.watch(view, prefix, last_event_id), media_type=EVENT_STREAM)
