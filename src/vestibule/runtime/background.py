"""Background work on the event loop, and exponential backoff between attempts."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NoReturn

CANCEL_AGAIN_S = 0.2
ERROR_PAUSE_S = 0.5


class Jitter(Enum):
    """The random share of a delay, so that callers that failed together do not retry together.

    Source: M. Brooker, "Exponential Backoff And Jitter", 2015.
    """

    NONE = (1.0, 1.0)
    # Between half of the delay and all of it.
    EQUAL = (0.5, 1.0)
    # Between half of the delay and one and a half.
    AROUND = (0.5, 1.5)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that grow by `factor` from `first_s` to `longest_s`; jitter applies to the delay after that limit."""

    first_s: float
    longest_s: float
    factor: float = 2.0
    jitter: Jitter = Jitter.NONE
    uniform: Callable[[float, float], float] = field(default=random.uniform, repr=False, compare=False)

    def delay_s(self, attempts: int) -> float:
        """Return the seconds to wait after that many failed attempts; no failure, no delay."""
        if attempts < 1:
            return 0.0
        try:
            full_s = min(self.first_s * self.factor ** (attempts - 1), self.longest_s)
        except OverflowError:
            full_s = self.longest_s
        return full_s if self.jitter is Jitter.NONE else full_s * self.uniform(*self.jitter.value)


@asynccontextmanager
async def in_background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` in tasks while the context is open; cancel them at its end, and wait until they have ended."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        yield
    finally:
        await cancel(tasks)


async def repeat(
    step: Callable[[], Awaitable[float]],
    *,
    on_error: Callable[[Exception], None],
    outages: tuple[type[Exception], ...] = (),
    first_pause_s: float = 0.0,
    error_pause_s: float = ERROR_PAUSE_S,
) -> NoReturn:
    """Run `step` until cancelled; it returns the seconds until its next run.

    An error does not end the repetition. `on_error` gets the first of consecutive errors; an outage does not hide an
    unexpected error, so it gets the first of each of both.
    """
    reported: set[bool] = set()
    pause_s = first_pause_s
    while True:
        await asyncio.sleep(pause_s)
        try:
            pause_s = await step()
            reported.clear()
        except Exception as error:  # noqa: BLE001 - without the loop its work is not done until a restart
            pause_s = error_pause_s
            is_outage = isinstance(error, outages)
            if is_outage not in reported:
                reported.add(is_outage)
                on_error(error)


async def cancel(tasks: "Iterable[asyncio.Task[None]]") -> None:
    """Cancel tasks, and return when they have ended."""
    # A cancellation that arrives together with a timeout can get lost inside of libraries, so it is repeated.
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _done, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)
