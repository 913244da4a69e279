"""Tells those who watch a prefix what happens there, as server-sent events.

Source: WHATWG, HTML, section 9.2, "Server-sent events".
"""

import asyncio
import time
from collections.abc import AsyncIterator

import orjson

from vestibule.contracts.errors import Unavailable
from vestibule.database_service.entries.store import ChangePage, KeyChange, PositionLost
from vestibule.database_service.entries.tenant_view import TenantView

HEARTBEAT_S = 10.0
# After this time a watcher comes again from where it was, and its token is looked at anew.
LONGEST_S = 300.0
# What is under way to one watcher at most; what comes next is read when it has taken that.
PAGE = 500
# The least time from one look for changes to the next: many watchers of a busy store shall not slow it down.
PAUSE_S = 0.02
MAX_WATCHERS = 1000


class ChangeStream:
    """Serves watchers. None has a buffer of its own: each is a position in the store's own record of changes."""

    def __init__(
        self, heartbeat_s: float = HEARTBEAT_S, longest_s: float = LONGEST_S, max_watchers: int = MAX_WATCHERS
    ) -> None:
        self._heartbeat_s = heartbeat_s
        self._longest_s = longest_s
        self._max_watchers = max_watchers
        self._watchers = 0

    async def watch(self, space: TenantView, prefix: str, after: str | None) -> AsyncIterator[bytes]:
        """Return the events from now on, or from after the position that the watcher has seen last.

        Raises:
            Unavailable: there are too many watchers, or the store does not answer.
        """
        if self._watchers >= self._max_watchers:
            raise Unavailable("database", "Too many clients watch changes; retry later.", retry_after_s=10)
        try:
            first = await space.changes(prefix, after, PAGE)
        except PositionLost:
            first = None
        return self._events(space, prefix, first)

    async def _events(self, space: TenantView, prefix: str, first: ChangePage | None) -> AsyncIterator[bytes]:
        self._watchers += 1
        until = time.monotonic() + self._longest_s
        try:
            page = first or await self._begin_anew(space, prefix)
            yield _reset(page.position) if first is None else _told(page)
            while time.monotonic() < until:
                before = page.position
                page = await self._next(space, prefix, before)
                yield _told(page)
        except PositionLost:
            yield _reset((await self._begin_anew(space, prefix)).position)
        except Unavailable:
            return  # the store has said why; the watcher comes again
        finally:
            self._watchers -= 1

    async def _next(self, space: TenantView, prefix: str, position: str) -> ChangePage:
        """Return the next page with changes of the prefix, or none when it is time for a sign of life."""
        sign_at = time.monotonic() + self._heartbeat_s
        while True:
            await asyncio.sleep(PAUSE_S)
            page = await space.changes(prefix, position, PAGE)
            left_s = sign_at - time.monotonic()
            if page.changes or left_s <= 0:
                return page
            if page.position == position:
                await space.wait(position, left_s)
            position = page.position

    @staticmethod
    async def _begin_anew(space: TenantView, prefix: str) -> ChangePage:
        return await space.changes(prefix, None, PAGE)


def _told(page: ChangePage) -> bytes:
    """Return the events of a page; without any, a comment that keeps the connection, and the position to go on from."""
    if page.changes:
        return b"".join(map(_event, page.changes))
    return f": nothing new\nid: {page.position}\n\n".encode()


def _event(change: KeyChange) -> bytes:
    told = orjson.dumps({"key": change.key, "version": change.version, "kind": change.kind})
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (change.position.encode(), change.kind.encode(), told)


def _reset(position: str) -> bytes:
    """Return the event that says: what happened meanwhile is not known; read everything anew."""
    return f"id: {position}\nevent: reset\ndata: {{}}\n\n".encode()
