"""Keeps the writes of several requests: each by itself, so that one that fails leaves the others alone."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from vestibule.contracts.errors import VestibuleError
from vestibule.contracts.identity import Principal
from vestibule.contracts.write_batches import BatchedWrite, BatchedWriteOutcome
from vestibule.database_service.entries.store import Store
from vestibule.database_service.entries.tenant_view import TenantView


async def write_each(store: Store, writes: Sequence[BatchedWrite]) -> list[BatchedWriteOutcome]:
    """Keep every write that can be kept; what has a version is on disk."""
    return await asyncio.gather(*(_write(store, write) for write in writes))


async def _write(store: Store, write: BatchedWrite) -> BatchedWriteOutcome:
    expires_at = None if write.ttl_s is None else datetime.now(UTC) + timedelta(seconds=write.ttl_s)
    space = TenantView(store, Principal(write.tenant, write.sender))
    try:
        version = await space.write(write.key, write.value, expires_at=expires_at)
    except VestibuleError as error:
        return BatchedWriteOutcome.model_construct(problem=error.detail)
    return BatchedWriteOutcome.model_construct(version=version, expires_at=expires_at)
