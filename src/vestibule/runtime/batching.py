"""Batches single items into shared calls: items that arrive during a call share the next one."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from vestibule.contracts.errors import Unavailable

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


@dataclass(slots=True)
class _Pending(Generic[Item, Outcome]):
    item: Item
    request_id: str | None
    outcome: "asyncio.Future[Outcome]"


class Batcher(Generic[Item, Outcome]):
    """Batches items into calls. While fewer than `at_once` calls run, an item is sent at once, by its caller."""

    def __init__(
        self,
        call: Callable[[list[Item]], Awaitable[Sequence[Outcome | Exception]]],
        *,
        most: int,
        weigh: Callable[[Item], int] = lambda _item: 0,
        heaviest: float = math.inf,
        at_once: int = 2,
        timeout_s: float = math.inf,
    ) -> None:
        """Take the call, which returns outcomes in the order of its items; an outcome that is an exception is raised.

        A call has at most `most` items that weigh at most `heaviest` together; a heavier item is sent alone. Where a
        call fails as unavailable after `timeout_s` or more, all waiting items fail with it, so that no caller waits for
        two timeouts.
        """
        self._call = call
        self._most = most
        self._weigh = weigh
        self._heaviest = heaviest
        self._at_once = at_once
        self._timeout_s = timeout_s
        self._waiting: list[_Pending[Item, Outcome]] = []
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()

    async def submit(self, item: Item) -> Outcome:
        """Return the outcome of one item; an error of a call is raised for every item in it."""
        (outcome,) = await self.submit_all([item])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def submit_all(self, items: list[Item]) -> Sequence[Outcome | Exception]:
        """Return the outcomes of items that arrive together, at most `most`, in their order."""
        if self._running >= self._at_once:
            return await self._wait(items)
        self._running += 1
        began = time.monotonic()
        try:
            return await self._call(items)
        except Unavailable as error:
            self._fail_waiting(error, began)
            raise
        finally:
            self._end_call()

    async def drain(self) -> None:
        """Return when every submitted item has its outcome."""
        while self._running:
            self._idle.clear()
            await self._idle.wait()

    async def _wait(self, items: list[Item]) -> Sequence[Outcome | Exception]:
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        loop = asyncio.get_running_loop()
        pending = [_Pending[Item, Outcome](item, request_id, loop.create_future()) for item in items]
        self._waiting += pending
        return await asyncio.gather(*(one.outcome for one in pending), return_exceptions=True)  # type: ignore[return-value]

    def _end_call(self) -> None:
        self._running -= 1
        if self._waiting:
            self._running += 1
            task = asyncio.create_task(self._send(self._take()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif not self._running:
            self._idle.set()

    def _take(self) -> list[_Pending[Item, Outcome]]:
        count, weight = 0, 0
        for pending in self._waiting[: self._most]:
            weight += self._weigh(pending.item)
            if count and weight > self._heaviest:
                break
            count += 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    async def _send(self, batch: list[_Pending[Item, Outcome]]) -> None:
        began = time.monotonic()
        try:
            # A call has one request id: that of its first item.
            with structlog.contextvars.bound_contextvars(request_id=batch[0].request_id):
                outcomes = await self._call([pending.item for pending in batch])
        except Exception as error:  # noqa: BLE001 - every waiting caller must get it
            if isinstance(error, Unavailable):
                self._fail_waiting(error, began)
            outcomes = [error] * len(batch)
        finally:
            self._end_call()
        for pending, outcome in zip(batch, outcomes, strict=True):
            _resolve(pending, outcome)

    def _fail_waiting(self, error: Unavailable, began: float) -> None:
        if time.monotonic() - began >= self._timeout_s:
            failed, self._waiting = self._waiting, []
            for pending in failed:
                _resolve(pending, error)


def _resolve(pending: _Pending[Item, Outcome], outcome: Outcome | Exception) -> None:
    if pending.outcome.done():  # the caller was cancelled meanwhile
        return
    if isinstance(outcome, Exception):
        pending.outcome.set_exception(outcome)
    else:
        pending.outcome.set_result(outcome)
