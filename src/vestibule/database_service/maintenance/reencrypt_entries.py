"""Walks over all that a store keeps, a page at a time, to check the seals or to renew them."""

import asyncio
from collections import Counter

from vestibule.contracts.reencryption import SealPage
from vestibule.database_service.entries.encrypted_store import SealedStore
from vestibule.encryption import CannotOpen

# So many are renewed at once: they share a commit, and values of a mebibyte each do not fill the memory.
AT_ONCE = 32


class SealWalk:
    """Checks and renews seals beside the ordinary work of the service; a caller asks for page after page."""

    def __init__(self, store: SealedStore) -> None:
        self._store = store

    async def check(self, limit: int, after: str | None) -> SealPage:
        """Open every value of a page and tell which keys sealed them."""
        page = await self._store.keys("", limit, after)
        by_key: Counter[str] = Counter()
        reasons: list[str] = []
        for key in page.keys:
            try:
                by_key.update(await self._store.check_seals(key))
            except CannotOpen as error:
                reasons.append(str(error))
            await asyncio.sleep(0)
        return SealPage(entries=len(page.keys), by_key=dict(by_key), not_opened=reasons, cursor=page.cursor)

    async def renew(self, limit: int, after: str | None) -> SealPage:
        """Seal the values of a page with the active key, those that another sealed."""
        page = await self._store.keys("", limit, after)
        reasons: list[str] = []
        resealed = 0
        for start in range(0, len(page.keys), AT_ONCE):
            some = page.keys[start : start + AT_ONCE]
            for outcome in await asyncio.gather(*map(self._store.reseal, some), return_exceptions=True):
                match outcome:
                    case int():
                        resealed += outcome
                    case CannotOpen():
                        reasons.append(str(outcome))
                    case error:
                        raise error
        return SealPage(entries=len(page.keys), resealed=resealed, not_opened=reasons, cursor=page.cursor)
