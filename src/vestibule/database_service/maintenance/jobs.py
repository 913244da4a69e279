"""Maintenance while the service runs: re-encryption, a page at a time, and removal of what has expired."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from vestibule.contracts.entries import ReencryptionPage
from vestibule.contracts.errors import Unavailable
from vestibule.contracts.identity import RESERVED
from vestibule.database_service.entries.encrypted_store import EncryptedStore
from vestibule.database_service.entries.store import Store
from vestibule.database_service.tasks.encrypted_ledger import EncryptedTaskLedger, key_ids_of
from vestibule.encryption import DecryptionFailed
from vestibule.runtime.background import in_background, repeat

# Entries re-encrypted together: they share a commit, and values of a mebibyte each do not fill the memory.
ENTRIES_AT_ONCE = 32
# Small enough not to delay the writes that wait for the same commit.
SWEPT_AT_ONCE = 200
# After as many, a sweep rests this many times as long as they took.
REST_TIMES = 3


class TaskMaintenance:
    """Checks and re-encrypts tasks; callers request page after page."""

    def __init__(self, ledger: EncryptedTaskLedger) -> None:
        self._ledger = ledger

    async def check(self, limit: int, after: str | None) -> ReencryptionPage:
        """Decrypt data and results of a page of tasks and count them by encryption key."""
        tasks, cursor = await self._ledger.read_stored(limit, after)
        by_key: Counter[str] = Counter()
        reasons: list[str] = []
        for stored in tasks:
            try:
                self._ledger.decrypt_stored(stored)
                by_key.update(key_ids_of(stored))
            except DecryptionFailed as error:
                reasons.append(str(error))
            await asyncio.sleep(0)
        return ReencryptionPage(entries=len(tasks), by_key=dict(by_key), not_opened=reasons, cursor=cursor)

    async def reencrypt(self, limit: int, after: str | None) -> ReencryptionPage:
        """Re-encrypt data and results of a page of tasks that use an older key with the active one."""
        tasks, cursor = await self._ledger.read_stored(limit, after)
        reasons: list[str] = []
        reencrypted = 0
        for stored in tasks:
            try:
                reencrypted += await self._ledger.reencrypt(stored)
            except DecryptionFailed as error:
                reasons.append(str(error))
        return ReencryptionPage(entries=len(tasks), reencrypted=reencrypted, not_opened=reasons, cursor=cursor)


class EntryReencryption:
    """Checks and re-encrypts entries; callers request page after page."""

    def __init__(self, store: EncryptedStore) -> None:
        self._store = store

    async def check(self, limit: int, after: str | None) -> ReencryptionPage:
        """Decrypt every value of a page and count them by encryption key."""
        page = await self._store.keys("", limit, after)
        by_key: Counter[str] = Counter()
        reasons: list[str] = []
        for key in page.keys:
            try:
                by_key.update(await self._store.check_encryption(key))
            except DecryptionFailed as error:
                reasons.append(str(error))
            await asyncio.sleep(0)
        return ReencryptionPage(entries=len(page.keys), by_key=dict(by_key), not_opened=reasons, cursor=page.cursor)

    async def reencrypt(self, limit: int, after: str | None) -> ReencryptionPage:
        """Re-encrypt the values of a page that use an older key with the active one."""
        page = await self._store.keys("", limit, after)
        reasons: list[str] = []
        reencrypted = 0
        for start in range(0, len(page.keys), ENTRIES_AT_ONCE):
            some = page.keys[start : start + ENTRIES_AT_ONCE]
            for outcome in await asyncio.gather(*map(self._store.reencrypt, some), return_exceptions=True):
                match outcome:
                    case int():
                        reencrypted += outcome
                    case DecryptionFailed():
                        reasons.append(str(outcome))
                    case error:
                        raise error
        return ReencryptionPage(entries=len(page.keys), reencrypted=reencrypted, not_opened=reasons, cursor=page.cursor)


class Sweepable(Protocol):
    """Holds data that expires."""

    async def sweep(self, limit: int) -> int:
        """Remove at most `limit` expired items, and return how many there were."""
        ...


class Sweeper:
    """Sweeps every `interval_s` seconds. Reads never return expired data, also between two sweeps."""

    def __init__(
        self, targets: Sequence[Sweepable], interval_s: float, rest: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """Take what is swept and how often; `rest` waits between the pieces of a long sweep."""
        self._targets = targets
        self._rest = rest
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
        return sum([await self._sweep(target) for target in self._targets])

    async def _sweep(self, target: Sweepable) -> int:
        removed, clock = 0, asyncio.get_running_loop().time
        while True:
            began = clock()
            count = await target.sweep(SWEPT_AT_ONCE)
            removed += count
            if count < SWEPT_AT_ONCE:
                return removed
            # Thousands of keys may end at once, and writes of others are not to wait for a sweep in every commit.
            await self._rest(REST_TIMES * (clock() - began))

    async def _step(self) -> float:
        if removed := await self.sweep():
            self._log.info("expired_entries_removed", entries=removed)
        return self._interval_s

    def _log_error(self, error: Exception) -> None:
        if not isinstance(error, Unavailable):  # for which the store has logged the cause
            self._log.error("sweep_failed", exc_info=error)


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
