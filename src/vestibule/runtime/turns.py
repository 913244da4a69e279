"""Turns on the event loop: of what several holders ask for at once, each begins one piece in a pass of the loop.

A piece is to be short, so long work is done in slices.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Hashable, Iterable
from functools import partial
from typing import TypeVar

Begin = Callable[[], object]
Item = TypeVar("Item")

# A pass, which asks the kernel for events, costs as much as a small piece. So a holder that is alone begins several.
PIECES_ALONE = 4
# A holder is alone if no other has begun anything for this long.
ALONE_AFTER_S = 1.0
# After a heavy piece its holder rests from heavy ones this many times as long as the piece took.
REST_TIMES = 4

# To encrypt, decrypt or describe so many small things takes about a millisecond.
SLICE = 50


async def in_slices(items: Iterable[Item]) -> AsyncIterator[Item]:
    """Yield `items`, and let other work run between each fifty and the next."""
    for number, item in enumerate(items, 1):
        yield item
        if not number % SLICE:
            await asyncio.sleep(0)


class _Holder:
    """What a holder has begun in this pass, and what waits, since when."""

    __slots__ = ("begun", "waiting")

    def __init__(self) -> None:
        self.begun = 0
        self.waiting: deque[tuple[float, Begin]] = deque()


class Turns:
    """Begins work at once if its holder has begun nothing in this pass of the loop; further work waits in order.

    A pass reads all sockets that have something to read. So who asks for little waits for one piece of each other
    holder at most, however much those have asked for before. A holder that is alone begins a few pieces in a pass.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the `clock`, in seconds."""
        self.clock = clock
        self._pieces = 1
        # The last holder, and until when it counts as one of several.
        self._last: Hashable = None
        self._shared_until = 0.0
        # Those that have begun something in this pass.
        self._holders: dict[Hashable, _Holder] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        # The heavy pieces that wait, of each holder that does one or rests from one.
        self._heavy: dict[Hashable, deque[Begin]] = {}

    def take(self, holder: Hashable, begin: Begin) -> None:
        """Call `begin` as soon as it is the turn of `holder`."""
        held = self._holders.get(holder)
        if held is None:
            if not self._holders:
                self._loop = self._loop or asyncio.get_running_loop()
                self._loop.call_soon(self._next_pass)
            held = self._holders[holder] = _Holder()
            self._count_holder(holder)
        elif held.begun >= self._pieces:
            held.waiting.append((self.clock(), begin))
            return
        held.begun += 1
        begin()

    def _count_holder(self, holder: Hashable) -> None:
        now = self.clock()
        if holder != self._last:
            self._last, self._shared_until = holder, now + ALONE_AFTER_S
        self._pieces = PIECES_ALONE if now >= self._shared_until else 1

    def take_heavy(self, holder: Hashable, begin: Begin, most_waiting: int) -> bool:
        """Take a turn for what cannot be sliced, one at a time and with rests; False if `most_waiting` wait already.

        `begin` is to let the piece run in the next pass of the loop.
        """
        waiting = self._heavy.get(holder)
        if waiting is None:
            self._heavy[holder] = deque()
            self.take(holder, partial(self._begin_heavy, holder, begin))
        elif len(waiting) < most_waiting:
            waiting.append(begin)
        else:
            return False
        return True

    def _begin_heavy(self, holder: Hashable, begin: Begin) -> None:
        began, loop = self.clock(), asyncio.get_running_loop()
        begin()
        # Called after the piece, which stands before it in the next pass.
        loop.call_soon(lambda: loop.call_later(REST_TIMES * (self.clock() - began), self._next_heavy, holder))

    def _next_heavy(self, holder: Hashable) -> None:
        waiting = self._heavy[holder]
        if waiting:
            self.take(holder, partial(self._begin_heavy, holder, waiting.popleft()))
        else:
            del self._heavy[holder]

    def waiting_since(self, holder: Hashable, number: int) -> float | None:
        """Return since when the first `number` pieces of `holder` have all been waiting; None if there are fewer."""
        held = self._holders.get(holder)
        return held.waiting[number - 1][0] if held is not None and len(held.waiting) >= number else None

    def _next_pass(self) -> None:
        assert self._loop is not None  # noqa: S101 - it is what called
        for holder, held in list(self._holders.items()):
            if not held.waiting:
                del self._holders[holder]
        if self._holders:
            self._loop.call_soon(self._next_pass)
        for holder, held in list(self._holders.items()):
            self._count_holder(holder)
            held.begun = min(self._pieces, len(held.waiting))
            for _ in range(held.begun):
                held.waiting.popleft()[1]()
