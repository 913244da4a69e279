"""Wakes those who wait for something to happen, within one event loop."""

import asyncio


class ChangeNotifier:
    """Rings for everybody who listens at that moment; ringing costs next to nothing where nobody does."""

    def __init__(self) -> None:
        self._event: asyncio.Event | None = None

    def ring(self) -> None:
        """Wake all who listen."""
        if self._event is not None:
            self._event.set()
            self._event = None

    def listen(self) -> asyncio.Event:
        """Return what is set at the next ring; take it before you look whether there is anything to wait for."""
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
