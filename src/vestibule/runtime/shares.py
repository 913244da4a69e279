"""Shares of something scarce: each holder uses so much of it at the same time, so that others find room."""

import asyncio
import math
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from vestibule.contracts.errors import TooManyWaiting


class Shares:
    """Lets each holder do at most `most` things at the same time; further ones of it wait in order, or are refused."""

    def __init__(self, most: int) -> None:
        self._most = most
        # With the number of those that have it or wait for it, so that nothing is kept of a holder who is idle.
        self._held: dict[Hashable, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def of(self, holder: Hashable, most_waiting: float = math.inf) -> AsyncIterator[None]:
        """Hold a part of the share of `holder` while the context is open.

        Raises:
            TooManyWaiting: `most_waiting` of it wait already.
        """
        semaphore, users = self._held.get(holder) or (asyncio.Semaphore(self._most), 0)
        if users >= self._most + most_waiting:
            raise TooManyWaiting("Too many requests of this token wait for their turn; send fewer at the same time.")
        self._held[holder] = semaphore, users + 1
        try:
            async with semaphore:
                yield
        finally:
            users = self._held[holder][1] - 1
            if users:
                self._held[holder] = semaphore, users
            else:
                del self._held[holder]
