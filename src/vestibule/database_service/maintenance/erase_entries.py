"""Erases every entry of a tenant that holds a subject's value, a page at a time."""

import asyncio

from vestibule.contracts.subjects import PAGE_S, ErasePage, SubjectSearch
from vestibule.database_service.entries.tenant_view import TenantView


class EntryErasure:
    """Erases while the service runs; a caller asks for page after page.

    It decrypts and searches every value. An index of fingerprints would be faster, but would miss what no detector
    found when the value was stored.
    """

    def __init__(self, view: TenantView) -> None:
        self._view = view

    async def erase(self, forms: list[str], limit: int, after: str | None) -> ErasePage:
        """Delete the entries of a page whose key or value holds one of `forms`, and earlier versions that do."""
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
        entry = await self._view.read(key)
        if entry is None:
            return 0
        if await search.finds_among(key, entry.value):
            return int(await self._view.delete(key))
        earlier = [one for one in await self._view.history(key) if await search.finds_among(one.value)]
        return sum([await self._view.forget(key, one.version) for one in earlier])
