"""The workers as they report themselves to Redis."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from vestibule.contracts.errors import Unavailable
from vestibule.contracts.queue import WORKER_PREFIX, WorkerRecord
from vestibule.contracts.tasks import ALIVE_FOR_S, WORKERS_KEY

REDIS_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class KnownWorker:
    """A worker that has sent a heartbeat within a day; `record` is None if it is of a version that writes none."""

    name: str
    beat_at: float
    record: WorkerRecord | None

    @property
    def is_alive(self) -> bool:
        """Whether its last heartbeat is fresh."""
        return time.time() - self.beat_at <= ALIVE_FOR_S


class WorkerRegistry:
    """Reads the records of workers."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def read(self) -> list[KnownWorker]:
        """Return the workers by name.

        Raises:
            Unavailable: Redis does not answer within a second.
        """
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                beats: Any = await self._redis.zrange(WORKERS_KEY, 0, -1, withscores=True)
                names = [name.decode(errors="replace") for name, _ in beats]
                records: Any = await self._redis.mget([WORKER_PREFIX + name for name in names]) if names else []
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable("queue", "The queue does not answer.") from error
        known = zip(names, (at for _, at in beats), map(_parse, records), strict=True)
        return sorted((KnownWorker(*one) for one in known), key=lambda one: one.name)


def _parse(record: bytes | None) -> WorkerRecord | None:
    try:
        return None if record is None else WorkerRecord.model_validate_json(record)
    except ValidationError:
        return None
