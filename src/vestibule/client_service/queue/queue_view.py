"""The state of tasks in Redis: which wait, which workers have, and the results of others."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from vestibule.client_service.queue.rabbitmq_depth import RabbitMqDepth
from vestibule.client_service.queue.result_backend import (
    ENDED_KEY,
    IS_CANCELLED,
    RECORD_PREFIX,
    RESULT_PREFIX,
    STARTED_AT,
    AttemptFailed,
    parse_report,
)
from vestibule.contracts.tasks import QUEUES, SENT_AT, TAKEN, Priority

# Several processes send, each by its own clock, and messages arrive a little later.
ORDER_MARGIN_S = 5.0
REPORT_BATCH = 500
# After the ledger has the end of a task, requests that were just notified still read its result, and a worker that gets
# its message again reads its record, seconds later at most.
ENDED_RESULT_TTL_S = 600
ENDED_RECORD_TTL_S = 3_600


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """The queue at one moment: results of the given tasks, and where the others are."""

    results: Mapping[str, bytes]
    at_workers: frozenset[str]
    oldest_sent_at: Mapping[Priority, float | None]

    def is_lost(self, task_id: str, priority: Priority, sent_at: float) -> bool:
        """Say whether a task is neither in the queue nor with a worker, and has no result.

        A queue is ordered: if all waiting messages were sent later than this one, this one does not wait.
        """
        if task_id in self.results or task_id in self.at_workers:
            return False
        oldest = self.oldest_sent_at[priority]
        return oldest is None or oldest > sent_at + ORDER_MARGIN_S


@dataclass(frozen=True, slots=True)
class TaskTrace:
    """The state of one task in Redis."""

    result: bytes | None
    started_at: float | None
    is_cancelled: bool


class QueueView:
    """Looks into Redis, and into RabbitMQ where that carries the tasks.

    Every method raises `RedisError` or `OSError` where they do not answer.
    """

    def __init__(self, redis: Redis, rabbit: RabbitMqDepth | None = None, held_for_s: float = 0.0) -> None:
        """Take the clients; a worker that RabbitMQ gave a task to is done with it after `held_for_s` at the latest."""
        self._redis = redis
        self._rabbit = rabbit
        self._held_for_s = held_for_s

    async def snapshot(self, task_ids: Sequence[str]) -> QueueSnapshot:
        """Return where tasks are; a task that moves meanwhile is found twice, not missed."""
        if self._rabbit is not None:
            return await self._snapshot_with_rabbit(await self._rabbit.read(), task_ids)
        async with self._redis.pipeline(transaction=False) as pipeline:
            for queue in QUEUES.values():
                pipeline.lindex(queue, -1)
            pipeline.hvals(TAKEN)
            pipeline.mget([RESULT_PREFIX + task_id for task_id in task_ids])
            *oldest, held, results = await pipeline.execute()
        return QueueSnapshot(
            {task_id: result for task_id, result in zip(task_ids, results, strict=True) if result is not None},
            frozenset(str(_headers(message).get("id")) for message in held),
            {priority: _sent_at(message) for priority, message in zip(QUEUES, oldest, strict=True)},
        )

    async def _snapshot_with_rabbit(self, waiting: Mapping[Priority, int], task_ids: Sequence[str]) -> QueueSnapshot:
        """Return the same with RabbitMQ, which shows only how many messages wait; Redis has the started tasks.

        If some wait, each task may be among them. If none waits, a message is with a worker, and after the time that a
        worker may hold it, lost.
        """
        now = time.time()
        async with self._redis.pipeline(transaction=False) as pipeline:
            for task_id in task_ids:
                pipeline.hget(RECORD_PREFIX + task_id, STARTED_AT)
            pipeline.mget([RESULT_PREFIX + task_id for task_id in task_ids])
            *started, results = await pipeline.execute()
        started_at = zip(task_ids, started, strict=True)
        oldest = {name: 0.0 if count else now - self._held_for_s for name, count in waiting.items()}
        return QueueSnapshot(
            {task_id: result for task_id, result in zip(task_ids, results, strict=True) if result is not None},
            frozenset(task_id for task_id, at in started_at if at is not None and now - float(at) < self._held_for_s),
            oldest,
        )

    async def read(self, task_id: str) -> TaskTrace:
        """Return the state of one task in Redis."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.get(RESULT_PREFIX + task_id)
            pipeline.hmget(RECORD_PREFIX + task_id, [STARTED_AT, IS_CANCELLED])
            result, (started_at, is_cancelled) = await pipeline.execute()
        return TaskTrace(result, None if started_at is None else float(started_at), is_cancelled is not None)

    async def results(self, task_ids: Sequence[str]) -> dict[str, bytes]:
        """Return the encrypted results of those tasks that have one."""
        found: list[Any] = await self._redis.mget([RESULT_PREFIX + task_id for task_id in task_ids])
        return {task_id: result for task_id, result in zip(task_ids, found, strict=True) if result is not None}

    async def pop_reports(self, wait_s: float) -> list[str | AttemptFailed]:
        """Pop the reports of workers, waiting at most `wait_s` seconds for the first."""
        first = await self._redis.blpop([ENDED_KEY], timeout=wait_s)
        if first is None:
            return []
        more = await self._redis.lpop(ENDED_KEY, REPORT_BATCH - 1) or []
        return [parsed for report in (first[1], *more) if (parsed := _parse(report)) is not None]

    async def depth(self) -> int:
        """Return how many messages wait."""
        if self._rabbit is not None:
            return sum((await self._rabbit.read()).values())
        async with self._redis.pipeline(transaction=False) as pipeline:
            for queue in QUEUES.values():
                pipeline.llen(queue)
            return sum(await pipeline.execute())

    async def mark_cancelled(self, task_id: str, expires_s: int) -> None:
        """Mark a task so that workers skip it, and notify the requests that wait for it."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hset(RECORD_PREFIX + task_id, IS_CANCELLED, "1")
            pipeline.expire(RECORD_PREFIX + task_id, expires_s)
            pipeline.publish(RESULT_PREFIX + task_id, IS_CANCELLED)
            await pipeline.execute()

    async def expire(self, task_ids: Sequence[str]) -> None:
        """Let the results and records of tasks expire soon: the ledger has them, and they would fill Redis."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for task_id in task_ids:
                pipeline.expire(RESULT_PREFIX + task_id, ENDED_RESULT_TTL_S)
                pipeline.expire(RECORD_PREFIX + task_id, ENDED_RECORD_TTL_S)
            await pipeline.execute()

    async def forget(self, task_ids: Sequence[str]) -> None:
        """Delete results and records of tasks, so that they can run again."""
        await self._redis.delete(*(prefix + one for one in task_ids for prefix in (RECORD_PREFIX, RESULT_PREFIX)))


def _parse(report: bytes) -> str | AttemptFailed | None:
    try:
        return parse_report(report)
    except ValueError:
        return None  # not a report; a task whose report is lost is found when it becomes due


def _headers(message: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(message)
        # An unacknowledged message is stored with its exchange and its routing key.
        headers = content[0]["headers"] if isinstance(content, list) else content["headers"]
        return headers if isinstance(headers, dict) else {}
    except (ValueError, TypeError, LookupError):
        return {}


def _sent_at(message: bytes | None) -> float | None:
    """Return when the oldest message was sent; 0 if the message does not say."""
    if message is None:
        return None
    sent_at = _headers(message).get(SENT_AT)
    return float(sent_at) if isinstance(sent_at, int | float) else 0.0
