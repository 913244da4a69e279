"""Streams the changes under a prefix to watchers, as server-sent events.

Source: WHATWG, HTML, section 9.2, "Server-sent events".
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import orjson
import structlog

from vestibule.contracts.errors import Unavailable
from vestibule.database_service.entries.store import ChangePage, KeyChange, PositionLost, Store, wait_for
from vestibule.database_service.entries.tenant_view import SEPARATOR, TenantView
from vestibule.runtime.background import repeat

HEARTBEAT_S = 10.0
# A connection ends after this time. The watcher reconnects from its position, and its token is checked again.
LONGEST_S = 300.0
# The most changes in flight to one watcher; the next page is read when it has received these.
PAGE = 500
# The least time between two polls, so that many watchers of a busy store do not slow it down.
PAUSE_S = 0.02
MAX_WATCHERS = 1000
MAX_PER_TOKEN = 250


class _Tail:
    """Reads the changes of all tenants once for all watchers, and wakes only those whose prefix has changed."""

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        # The events of the watchers, by tenant and by prefix as stored.
        self._events: dict[str, dict[str, set[asyncio.Event]]] = defaultdict(lambda: defaultdict(set))
        self._reading: asyncio.Task[None] | None = None
        self._position: str | None = None
        # How many reads have begun; which of them was the last to reach the end of the changes, and where that was.
        self.reads = 0
        self.end: tuple[int, str] = (0, "")
        self._log = structlog.get_logger("vestibule.store")

    @contextmanager
    def waking(self, store: Store, prefix: str) -> Iterator[asyncio.Event]:
        """Set the event each time that the changes of a stored prefix were seen, while the context is open."""
        event, tenant = asyncio.Event(), prefix.partition(SEPARATOR)[0]
        self._events[tenant][prefix].add(event)
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_on(store))
        try:
            yield event
        finally:
            self._events[tenant][prefix].discard(event)
            if not self._events[tenant][prefix]:
                del self._events[tenant][prefix]
            if not self._events[tenant]:
                del self._events[tenant]
            if not self._events:
                self._reading.cancel()
                self._reading, self._position = None, None

    async def _read_on(self, store: Store) -> None:
        async def step() -> float:
            try:
                await self._read(store)
            except PositionLost:
                self._position = None
            return PAUSE_S

        await repeat(step, on_error=self._log_error, outages=(Unavailable,))

    def _log_error(self, error: Exception) -> None:
        if not isinstance(error, Unavailable):  # which the store has logged
            self._log.error("change_tail_failed", exc_info=error)

    async def _read(self, store: Store) -> None:
        if self._position is None:
            self._position = (await store.changes("", None, PAGE)).position
            # What happened before is unknown here: each watcher reads for itself.
            for prefixes in self._events.values():
                for events in prefixes.values():
                    _set(events)
        self.reads += 1
        number, before = self.reads, self._position
        page = await store.changes("", before, PAGE)
        for change in page.changes:
            for prefix, events in self._events.get(change.key.partition(SEPARATOR)[0], {}).items():
                if change.key.startswith(prefix):
                    _set(events)
        if len(page.changes) < PAGE:
            self.end = number, page.position
        self._position = page.position
        if page.position == before:
            await store.wait(before, self._wait_s)


def _set(events: set[asyncio.Event]) -> None:
    for event in events:
        event.set()


class ChangeStream:
    """Serves watchers. None has a buffer of its own: each is a position in the store's change log."""

    def __init__(
        self, heartbeat_s: float = HEARTBEAT_S, longest_s: float = LONGEST_S, max_watchers: int = MAX_WATCHERS
    ) -> None:
        self._heartbeat_s = heartbeat_s
        self._longest_s = longest_s
        self._max_watchers = max_watchers
        self._watchers: Counter[object] = Counter()
        self._tail = _Tail(heartbeat_s)

    async def watch(self, view: TenantView, prefix: str, after: str | None) -> AsyncIterator[bytes]:
        """Return the events from now on, or from after the last position that the watcher received.

        Raises:
            Unavailable: there are too many watchers, in all or with this token, or the store does not answer.
        """
        if self._is_full(view):
            raise Unavailable("database", "Too many clients watch changes; retry later.", retry_after_s=10)
        try:
            first = await view.changes(prefix, after, PAGE)
        except PositionLost:
            first = None
        return self._events(view, prefix, first)

    def _is_full(self, view: TenantView) -> bool:
        return self._watchers.total() >= self._max_watchers or self._watchers[view.holder] >= MAX_PER_TOKEN

    async def _events(self, view: TenantView, prefix: str, first: ChangePage | None) -> AsyncIterator[bytes]:
        if self._is_full(view):
            return  # others began at the same time
        self._watchers[view.holder] += 1
        until = time.monotonic() + self._longest_s
        try:
            with self._tail.waking(view.store, view.stored(prefix)) as woken:
                page = first or await view.changes(prefix, None, PAGE)
                yield _reset(page.position) if first is None else _render_page(page)
                while time.monotonic() < until:
                    page = await self._next(view, prefix, page.position, woken)
                    yield _render_page(page)
        except PositionLost:
            yield _reset((await view.changes(prefix, None, PAGE)).position)
        except Unavailable:
            return  # the store has logged why; the watcher reconnects
        finally:
            self._watchers[view.holder] -= 1
            if not self._watchers[view.holder]:
                del self._watchers[view.holder]

    async def _next(self, view: TenantView, prefix: str, position: str, woken: asyncio.Event) -> ChangePage:
        """Return the next page with changes of the prefix, or without any when a heartbeat is due."""
        heartbeat_at = time.monotonic() + self._heartbeat_s
        while True:
            await asyncio.sleep(PAUSE_S)
            woken.clear()
            page = await view.changes(prefix, position, PAGE)
            reads = self._tail.reads
            left_s = heartbeat_at - time.monotonic()
            if page.changes or left_s <= 0:
                return page
            if page.position == position:
                await wait_for(woken, left_s)
                number, end = self._tail.end
                # A read that began after this one has reached the end without a change of the prefix.
                if not woken.is_set() and number > reads:
                    return ChangePage([], end)
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
