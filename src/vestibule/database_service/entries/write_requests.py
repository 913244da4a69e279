"""Carries out write requests: of one entry, of several together, and of several requests that share a call."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from vestibule.contracts.conditions import Condition
from vestibule.contracts.entries import BatchPair, Pair, Written
from vestibule.contracts.errors import VestibuleError
from vestibule.contracts.identity import Principal
from vestibule.contracts.write_batches import BatchedWrite, BatchedWriteOutcome
from vestibule.database_service.entries.store import Store, Write
from vestibule.database_service.entries.tenant_view import TenantView


async def write_one(view: TenantView, pair: Pair, condition: Condition, operation: str | None) -> Written:
    """Write a pair; with an `operation`, once however often it is repeated within a day."""
    expires_at = _expiry_of(pair.ttl_s)
    if operation is not None:
        return await view.write_once(Write(pair.key, pair.value, expires_at, condition), operation)
    version = await view.write(pair.key, pair.value, expires_at=expires_at, condition=condition)
    return Written(key=pair.key, version=version, expires_at=expires_at)


async def write_all(view: TenantView, pairs: Sequence[BatchPair]) -> list[Written]:
    """Write all pairs or none."""
    writes = [
        Write(pair.key, pair.value, _expiry_of(pair.ttl_s), Condition.of_version(pair.expected_version))
        for pair in pairs
    ]
    versions = await view.write_many(writes)
    return [
        Written(key=write.key, version=version, expires_at=write.expires_at)
        for write, version in zip(writes, versions, strict=True)
    ]


async def write_each(store: Store, writes: Sequence[BatchedWrite]) -> list[BatchedWriteOutcome]:
    """Write each entry on its own, so that one that fails does not affect the others; one with a version is on disk."""
    return await asyncio.gather(*(_write(store, write) for write in writes))


async def _write(store: Store, write: BatchedWrite) -> BatchedWriteOutcome:
    expires_at = _expiry_of(write.ttl_s)
    view = TenantView(store, Principal(write.tenant, write.sender))
    try:
        version = await view.write(write.key, write.value, expires_at=expires_at)
    except VestibuleError as error:
        return BatchedWriteOutcome.model_construct(problem=error.detail)
    return BatchedWriteOutcome.model_construct(version=version, expires_at=expires_at)


def _expiry_of(ttl_s: float | None) -> datetime | None:
    return None if ttl_s is None else datetime.now(UTC) + timedelta(seconds=ttl_s)
