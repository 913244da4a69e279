"""Purges the tombstones of keys that were deleted or have expired."""

from datetime import UTC, datetime, timedelta

from vestibule.contracts.identity import RESERVED
from vestibule.database_service.entries.store import Store


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
