"""Maintenance while the service runs: re-encryption and erasure, a page at a time, and removal of what has expired."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from vestibule.contracts.entries import ReencryptionPage
from vestibule.contracts.errors import Unavailable
from vestibule.contracts.identity import RESERVED
from vestibule.contracts.subjects import PAGE_S, ErasePage, SubjectSearch
from vestibule.contracts.task_ledger import TaskChange
from vestibule.contracts.tasks import UNFINISHED, TaskState
from vestibule.database_service.entries.encrypted_store import EncryptedStore, ValueUnreadable
from vestibule.database_service.entries.store import Store
from vestibule.database_service.entries.tenant_view import TenantView
from vestibule.database_service.tasks.encrypted_ledger import EncryptedTaskLedger, key_ids_of
from vestibule.database_service.tasks.ledger import KEEP_ERASED_S, StoredTask
from vestibule.database_service.tasks.task_entries import TaskCompletion
from vestibule.encryption import DecryptionFailed
from vestibule.runtime.background import in_background, repeat

# Tasks read at once: data and result of each may be a MiB.
TASKS_AT_ONCE = 16
# Entries re-encrypted together: they share a commit, and values of a mebibyte each do not fill the memory.
ENTRIES_AT_ONCE = 32
# Small enough not to delay the writes that wait for the same commit.
SWEPT_AT_ONCE = 200
# After as many, a sweep rests this many times as long as they took.
REST_TIMES = 3


class TaskMaintenance:
    """Checks and re-encrypts tasks, and erases those of a data subject; callers request page after page."""

    def __init__(self, ledger: EncryptedTaskLedger, completion: TaskCompletion) -> None:
        self._ledger = ledger
        self._completion = completion

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

    async def erase(self, tenant: str, forms: list[str], limit: int, after: str | None) -> ErasePage:
        """Erase data and result of a tenant's tasks that contain one of `forms`; unfinished ones are cancelled."""
        search, clock = SubjectSearch(forms), asyncio.get_running_loop().time
        ends = clock() + PAGE_S
        cursor, read, page = after, 0, ErasePage(examined=0, erased=0)
        while True:
            tasks, cursor = await self._ledger.read_stored(min(TASKS_AT_ONCE, limit - read), cursor)
            read += len(tasks)
            own = [stored for stored in tasks if stored.tenant == tenant]
            page.examined += len(own)
            page.erased += sum([await self._erase_from(stored, search) for stored in own])
            if cursor is None or read >= limit or clock() > ends:
                return page.model_copy(update={"cursor": cursor})
            await asyncio.sleep(0)

    async def _erase_from(self, stored: StoredTask, search: SubjectSearch) -> bool:
        try:
            opened = self._ledger.decrypt_stored(stored)
        except DecryptionFailed:
            return False  # no key decrypts it
        if not await search.finds_among(opened.data, opened.result):
            return False
        # Cancelled as any task is, so that no result of it is written to a key from now on.
        return (await self._completion.change([_cancelling(stored)])) == [True] or await self._replace(stored)

    async def _replace(self, stored: StoredTask) -> bool:
        return await self._ledger.replace_stored(stored, replace(stored, data=None, result=None))


def _cancelling(stored: StoredTask) -> TaskChange:
    return TaskChange(
        task_id=stored.task_id,
        from_states=list(UNFINISHED),
        tenant=stored.tenant,
        state=TaskState.CANCELLED,
        finished_at=time.time(),
        keep_data=False,
        keep_result_s=KEEP_ERASED_S,
        keep_s=KEEP_ERASED_S,
    )


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


class EntryErasure:
    """Erases the entries of a data subject; callers request page after page.

    It decrypts and searches every value. An index of fingerprints would be faster, but would miss what no detector
    found when the value was stored.
    """

    def __init__(self, view: TenantView) -> None:
        self._view = view

    async def erase(self, forms: list[str], limit: int, after: str | None) -> ErasePage:
        """Delete the entries of a page whose key or value contains one of `forms`, and earlier versions that do."""
        search, clock = SubjectSearch(forms), asyncio.get_running_loop().time
        ends = clock() + PAGE_S
        page = await self._view.keys("", limit, after)
        examined = erased = 0
        for key in page.keys:
            erased += await self._erase_from(key, search)
            examined += 1
            if clock() > ends and examined < len(page.keys):
                return ErasePage(examined=examined, erased=erased, cursor=key)
            await asyncio.sleep(0)
        return ErasePage(examined=examined, erased=erased, cursor=page.cursor)

    async def _erase_from(self, key: str, search: SubjectSearch) -> int:
        try:
            return await self._erase_readable(key, search)
        except ValueUnreadable:
            return 0  # no key decrypts it, or a version before it

    async def _erase_readable(self, key: str, search: SubjectSearch) -> int:
        entry = await self._view.read(key)
        if entry is None:
            return 0
        if await search.finds_among(key, entry.value):
            return int(await self._view.delete(key))
        earlier = [one for one in await self._view.history(key) if await search.finds_among(one.value)]
        return sum([await self._view.forget(key, one.version) for one in earlier])


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
