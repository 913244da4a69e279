"""Cancels tasks of the event loop reliably."""

import asyncio

ASK_AGAIN_S = 0.2


async def cancel_all(*tasks: "asyncio.Task[None]") -> None:
    """Cancel tasks and return when they have ended.

    A cancellation that arrives together with a timeout can get lost inside of libraries, so it is asked again.
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _done, pending = await asyncio.wait(pending, timeout=ASK_AGAIN_S)
