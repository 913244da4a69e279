"""How many messages wait in RabbitMQ, if it is the broker instead of Redis."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from amqp.exceptions import AMQPError
from kombu.exceptions import KombuError

from vestibule.client_service.queue.application import VestibuleCelery
from vestibule.contracts.tasks import QUEUES, Priority


class RabbitMqDepth:
    """Queries RabbitMQ on one connection in a thread of its own, because Celery's client is synchronous."""

    def __init__(self, producer: VestibuleCelery) -> None:
        self._celery = producer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rabbit-counts")
        self._connection: Any = None

    async def read(self) -> Mapping[Priority, int]:
        """Return how many messages wait for each priority, without those that workers have.

        Raises:
            OSError: RabbitMQ does not answer.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read)

    async def answers(self) -> bool:
        """Say that it does; raises what `read` raises where not."""
        await self.read()
        return True

    def close(self) -> None:
        """Close the connection."""
        self._thread.submit(self._drop)
        self._thread.shutdown(wait=False)

    def _read(self) -> Mapping[Priority, int]:
        try:
            if self._connection is None:
                self._connection = self._celery.connection_for_write()
                # Declared first, because a new broker has no queues.
                for queue in self._celery.conf.task_queues:
                    queue.bind(self._connection.default_channel).declare()
            channel = self._connection.default_channel
            return {name: channel.queue_declare(queue, passive=True).message_count for name, queue in QUEUES.items()}
        except (AMQPError, KombuError, OSError) as error:
            self._drop()
            raise ConnectionError(f"RabbitMQ does not answer ({type(error).__name__})") from error

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.collect()
