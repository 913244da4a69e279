"""Checks and re-encrypts data and results of tasks, and erases those of a subject, a page at a time."""

import asyncio
from collections import Counter
from dataclasses import replace

from vestibule.contracts.entries import ReencryptionPage
from vestibule.contracts.subjects import PAGE_S, ErasePage, SubjectSearch
from vestibule.database_service.tasks.encrypted_ledger import EncryptedTaskLedger, key_ids_of
from vestibule.database_service.tasks.ledger import StoredTask
from vestibule.encryption import DecryptionFailed

# Tasks read at once: data and result of each may be a MiB.
AT_ONCE = 16


class TaskMaintenance:
    """Works while the service runs; a caller asks for page after page."""

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

    async def erase(self, tenant: str, forms: list[str], limit: int, after: str | None) -> ErasePage:
        """Erase data and result of a tenant's tasks that hold one of `forms`; unfinished ones are cancelled."""
        search, clock = SubjectSearch(forms), asyncio.get_running_loop().time
        ends = clock() + PAGE_S
        cursor, read, page = after, 0, ErasePage(examined=0, erased=0)
        while True:
            tasks, cursor = await self._ledger.read_stored(min(AT_ONCE, limit - read), cursor)
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
            return False  # it cannot be read by anyone
        if not await search.finds_among(opened.data, opened.result):
            return False
        return await self._ledger.replace_stored(stored, replace(stored, data=None, result=None))
