"""The publishers of task messages: directly into Redis, or by Celery into another broker."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Protocol, Self

from amqp.exceptions import AMQPError
from kombu.exceptions import KombuError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from vestibule.client_service.queue.application import VestibuleCelery
from vestibule.client_service.queue.task_message import TaskMessage, TaskMessageTemplate
from vestibule.contracts.tasks import PROCESS_DATA_TASK, SENT_AT

BATCH_SIZE = 100
MAX_BATCH_CHARS = 1_000_000


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


class RedisPublisher:
    """Pushes messages into the lists in Redis that workers pop them from."""

    def __init__(self, template: TaskMessageTemplate, redis: Redis) -> None:
        self._template = template
        self._redis = redis

    async def publish(self, messages: Sequence[TaskMessage]) -> None:
        """Send messages now, in their order.

        Raises:
            QueueUnavailable: the queue does not accept them.
        """
        left = messages
        try:
            while left:
                some, left = _split(left)
                async with self._redis.pipeline(transaction=False) as pipe:
                    for queue, rendered in self._render(some).items():
                        pipe.lpush(queue, *rendered)
                    await pipe.execute()
        except (RedisError, OSError) as error:
            raise QueueUnavailable(type(error).__name__) from error

    def _render(self, messages: Sequence[TaskMessage]) -> dict[str, list[bytes]]:
        by_queue: defaultdict[str, list[bytes]] = defaultdict(list)
        for message in messages:
            by_queue[message.queue].append(self._template.render(message))
        return by_queue


class CeleryPublisher:
    """Sends messages by Celery, in a thread of its own, because Celery is synchronous."""

    def __init__(self, producer: VestibuleCelery) -> None:
        self._celery = producer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="task-publisher")

    def __enter__(self) -> Self:
        """Return the publisher."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the thread, without waiting for a queue that does not answer."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def publish(self, messages: Sequence[TaskMessage]) -> None:
        """Send messages now, in their order.

        Raises:
            QueueUnavailable: the queue does not accept them.
        """
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, self._send, messages)
        except (KombuError, AMQPError, RedisError, OSError) as error:
            raise QueueUnavailable(type(error).__name__) from error

    def _send(self, messages: Sequence[TaskMessage]) -> None:
        with self._celery.producer_pool.acquire(block=True) as producer, producer.batch(max_size=BATCH_SIZE):
            for message in messages:
                send_by_celery(self._celery, message, producer=producer)


def send_by_celery(celery: VestibuleCelery, message: TaskMessage, **options: Any) -> None:
    """Build and send one message by Celery."""
    headers = {"request_id": message.request_id, "attempts": message.attempts, SENT_AT: message.sent_at}
    celery.tasks[PROCESS_DATA_TASK].apply_async(
        message.arguments,
        task_id=message.task_id,
        queue=message.queue,
        time_limit=celery.time_limit_s(message.processor),
        headers={**headers, **message.trace},
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
