"""Ships the decisions of a worker whose data directory no client service shares, in a thread of its parent process.

Where a client service shares it, that one ships, or this one does while it is away: a lock decides.
"""

import asyncio
import contextlib
import threading
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from vestibule.client_service.decisions.shipping import DecisionShipper
from vestibule.client_service.settings import WorkerSettings
from vestibule.contracts.decisions import DecisionBatch

if TYPE_CHECKING:
    from vestibule.database_client.decisions import DecisionClient


class OpenedWhenNeeded:
    """The client of the database service, which most workers never need: it is loaded and opened at the first call."""

    def __init__(self, settings: WorkerSettings, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._stack = stack
        self._client: DecisionClient | None = None

    async def ship(self, batch: DecisionBatch) -> int:
        """Record a batch if it goes on where its file was recorded to; return how far the file is recorded."""
        return await (await self._opened()).ship(batch)

    async def positions(self, files: Sequence[str]) -> Mapping[str, int]:
        """Return how far each of the files was recorded; nothing is asked while there is no file."""
        return await (await self._opened()).positions(files) if files else {}

    async def _opened(self) -> "DecisionClient":
        if self._client is None:
            # Each of these would weigh on every process of the pool.
            from vestibule.database_client.decisions import DecisionClient  # noqa: PLC0415
            from vestibule.database_client.transport import DatabaseTransport  # noqa: PLC0415
            from vestibule.service_kit.auth.service_secret import ServiceSecret  # noqa: PLC0415
            from vestibule.service_kit.service_client import ServiceClient  # noqa: PLC0415

            secret = ServiceSecret.read(self._settings.secret_file)
            url, timeout_s = self._settings.database_service_url, self._settings.service_timeout_s
            peer = await self._stack.enter_async_context(ServiceClient("database", url, secret, timeout_s))
            self._client = DecisionClient(DatabaseTransport(peer))
        return self._client


class ShippingThread:
    """Ships in a thread between start and stop."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._running: tuple[asyncio.AbstractEventLoop, asyncio.Task[None]] | None = None

    def start(self) -> None:
        """Ship from now on."""
        threading.Thread(target=self._run, name="decision-shipper", daemon=True).start()

    def stop(self) -> None:
        """Ship no more; what was not shipped is, after the next start."""
        if self._running:
            loop, shipping = self._running
            loop.call_soon_threadsafe(shipping.cancel)

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._ship())

    async def _ship(self) -> None:
        if shipping := asyncio.current_task():
            self._running = asyncio.get_running_loop(), shipping
        async with AsyncExitStack() as stack:
            receiver = OpenedWhenNeeded(self._settings, stack)
            await DecisionShipper(self._settings.decision_dir, self._settings.decision_keep_days, receiver).run()
