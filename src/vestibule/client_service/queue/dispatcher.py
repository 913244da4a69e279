"""Sends recorded tasks to the queue in batches, in the background; the relay sends later what it cannot send.

Messages go directly into Redis, or by Celery into another broker.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from amqp.exceptions import AMQPError
from kombu.exceptions import KombuError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from vestibule.client_service.queue.application import VestibuleCelery
from vestibule.client_service.queue.partitions import TenantPartitions
from vestibule.client_service.queue.task_message import TaskMessage, TaskMessageTemplate
from vestibule.contracts.tasks import PROCESS_DATA_TASK
from vestibule.runtime.background import in_background, repeat

BATCH_SIZE = 100
MAX_BATCH_CHARS = 1_000_000
MAX_WAITING = 2_000
MAX_WAITING_CHARS = 64_000_000
# A message that waited for longer is left to the relay, which checks each task some seconds after its acceptance.
STALE_AFTER_S = 3.0


class QueueUnavailable(Exception):
    """The queue did not accept the messages; some of them may have arrived."""


class TaskPublisher(Protocol):
    """Sends messages to the queue."""

    async def publish(self, messages: Sequence[TaskMessage]) -> None:
        """Send messages now, in their order.

        Raises:
            QueueUnavailable: the queue does not accept them.
        """
        ...


@dataclass(frozen=True, slots=True)
class RedisPublisher:
    """Pushes messages into the lists in Redis that workers pop them from."""

    template: TaskMessageTemplate
    redis: Redis
    partitions: TenantPartitions

    async def publish(self, messages: Sequence[TaskMessage]) -> None:
        """Send messages now, in their order. Raises `QueueUnavailable` if Redis does not accept them."""
        left = messages
        try:
            while left:
                some, left = _split(left)
                by_queue: defaultdict[str, list[bytes]] = defaultdict(list)
                for message in map(self.partitions.place, some):
                    by_queue[message.queue].append(self.template.render(message))
                async with self.redis.pipeline(transaction=False) as pipe:
                    for queue, rendered in by_queue.items():
                        pipe.lpush(queue, *rendered)
                    await pipe.execute()
        except (RedisError, OSError) as error:
            raise QueueUnavailable(type(error).__name__) from error


class CeleryPublisher:
    """Sends messages by Celery, in a thread of its own, because Celery is synchronous."""

    def __init__(self, producer: VestibuleCelery, partitions: TenantPartitions) -> None:
        self._celery = producer
        self._partitions = partitions
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="task-publisher")

    def close(self) -> None:
        """Stop the thread, without waiting for a queue that does not answer."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def publish(self, messages: Sequence[TaskMessage]) -> None:
        """Send messages now, in their order. Raises `QueueUnavailable` if the broker does not accept them."""
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, self._send, [*map(self._partitions.place, messages)])
        except (KombuError, AMQPError, RedisError, OSError) as error:
            raise QueueUnavailable(type(error).__name__) from error

    def _send(self, messages: Sequence[TaskMessage]) -> None:
        with self._celery.producer_pool.acquire(block=True) as producer, producer.batch(max_size=BATCH_SIZE):
            for message in messages:
                send_by_celery(self._celery, message, producer=producer)


def send_by_celery(celery: VestibuleCelery, message: TaskMessage, **options: Any) -> None:
    """Build and send one message by Celery."""
    celery.tasks[PROCESS_DATA_TASK].apply_async(
        message.arguments,
        task_id=message.task_id,
        queue=message.queue,
        time_limit=celery.time_limit_s(message.processor),
        headers=message.headers,
        **options,
    )


def _split(messages: Sequence[TaskMessage]) -> tuple[Sequence[TaskMessage], Sequence[TaskMessage]]:
    """Return the messages of the next batch, and the rest."""
    chars = 0
    for count, message in enumerate(messages):
        chars += len(message.data)
        # Encrypting a megabyte blocks the event loop for milliseconds.
        if count and chars > MAX_BATCH_CHARS:
            return messages[:count], messages[count:]
    return messages, ()


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

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send buffered messages in the background; the relay of another process sends what is left at the end."""
        async with in_background(repeat(self._send_waiting, on_error=self._log_error)):
            yield

    async def _send_waiting(self) -> float:
        await self._has_work.wait()
        if messages := self._take():
            try:
                await self._publisher.publish(messages)
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
