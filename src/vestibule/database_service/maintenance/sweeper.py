"""Removes expired entries and tasks, a batch at a time, while the service runs."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import structlog

from vestibule.contracts.errors import Unavailable

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
        sweeping = asyncio.create_task(self._run())
        try:
            yield
        finally:
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)

    async def sweep(self) -> int:
        """Remove everything that has expired by now, and return how many entries it was."""
        return sum([await _sweep(target) for target in self._targets])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                if removed := await self.sweep():
                    self._log.info("expired_entries_removed", entries=removed)
            except Unavailable:
                # The store has logged why; the next sweep tries again.
                continue


async def _sweep(target: Sweepable) -> int:
    removed = 0
    while count := await target.sweep(AT_ONCE):
        removed += count
        if count < AT_ONCE:
            break
    return removed
