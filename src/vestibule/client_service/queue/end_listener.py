"""Listens to Redis for the ends of tasks, for requests that wait for one."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from vestibule.client_service.queue.result_backend import RESULT_PREFIX
from vestibule.runtime.background import in_background

# A subscriber of Redis needs at least one channel.
IDLE_CHANNEL = "vestibule:quiet"
ERROR_PAUSE_S = 0.5
LISTEN_TIMEOUT_S = 5.0


class TaskEndListener:
    """Listens on one connection for all waiting requests. It can miss an end while Redis is down, so poll as well."""

    def __init__(self, redis: Redis) -> None:
        self._pubsub = redis.pubsub()
        self._waiting: defaultdict[bytes, set[asyncio.Event]] = defaultdict(set)
        self._log = structlog.get_logger("vestibule.task_end_listener")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen in the background."""
        try:
            async with in_background(self._listen()):
                yield
        finally:
            await self._pubsub.aclose()  # type: ignore[no-untyped-call]

    @asynccontextmanager
    async def subscribe(self, task_id: str) -> AsyncIterator[asyncio.Event]:
        """Return an event that is set when the subscription starts, and when the task ends.

        Changes before the subscription are missed; while Redis is unavailable the event is never set.
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
