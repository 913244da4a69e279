"""The routes of the database service: each is one call of what the caller's tenant sees of the store."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Query, Request

from vestibule.contracts.conditions import Condition
from vestibule.contracts.entries import (
    MAX_KEY_BYTES,
    Deleted,
    Entry,
    EntryBatch,
    KeyPage,
    Pair,
    ReadBatch,
    WriteBatch,
    Written,
    WrittenBatch,
)
from vestibule.contracts.errors import KeyNotFound
from vestibule.contracts.reencryption import ReencryptionPage
from vestibule.contracts.subjects import ErasePage, EraseRequest
from vestibule.contracts.write_batches import BatchedWriteOutcomes, BatchedWrites
from vestibule.database_service.api.request_parsing import (
    TAKES_OPERATION,
    KeyParameter,
    Operation,
    Prefix,
    StorePart,
    TenantViewPart,
)
from vestibule.database_service.entries.batch_writes import write_each
from vestibule.database_service.entries.store import Write
from vestibule.database_service.maintenance.erase_entries import EntryErasure
from vestibule.database_service.maintenance.reencrypt_entries import EntryReencryption
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.http.conditional import TAKES_EXPECTED, Expected
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["entries"])


async def _entry_reencryption(request: Request) -> EntryReencryption:
    walk: EntryReencryption = request.app.state.entry_reencryption
    return walk


ReencryptionPart = Annotated[EntryReencryption, Depends(_entry_reencryption)]
Cursor = Annotated[str | None, Query(max_length=MAX_KEY_BYTES, description="Where the page before ended")]
# A walk over every tenant goes by the keys as they are stored.
PageCursor = Annotated[str | None, Query(max_length=MAX_KEY_BYTES + 100, description="Where the page before ended")]
PageSize = Annotated[int, Query(ge=1, le=1000, description="Entries a page")]


@router.post(
    "/write",
    dependencies=[allow("write")],
    openapi_extra={"parameters": [*TAKES_EXPECTED["parameters"], TAKES_OPERATION]},
    responses=problem_responses(412, 413, 422, 503),
    response_model_exclude_none=True,
)
async def write(pair: Pair, space: TenantViewPart, expected: Expected, operation: Operation) -> Written:
    """Keep a value under a key. A 200 means that it is on disk."""
    expires_at = _end_of(pair)
    if operation is not None:
        return await space.write_once(Write(pair.key, pair.value, expires_at, expected), operation)
    version = await space.write(pair.key, pair.value, expires_at=expires_at, condition=expected)
    return Written(key=pair.key, version=version, expires_at=expires_at)


@router.post(
    "/write/batch",
    dependencies=[allow("write")],
    responses=problem_responses(412, 413, 422, 503),
    response_model_exclude_none=True,
)
async def write_batch(batch: WriteBatch, space: TenantViewPart) -> WrittenBatch:
    """Keep all pairs or none. A 200 means that all are on disk; a 412 says by `index` whose version is another."""
    writes = [
        Write(pair.key, pair.value, _end_of(pair), Condition.of_version(pair.expected_version)) for pair in batch.pairs
    ]
    versions = await space.write_many(writes)
    kept = zip(writes, versions, strict=True)
    return WrittenBatch(
        written=[Written(key=write.key, version=version, expires_at=write.expires_at) for write, version in kept]
    )


@router.post(
    "/write/gathered",
    dependencies=[allow("write")],
    responses=problem_responses(413, 422, 503),
    response_model_exclude_none=True,
)
async def write_gathered(gathered: BatchedWrites, store: StorePart) -> BatchedWriteOutcomes:
    """Keep the writes of several requests, each by itself. What has a version is on disk; the others say why not."""
    structlog.contextvars.bind_contextvars(requests=[one.request_id for one in gathered.writes])
    return BatchedWriteOutcomes.model_construct(outcomes=await write_each(store, gathered.writes))


@router.post(
    "/read/batch",
    dependencies=[allow("read")],
    responses=problem_responses(413, 422, 503),
    response_model_exclude_none=True,
)
async def read_batch(batch: ReadBatch, space: TenantViewPart) -> EntryBatch:
    """Return the entries under many keys as they are at one moment."""
    return EntryBatch(entries=await space.read_many(batch.keys))


@router.get(
    "/read",
    dependencies=[allow("read")],
    responses=problem_responses(404, 422, 503),
    response_model_exclude_none=True,
)
async def read(key: KeyParameter, space: TenantViewPart) -> Entry:
    """Return the entry under a key."""
    entry = await space.read(key)
    if entry is None:
        raise KeyNotFound("No entry has that key.")
    return entry


@router.delete(
    "/delete", dependencies=[allow("write")], openapi_extra=TAKES_EXPECTED, responses=problem_responses(412, 422, 503)
)
async def delete(key: KeyParameter, space: TenantViewPart, expected: Expected) -> Deleted:
    """Remove the entry under a key."""
    return Deleted(key=key, deleted=await space.delete(key, condition=expected))


@router.get("/keys", dependencies=[allow("read")], responses=problem_responses(422, 503))
async def keys(
    space: TenantViewPart,
    prefix: Prefix = "",
    limit: PageSize = 100,
    cursor: Cursor = None,
) -> KeyPage:
    """Return keys in order, a page at a time."""
    return await space.keys(prefix, limit, cursor)


@router.get("/seals", tags=["seals"], dependencies=[allow("read")], responses=problem_responses(422, 503))
async def pseudonymizer(walk: ReencryptionPart, limit: PageSize = 200, cursor: PageCursor = None) -> ReencryptionPage:
    """Open a page of values and tell by which keys they were sealed, and why some do not open."""
    return await walk.check(limit, cursor)


@router.post("/seals/renew", tags=["seals"], dependencies=[allow("write")], responses=problem_responses(422, 503))
async def reencrypt(walk: ReencryptionPart, limit: PageSize = 200, cursor: PageCursor = None) -> ReencryptionPage:
    """Seal a page of values anew, those that an older key has sealed; their versions stay."""
    return await walk.renew(limit, cursor)


@router.post("/subjects/erase", tags=["subjects"], dependencies=[allow("write")], responses=problem_responses(422, 503))
async def erase_subject(
    request: EraseRequest,
    space: TenantViewPart,
    limit: PageSize = 200,
    cursor: Cursor = None,
) -> ErasePage:
    """Erase the entries of a page that hold a subject's value in one of its forms."""
    return await EntryErasure(space).erase(request.forms, limit, cursor)


def _end_of(pair: Pair) -> datetime | None:
    return None if pair.ttl_s is None else datetime.now(UTC) + timedelta(seconds=pair.ttl_s)
