"""How full the queue is, how long the oldest task waits, and how many workers live, asked when metrics are."""

import time
from typing import Any

import orjson
from redis.asyncio import Redis

from vestibule.contracts.heartbeat import ALIVE_FOR_S, WORKERS_KEY
from vestibule.contracts.queue import QUEUES, SENT_AT, TAKEN
from vestibule.service_kit.metric_catalogue import QUEUE_OLDEST_AGE, QUEUE_TASKS, WORKERS_ALIVE
from vestibule.service_kit.metrics import Metrics


class QueueGauges:
    """Asks Redis. Where that does not answer, nothing is shown."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def measure(self, metrics: Metrics) -> None:
        """Set the gauges."""
        for gauge in (QUEUE_TASKS, QUEUE_OLDEST_AGE, WORKERS_ALIVE):
            metrics.forget(gauge)
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hlen(TAKEN)
            pipeline.zcount(WORKERS_KEY, time.time() - ALIVE_FOR_S, "+inf")
            for queue in QUEUES.values():
                pipeline.llen(queue)
                # Workers take from this end.
                pipeline.lindex(queue, -1)
            reserved, workers, *queues = await pipeline.execute()
        metrics.set(QUEUE_TASKS, sum(queues[::2]), "waiting")
        metrics.set(QUEUE_TASKS, reserved, "reserved")
        metrics.set(WORKERS_ALIVE, workers)
        ages_s = [age_of(oldest) for oldest in queues[1::2] if oldest is not None]
        if None not in ages_s:
            metrics.set(QUEUE_OLDEST_AGE, max((age_s for age_s in ages_s if age_s is not None), default=0.0))


def age_of(message: bytes) -> float | None:
    """Return for how many seconds a message of the queue has waited; None where it does not say when it was sent."""
    try:
        sent_at: Any = orjson.loads(message)["headers"][SENT_AT]
        return max(0.0, time.time() - float(sent_at))
    except (ValueError, TypeError, LookupError):
        return None  # not a message of ours
