"""Metrics of the queue: its depth, the age of the oldest task, and the live workers, measured at each scrape."""

import time

from redis.asyncio import Redis

from vestibule.contracts.tasks import ALIVE_FOR_S, TAKEN, WORKERS_KEY
from vestibule.scheduler_service.availability.queue_depth import age_of, queue_depth_of, read_queue_depth
from vestibule.service_kit.metrics.catalogue import QUEUE_OLDEST_AGE, QUEUE_TASKS, WORKERS_ALIVE
from vestibule.service_kit.metrics.metrics import Metrics


class QueueMetrics:
    """Measures in Redis. Where Redis does not answer, the gauges are absent."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def measure(self, metrics: Metrics) -> None:
        """Set the gauges."""
        for gauge in (QUEUE_TASKS, QUEUE_OLDEST_AGE, WORKERS_ALIVE):
            metrics.forget(gauge)
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hlen(TAKEN)
            pipeline.zcount(WORKERS_KEY, time.time() - ALIVE_FOR_S, "+inf")
            read_queue_depth(pipeline)
            reserved, workers, *answers = await pipeline.execute()
        waiting = queue_depth_of(answers)
        metrics.set(QUEUE_TASKS, sum(queue.depth for queue in waiting), "waiting")
        metrics.set(QUEUE_TASKS, reserved, "reserved")
        metrics.set(WORKERS_ALIVE, workers)
        ages_s = [age_of(queue.next) for queue in waiting if queue.next is not None]
        if None not in ages_s:
            metrics.set(QUEUE_OLDEST_AGE, max((age_s for age_s in ages_s if age_s is not None), default=0.0))
