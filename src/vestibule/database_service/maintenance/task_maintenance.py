"""Walks over all texts of tasks, a page at a time: to check or renew their seals, or to erase a subject."""

import asyncio
from collections import Counter
from dataclasses import replace

from vestibule.contracts.reencryption import ReencryptionPage
from vestibule.contracts.subjects import PAGE_S, ErasePage, SubjectSearch
from vestibule.database_service.tasks.encrypted_ledger import EncryptedTaskLedger, key_ids_of
from vestibule.database_service.tasks.ledger import StoredTask
from vestibule.encryption import DecryptionFailed

# So many are read at once: data and result of each may be a MiB.
AT_ONCE = 16


class TaskMaintenance:
    """Walks beside the ordinary work of the service; a caller asks for page after page."""

    def __init__(self, ledger: EncryptedTaskLedger) -> None:
        self._ledger = ledger

    async def check(self, limit: int, after: str | None) -> ReencryptionPage:
        """Open the texts of a page of tasks and tell which keys sealed them."""
        tasks, cursor = await self._ledger.read_kept(limit, after)
        by_key: Counter[str] = Counter()
        reasons: list[str] = []
        for kept in tasks:
            try:
                self._ledger.open_kept(kept)
                by_key.update(key_ids_of(kept))
            except DecryptionFailed as error:
                reasons.append(str(error))
            await asyncio.sleep(0)
        return ReencryptionPage(entries=len(tasks), by_key=dict(by_key), not_opened=reasons, cursor=cursor)

    async def reencrypt(self, limit: int, after: str | None) -> ReencryptionPage:
        """Seal the texts of a page of tasks with the active key, those that another sealed."""
        tasks, cursor = await self._ledger.read_kept(limit, after)
        reasons: list[str] = []
        reencrypted = 0
        for kept in tasks:
            try:
                reencrypted += await self._ledger.reencrypt(kept)
            except DecryptionFailed as error:
                reasons.append(str(error))
        return ReencryptionPage(entries=len(tasks), reencrypted=reencrypted, not_opened=reasons, cursor=cursor)

    async def erase(self, tenant: str, forms: list[str], limit: int, after: str | None) -> ErasePage:
        """Erase data and result of a tenant's tasks that hold one of `forms`; unfinished ones are cancelled."""
        search, clock = SubjectSearch(forms), asyncio.get_running_loop().time
        ends = clock() + PAGE_S
        cursor, read, page = after, 0, ErasePage(examined=0, erased=0)
        while True:
            tasks, cursor = await self._ledger.read_kept(min(AT_ONCE, limit - read), cursor)
            read += len(tasks)
            own = [kept for kept in tasks if kept.tenant == tenant]
            page.examined += len(own)
            page.erased += sum([await self._erase_from(kept, search) for kept in own])
            if cursor is None or read >= limit or clock() > ends:
                return page.model_copy(update={"cursor": cursor})
            await asyncio.sleep(0)

    async def _erase_from(self, kept: StoredTask, search: SubjectSearch) -> bool:
        try:
            opened = self._ledger.open_kept(kept)
        except DecryptionFailed:
            return False  # nobody can read it either
        if not await search.finds_among(opened.data, opened.result):
            return False
        return await self._ledger.replace_kept(kept, replace(kept, data=None, result=None))
