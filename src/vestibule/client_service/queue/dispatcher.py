"""Sends recorded tasks to the queue in batches, in the background; what it cannot send, the relay sends later."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import structlog

from vestibule.client_service.queue.publishers import BATCH_SIZE, QueueUnavailable, TaskPublisher
from vestibule.client_service.queue.task_message import TaskMessage
from vestibule.runtime.background import in_background, repeat

MAX_WAITING = 2_000
MAX_WAITING_CHARS = 64_000_000
# A message that waited for longer is left to the relay, which checks each task some seconds after its acceptance.
STALE_AFTER_S = 3.0


class TaskDispatcher:
    """Buffers messages for the publisher. A full buffer drops new messages, which the relay sends later."""

    def __init__(self, publisher: TaskPublisher) -> None:
        self._publisher = publisher
        self._waiting: deque[TaskMessage] = deque()
        self._waiting_chars = 0
        self._has_work = asyncio.Event()
        self._log = structlog.get_logger("vestibule.task_dispatcher")

    def enqueue(self, message: TaskMessage) -> None:
        """Buffer a message for sending, if there is room."""
        if len(self._waiting) < MAX_WAITING and self._waiting_chars < MAX_WAITING_CHARS:
            self._waiting.append(message)
            self._waiting_chars += len(message.data)
            self._has_work.set()

    async def send(self, messages: Sequence[TaskMessage]) -> None:
        """Send messages now, in their order.

        Raises:
            QueueUnavailable: the queue does not accept them.
        """
        await self._publisher.publish(messages)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send buffered messages in the background; the relay of another process sends what is left at the end."""
        async with in_background(repeat(self._send_waiting, on_error=self._log_error)):
            yield

    async def _send_waiting(self) -> float:
        await self._has_work.wait()
        if messages := self._take():
            try:
                await self.send(messages)
            except QueueUnavailable as error:
                self._log.warning("tasks_not_sent", tasks=len(messages), error=str(error))
        return 0.0

    def _log_error(self, error: Exception) -> None:
        self._log.error("task_dispatch_failed", exc_info=error)

    def _take(self) -> list[TaskMessage]:
        messages = [self._waiting.popleft() for _ in range(min(BATCH_SIZE, len(self._waiting)))]
        self._waiting_chars -= sum(len(message.data) for message in messages)
        if not self._waiting:
            self._has_work.clear()
        oldest = time.time() - STALE_AFTER_S
        return [message for message in messages if message.sent_at > oldest]
