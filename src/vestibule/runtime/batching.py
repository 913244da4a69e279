"""Batches single items into calls for many: items that arrive during a call share the next one."""

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
class _Request(Generic[Item, Outcome]):
    item: Item
    weight: int
    request_id: str | None
    outcome: "asyncio.Future[Outcome]"


class Batcher(Generic[Item, Outcome]):
    """Batches items into calls; a single item is sent at once."""

    def __init__(
        self,
        call: Callable[[list[Item]], Awaitable[Sequence[Outcome]]],
        *,
        most: int,
        weigh: Callable[[Item], int],
        heaviest: int,
        at_once: int = 2,
        timeout_s: float = math.inf,
    ) -> None:
        """Take the call, which answers in the order of its items; `most` and `heaviest` bound what one may hold.

        Where a call fails as unavailable after `timeout_s` or more, what waits for its turn fails with it: the next
        call would meet the same silence, and nobody shall wait for two.
        """
        self._call = call
        self._most = most
        self._weigh = weigh
        self._heaviest = heaviest
        self._at_once = at_once
        self._timeout_s = timeout_s
        self._waiting: list[_Request[Item, Outcome]] = []
        self._in_flight: set[asyncio.Task[None]] = set()

    async def submit(self, item: Item) -> Outcome:
        """Return the outcome of one item; an error of its call is an error of every item in it."""
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        self._waiting.append(_Request(item, self._weigh(item), request_id, outcome))
        self._start()
        return await outcome

    def _start(self) -> None:
        while self._waiting and len(self._in_flight) < self._at_once:
            task = asyncio.create_task(self._send(self._take()))
            self._in_flight.add(task)
            task.add_done_callback(self._finish)

    def _finish(self, task: "asyncio.Task[None]") -> None:
        self._in_flight.discard(task)
        self._start()

    def _take(self) -> list[_Request[Item, Outcome]]:
        count, weight = 0, 0
        for request in self._waiting[: self._most]:
            weight += request.weight
            if count and weight > self._heaviest:
                break
            count += 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    async def _send(self, several: list[_Request[Item, Outcome]]) -> None:
        began = time.monotonic()
        try:
            # One call can be under the name of one request only.
            with structlog.contextvars.bound_contextvars(request_id=several[0].request_id):
                outcomes = await self._call([request.item for request in several])
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait have to hear of it
            if isinstance(error, Unavailable) and time.monotonic() - began >= self._timeout_s:
                several, self._waiting = [*several, *self._waiting], []
            for request in several:
                if not request.outcome.done():
                    request.outcome.set_exception(error)
        else:
            for request, outcome in zip(several, outcomes, strict=True):
                if not request.outcome.done():  # the caller may have disconnected meanwhile
                    request.outcome.set_result(outcome)
