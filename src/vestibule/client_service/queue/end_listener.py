"""Hears from Redis when tasks end, for those who wait for one."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from vestibule.client_service.queue.result_backend import RESULT_PREFIX
from vestibule.runtime.cancellation import cancel_all

# Redis takes no subscriber without a channel.
IDLE_CHANNEL = "vestibule:quiet"
ERROR_PAUSE_S = 0.5
LISTEN_TIMEOUT_S = 5.0


class TaskEndListener:
    """Listens on one connection for all who wait. It can miss an end while Redis is away: look again after a while."""

    def __init__(self, redis: Redis) -> None:
        self._pubsub = redis.pubsub()
        self._waiting: defaultdict[bytes, set[asyncio.Event]] = defaultdict(set)
        self._log = structlog.get_logger("vestibule.task_end_listener")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen meanwhile."""
        listening = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            await cancel_all(listening)
            await self._pubsub.aclose()  # type: ignore[no-untyped-call]

    @asynccontextmanager
    async def subscribe(self, task_id: str) -> AsyncIterator[asyncio.Event]:
        """Give an event that is set when there is news: from now on Redis tells of the task, and the task has ended.

        What happened before the first of these is not told of. Where Redis is away there is none.
        """
        channel = (RESULT_PREFIX + task_id).encode()
        event = asyncio.Event()
        self._waiting[channel].add(event)
        try:
            await self._try_command("subscribe", channel)
            yield event
        finally:
            self._waiting[channel].discard(event)
            if not self._waiting[channel]:
                del self._waiting[channel]
                await self._try_command("unsubscribe", channel)

    async def _try_command(self, command: str, channel: bytes) -> None:
        try:
            await getattr(self._pubsub, command)(channel)
        except (RedisError, OSError) as error:
            self._log.info("task_end_listener_disconnected", error=type(error).__name__)

    async def _listen(self) -> None:
        while True:
            try:
                await self._pubsub.subscribe(IDLE_CHANNEL)
                while True:
                    message = await self._pubsub.get_message(timeout=LISTEN_TIMEOUT_S)
                    for event in self._waiting.get(message["channel"], ()) if message else ():
                        event.set()
            except (RedisError, OSError) as error:
                self._log.info("task_end_listener_disconnected", error=type(error).__name__)
                await asyncio.sleep(ERROR_PAUSE_S)
