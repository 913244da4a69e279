"""Listens to Redis for the ends of tasks, for requests that wait for one."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from vestibule.client_service.queue.result_backend import ENDS_CHANNEL, RESULT_PREFIX
from vestibule.contracts.task_ledger import LedgerTask
from vestibule.runtime.background import in_background

ERROR_PAUSE_S = 0.5
LISTEN_TIMEOUT_S = 5.0
ID_BYTES = 36
# Ends are expected while requests wait for some: hearing of one costs more than nothing.
EXPECTED_AFTER_WAIT_S = 5.0
EXPECTED_FOR_S = 10.0
MAX_EXPECTED = 1_000
# A request for a result that was heard before it comes at once, or reads the ledger.
KEPT_FOR_S = 1.0


@dataclass(slots=True, eq=False)
class ExpectedEnd:
    """The end of a task that this process has accepted; `task` is as it was accepted."""

    task: LedgerTask
    expires_at: float
    has_changed: asyncio.Event = field(default_factory=asyncio.Event)
    _result: bytes | None = None

    async def result(self, wait_s: float) -> bytes | None:
        """Return the encrypted result when it is there.

        None: not within `wait_s` seconds, or the ledger knows better.
        """
        try:
            async with asyncio.timeout(wait_s):
                await self.has_changed.wait()
        except TimeoutError:
            return None
        return None if time.monotonic() > self.expires_at else self._result

    def tell(self, result: bytes | None) -> None:
        """Set the result; None: it is not known."""
        self._result, self.expires_at = result, time.monotonic() + KEPT_FOR_S
        self.has_changed.set()


class TaskEndListener:
    """Listens on one connection for all waiting requests. It can miss an end while Redis is down, so poll as well."""

    def __init__(self, redis: Redis) -> None:
        self._pubsub = redis.pubsub()
        self._channel = f"{ENDS_CHANNEL}:{uuid4()}"
        self._waiting: defaultdict[bytes, set[asyncio.Event]] = defaultdict(set)
        # In the order of their acceptance.
        self._expected: dict[str, ExpectedEnd] = {}
        self._expect_until = 0.0
        self._log = structlog.get_logger("vestibule.task_end_listener")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen in the background."""
        try:
            async with in_background(self._listen()):
                yield
        finally:
            await self._pubsub.aclose()  # type: ignore[no-untyped-call]

    def expect(self, task: LedgerTask) -> str | None:
        """Return the channel on which a worker shall publish the end of `task`; None while nobody waits for ends."""
        now = time.monotonic()
        if now > self._expect_until:
            self._expected.clear()
            return None
        while self._expected:
            oldest = next(iter(self._expected))
            if len(self._expected) < MAX_EXPECTED and self._expected[oldest].expires_at > now:
                break
            self._forget(oldest)
        self._expected[task.task_id] = ExpectedEnd(task, now + EXPECTED_FOR_S)
        return self._channel

    def find_expected(self, task_id: str) -> ExpectedEnd | None:
        """Return the end of a task if it is expected, for a request that waits: from now on ends are."""
        self._expect_until = time.monotonic() + EXPECTED_AFTER_WAIT_S
        return self._expected.get(task_id)

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
                await self._pubsub.subscribe(ENDS_CHANNEL, self._channel)
                while True:
                    message = await self._pubsub.get_message(timeout=LISTEN_TIMEOUT_S)
                    if message is not None:
                        self._take(message)
            except (RedisError, OSError) as error:
                self._log.info("task_end_listener_disconnected", error=type(error).__name__)
                await asyncio.sleep(ERROR_PAUSE_S)

    def _take(self, message: dict[str, Any]) -> None:
        channel, data = message["channel"].decode(), message["data"]
        if channel == self._channel and message["type"] == "message":
            if expected := self._expected.get(data[:ID_BYTES].decode(errors="replace")):
                expected.tell(data[ID_BYTES:] or None)
        elif channel == self._channel:
            # A new subscription, or one after the connection was lost: a cancellation may have been missed.
            for task_id in list(self._expected):
                self._forget(task_id)
        elif channel == ENDS_CHANNEL and message["type"] == "message":
            self._forget(data.decode(errors="replace"))
        for event in self._waiting.get(message["channel"], ()):
            event.set()

    def _forget(self, task_id: str) -> None:
        """Expect the end of a task no more; the requests that wait for it ask the ledger."""
        if expected := self._expected.pop(task_id, None):
            expected.tell(None)
