"""Notifies the tasks of one event loop that wait for a change."""

import asyncio


class ChangeNotifier:
    """Notifies every current listener of a change; without listeners a notification costs next to nothing."""

    def __init__(self) -> None:
        self._event: asyncio.Event | None = None

    def notify(self) -> None:
        """Wake all listeners."""
        if self._event is not None:
            self._event.set()
            self._event = None

    def listen(self) -> asyncio.Event:
        """Return the event that the next notification sets; take it before you check whether you need to wait."""
        if self._event is None:
            self._event = asyncio.Event()
        return self._event


async def wait_for(event: asyncio.Event, timeout_s: float) -> None:
    """Return when `event` is set, or after `timeout_s`."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return
