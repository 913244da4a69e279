"""Batches single items into shared calls: items that arrive during a call share the next one."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Generic, TypeVar

import orjson

from vestibule.contracts.errors import Unavailable

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


def json_bytes(text: str) -> int:
    """Return the size of a text in a JSON body in bytes; a control character takes six."""
    return len(orjson.dumps(text))


@dataclass(slots=True)
class _Pending(Generic[Item, Outcome]):
    item: Item
    context: Context
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
        call fails otherwise than as unavailable, each of its items is sent alone. Where it is unavailable after
        `timeout_s` or more, all waiting items fail with it, so that no caller waits for two timeouts.
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
        """Return the outcome of one item, or raise what its call or the item itself failed with."""
        if self._running >= self._at_once:
            return await self._enqueue(item)
        self._running += 1
        began = time.monotonic()
        try:
            (outcome,) = await self._call([item])
        except Unavailable as error:
            self._fail_waiting(error, began)
            raise
        finally:
            self._end_call()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def submit_all(self, items: Iterable[Item]) -> Sequence[Outcome | BaseException]:
        """Return the outcomes of items that arrive together, in their order; they share calls."""
        futures = [self._enqueue(item) for item in items]
        while self._waiting and self._running < self._at_once:
            self._start_call()
        return await asyncio.gather(*futures, return_exceptions=True)

    async def drain(self) -> None:
        """Return when every submitted item has its outcome."""
        while self._running:
            self._idle.clear()
            await self._idle.wait()

    def _enqueue(self, item: Item) -> "asyncio.Future[Outcome]":
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Pending(item, copy_context(), future))
        return future

    def _end_call(self) -> None:
        self._running -= 1
        if self._waiting:
            self._start_call()
        elif not self._running:
            self._idle.set()

    def _start_call(self) -> None:
        self._running += 1
        batch = self._take()
        # A call is made in one context, as for the request id: that of its first item.
        task = asyncio.create_task(self._send(batch), context=batch[0].context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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
        outcomes: Sequence[Outcome | Exception]
        began = time.monotonic()
        try:
            outcomes = await self._call_each(batch)
        except Exception as error:  # noqa: BLE001 - every waiting caller must get it
            if isinstance(error, Unavailable):
                self._fail_waiting(error, began)
            outcomes = [error] * len(batch)
        finally:
            self._end_call()
        for pending, outcome in zip(batch, outcomes, strict=True):
            _resolve(pending, outcome)

    async def _call_each(self, batch: list[_Pending[Item, Outcome]]) -> Sequence[Outcome | Exception]:
        try:
            return await self._call([pending.item for pending in batch])
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one of them
            if len(batch) == 1:
                return [error]
        # One of them is too large or malformed, and it alone has to fail.
        return [outcome for pending in batch for outcome in await self._call_each([pending])]

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
