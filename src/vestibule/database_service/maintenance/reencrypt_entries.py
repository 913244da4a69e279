"""Counts stored values by encryption key and re-encrypts them, a page at a time."""

import asyncio
from collections import Counter

from vestibule.contracts.entries import ReencryptionPage
from vestibule.database_service.entries.encrypted_store import EncryptedStore
from vestibule.encryption import DecryptionFailed

# Entries re-encrypted together: they share a commit, and values of a mebibyte each do not fill the memory.
AT_ONCE = 32


class EntryReencryption:
    """Checks and re-encrypts entries while the service runs; a caller asks for page after page."""

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
        for start in range(0, len(page.keys), AT_ONCE):
            some = page.keys[start : start + AT_ONCE]
            for outcome in await asyncio.gather(*map(self._store.reencrypt, some), return_exceptions=True):
                match outcome:
                    case int():
                        reencrypted += outcome
                    case DecryptionFailed():
                        reasons.append(str(outcome))
                    case error:
                        raise error
        return ReencryptionPage(entries=len(page.keys), reencrypted=reencrypted, not_opened=reasons, cursor=page.cursor)
