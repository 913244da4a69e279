"""Walks over all texts of tasks, a page at a time: to check or renew their seals, or to erase a subject."""

import asyncio
from collections import Counter
from dataclasses import replace

from vestibule.contracts.seals import SealPage
from vestibule.contracts.subjects import ErasePage, fold, holds
from vestibule.database_service.sealed_task_ledger import SealedTaskLedger, seals_of
from vestibule.database_service.task_ledger import Kept
from vestibule.sealing import CannotOpen


class TaskWalk:
    """Walks beside the ordinary work of the service; a caller asks for page after page."""

    def __init__(self, ledger: SealedTaskLedger) -> None:
        self._ledger = ledger

    async def check(self, limit: int, after: str | None) -> SealPage:
        """Open the texts of a page of tasks and tell which keys sealed them."""
        tasks, cursor = await self._ledger.read_kept(limit, after)
        by_key: Counter[str] = Counter()
        reasons: list[str] = []
        for kept in tasks:
            try:
                self._ledger.open_kept(kept)
                by_key.update(seals_of(kept))
            except CannotOpen as error:
                reasons.append(str(error))
            await asyncio.sleep(0)
        return SealPage(entries=len(tasks), by_key=dict(by_key), not_opened=reasons, cursor=cursor)

    async def renew(self, limit: int, after: str | None) -> SealPage:
        """Seal the texts of a page of tasks with the active key, those that another sealed."""
        tasks, cursor = await self._ledger.read_kept(limit, after)
        reasons: list[str] = []
        resealed = 0
        for kept in tasks:
            try:
                resealed += await self._ledger.reseal(kept)
            except CannotOpen as error:
                reasons.append(str(error))
        return SealPage(entries=len(tasks), resealed=resealed, not_opened=reasons, cursor=cursor)

    async def erase(self, tenant: str, forms: list[str], limit: int, after: str | None) -> ErasePage:
        """Erase data and result of a tenant's tasks that hold one of `forms`; unfinished ones are cancelled."""
        folded = fold(forms)
        tasks, cursor = await self._ledger.read_kept(limit, after)
        own = [kept for kept in tasks if kept.tenant == tenant]
        erased = 0
        for kept in own:
            if self._holds(kept, folded):
                erased += await self._ledger.replace_kept(kept, replace(kept, data=None, result=None))
            await asyncio.sleep(0)
        return ErasePage(examined=len(own), erased=erased, cursor=cursor)

    def _holds(self, kept: Kept, folded: list[str]) -> bool:
        try:
            opened = self._ledger.open_kept(kept)
        except CannotOpen:
            return False  # nobody can read it either
        return any(holds(text, folded) for text in (opened.data, opened.result) if text is not None)
