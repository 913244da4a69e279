"""Removes what has expired, a little at a time, beside the ordinary work of the service."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import structlog

from vestibule.contracts.errors import Unavailable

# Few enough that the writes that wait for the same commit hardly notice.
AT_ONCE = 200


class Sweepable(Protocol):
    """Keeps what expires."""

    async def sweep(self, limit: int) -> int:
        """Remove at most `limit` of what has expired, and return how many there were."""
        ...


class Sweeper:
    """Sweeps every `interval_s` seconds. Whoever reads in between finds nothing of what has expired all the same."""

    def __init__(self, kept: Sequence[Sweepable], interval_s: float) -> None:
        self._kept = kept
        self._interval_s = interval_s
        self._log = structlog.get_logger("vestibule.store")

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Sweep meanwhile."""
        sweeping = asyncio.create_task(self._run())
        try:
            yield
        finally:
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)

    async def sweep(self) -> int:
        """Remove everything that has expired by now, and return how many entries it was."""
        return sum([await _sweep(kept) for kept in self._kept])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                if removed := await self.sweep():
                    self._log.info("expired_entries_removed", entries=removed)
            except Unavailable:
                # The store has said why; what is left is swept when it is back.
                continue


async def _sweep(kept: Sweepable) -> int:
    removed = 0
    while count := await kept.sweep(AT_ONCE):
        removed += count
        if count < AT_ONCE:
            break
    return removed
