"""Removes the traces of keys that are gone, when nobody needs them any more."""

from datetime import UTC, datetime, timedelta

from vestibule.contracts.identity import RESERVED
from vestibule.database_service.entries.store import Store


class Tombstones:
    """What is left of keys that were deleted or have expired; it goes after `keep`, and at once where services work.

    Services use keys that come and go, and neither watch them nor rely on their versions after the end.
    """

    def __init__(self, store: Store, keep: timedelta) -> None:
        self._store = store
        self._keep = keep

    async def sweep(self, limit: int) -> int:
        """Remove at most `limit` traces, and return how many there were."""
        now = datetime.now(UTC)
        removed = await self._store.purge(RESERVED, now, limit)
        if removed == limit:
            return removed
        return removed + await self._store.purge("", now - self._keep, limit - removed)
