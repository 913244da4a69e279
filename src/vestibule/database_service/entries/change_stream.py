"""Streams the changes under a prefix to watchers, as server-sent events.

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
# A connection ends after this time. The watcher reconnects from its position, and its token is checked again.
LONGEST_S = 300.0
# The most changes in flight to one watcher; the next page is read when it has received these.
PAGE = 500
# The least time between two polls, so that many watchers of a busy store do not slow it down.
PAUSE_S = 0.02
MAX_WATCHERS = 1000


class ChangeStream:
    """Serves watchers. None has a buffer of its own: each is a position in the store's change log."""

    def __init__(
        self, heartbeat_s: float = HEARTBEAT_S, longest_s: float = LONGEST_S, max_watchers: int = MAX_WATCHERS
    ) -> None:
        self._heartbeat_s = heartbeat_s
        self._longest_s = longest_s
        self._max_watchers = max_watchers
        self._watchers = 0

    async def watch(self, view: TenantView, prefix: str, after: str | None) -> AsyncIterator[bytes]:
        """Return the events from now on, or from after the last position that the watcher received.

        Raises:
            Unavailable: there are too many watchers, or the store does not answer.
        """
        if self._watchers >= self._max_watchers:
            raise Unavailable("database", "Too many clients watch changes; retry later.", retry_after_s=10)
        try:
            first = await view.changes(prefix, after, PAGE)
        except PositionLost:
            first = None
        return self._events(view, prefix, first)

    async def _events(self, view: TenantView, prefix: str, first: ChangePage | None) -> AsyncIterator[bytes]:
        self._watchers += 1
        until = time.monotonic() + self._longest_s
        try:
            page = first or await view.changes(prefix, None, PAGE)
            yield _reset(page.position) if first is None else _render_page(page)
            while time.monotonic() < until:
                before = page.position
                page = await self._next(view, prefix, before)
                yield _render_page(page)
        except PositionLost:
            yield _reset((await view.changes(prefix, None, PAGE)).position)
        except Unavailable:
            return  # the store has logged why; the watcher reconnects
        finally:
            self._watchers -= 1

    async def _next(self, view: TenantView, prefix: str, position: str) -> ChangePage:
        """Return the next page with changes of the prefix, or without any when a heartbeat is due."""
        heartbeat_at = time.monotonic() + self._heartbeat_s
        while True:
            await asyncio.sleep(PAUSE_S)
            page = await view.changes(prefix, position, PAGE)
            left_s = heartbeat_at - time.monotonic()
            if page.changes or left_s <= 0:
                return page
            if page.position == position:
                await view.store.wait(position, left_s)
            position = page.position


def _render_page(page: ChangePage) -> bytes:
    """Return the events of a page; without any, a comment with the position, which keeps the connection open."""
    if page.changes:
        return b"".join(map(_event, page.changes))
    return f": nothing new\nid: {page.position}\n\n".encode()


def _event(change: KeyChange) -> bytes:
    data = orjson.dumps({"key": change.key, "version": change.version, "kind": change.kind})
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (change.position.encode(), change.kind.encode(), data)


def _reset(position: str) -> bytes:
    """Return the event that says: changes were missed; read everything again."""
    return f"id: {position}\nevent: reset\ndata: {{}}\n\n".encode()
