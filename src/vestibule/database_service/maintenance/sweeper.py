"""Removes expired entries and tasks, a batch at a time, while the service runs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from vestibule.contracts.errors import Unavailable
from vestibule.contracts.identity import RESERVED
from vestibule.database_service.entries.store import Store
from vestibule.runtime.background import in_background, repeat

# Small enough not to delay the writes that wait for the same commit.
AT_ONCE = 200


class Sweepable(Protocol):
    """Holds data that expires."""

    async def sweep(self, limit: int) -> int:
        """Remove at most `limit` expired items, and return how many there were."""
        ...


class Sweeper:
    """Sweeps every `interval_s` seconds. Reads never return expired data, also between two sweeps."""

    def __init__(self, targets: Sequence[Sweepable], interval_s: float) -> None:
        self._targets = targets
        self._interval_s = interval_s
        self._log = structlog.get_logger("vestibule.store")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sweep in the background while the context is open."""
        pauses = {"first_pause_s": self._interval_s, "error_pause_s": self._interval_s}
        async with in_background(repeat(self._step, on_error=self._log_error, outages=(Unavailable,), **pauses)):
            yield

    async def sweep(self) -> int:
        """Remove everything that has expired by now, and return how many entries it was."""
        return sum([await _sweep(target) for target in self._targets])

    async def _step(self) -> float:
        if removed := await self.sweep():
            self._log.info("expired_entries_removed", entries=removed)
        return self._interval_s

    def _log_error(self, error: Exception) -> None:
        if not isinstance(error, Unavailable):  # for which the store has logged the cause
            self._log.error("sweep_failed", exc_info=error)


async def _sweep(target: Sweepable) -> int:
    removed = 0
    while count := await target.sweep(AT_ONCE):
        removed += count
        if count < AT_ONCE:
            break
    return removed


class TombstonePurger:
    """Purges tombstones older than `keep`, and those of reserved keys at once.

    Services neither watch their reserved keys nor rely on the versions of deleted ones.
    """

    def __init__(self, store: Store, keep: timedelta) -> None:
        self._store = store
        self._keep = keep

    async def sweep(self, limit: int) -> int:
        """Purge at most `limit` tombstones, and return how many there were."""
        now = datetime.now(UTC)
        removed = await self._store.purge(RESERVED, now, limit)
        if removed == limit:
            return removed
        return removed + await self._store.purge("", now - self._keep, limit - removed)
