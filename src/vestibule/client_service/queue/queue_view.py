"""The state of tasks in the queue: which wait, which workers have, the results of others, and the keys of them all."""

import asyncio
import base64
import binascii
import json
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from amqp.exceptions import AMQPError
from kombu.exceptions import KombuError
from pydantic import ValidationError
from redis.asyncio import Redis

from vestibule.client_service.queue.application import VestibuleCelery
from vestibule.client_service.queue.result_backend import (
    ENDED_KEY,
    ENDS_CHANNEL,
    HAS_ENDED,
    IS_CANCELLED,
    RECORD_PREFIX,
    RESULT_PREFIX,
    STARTED_AT,
)
from vestibule.contracts.queue import WORKER_PREFIX, WorkerRecord
from vestibule.contracts.tasks import (
    ALIVE_FOR_S,
    ALL_QUEUES,
    PARTITIONS,
    QUEUES,
    QUEUES_BY_PARTITION,
    SENT_AT,
    TAKEN,
    WORKERS_KEY,
    Priority,
)
from vestibule.encryption import DecryptionFailed, key_id_of

# Several processes send, each by its own clock, and messages arrive a little later.
ORDER_MARGIN_S = 5.0
REPORT_BATCH = 500
# After the ledger has the end of a task, requests that were just notified still read its result, and a worker that gets
# its message again reads its record, seconds later at most.
ENDED_RESULT_TTL_S = 600
ENDED_RECORD_TTL_S = 3_600
MESSAGES_A_STEP = 500
# One command costs a client much less than one for each queue.
DEPTHS, OLDEST = (
    f"local found = {{}} for at, queue in ipairs(KEYS) do found[at] = redis.call({of_queue}) end return found"
    for of_queue in ("'LLEN', queue", "'LINDEX', queue, -1")
)
# The year 9999, after which no time can be represented.
LATEST_S = 253_370_764_800.0


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """The queue at one moment: results of the given tasks, and where the others are."""

    results: Mapping[str, bytes]
    at_workers: frozenset[str]
    oldest_sent_at: Mapping[Priority, float | None]

    def is_lost(self, task_id: str, priority: Priority, sent_at: float) -> bool:
        """Say whether a task is neither in the queue nor with a worker, and has no result.

        A queue is ordered: if all waiting messages were sent later than this one, this one does not wait. It may have
        been sent to any partition.
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


@dataclass(frozen=True, slots=True)
class PartitionState:
    """How many messages wait in a partition, and when the oldest was sent; None: it was not asked, or none waits."""

    depth: int
    oldest_sent_at: float | None = None


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """How many workers are alive, and an estimate of how many messages come before one."""

    workers: int
    ahead: int


class RabbitMqDepth:
    """Queries RabbitMQ on one connection in a thread of its own, because Celery's client is synchronous."""

    def __init__(self, producer: VestibuleCelery) -> None:
        self._celery = producer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rabbit-counts")
        self._connection: Any = None

    async def read(self) -> Mapping[str, int]:
        """Return how many messages wait in each queue, without those that workers have.

        Raises:
            OSError: RabbitMQ does not answer.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read)

    def close(self) -> None:
        """Close the connection."""
        self._thread.submit(self._drop)
        self._thread.shutdown(wait=False)

    def _read(self) -> Mapping[str, int]:
        try:
            if self._connection is None:
                self._connection = self._celery.connection_for_write()
                # Declared first, because a new broker has no queues.
                for queue in self._celery.conf.task_queues:
                    queue.bind(self._connection.default_channel).declare()
            channel = self._connection.default_channel
            return {queue: channel.queue_declare(queue, passive=True).message_count for queue in ALL_QUEUES}
        except (AMQPError, KombuError, OSError) as error:
            self._drop()
            raise ConnectionError(f"RabbitMQ does not answer ({type(error).__name__})") from error

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.collect()


class QueueView:
    """Reads the state of the queue from Redis, and from RabbitMQ if that is the broker.

    Every method raises `RedisError` or `OSError` if they do not answer.
    """

    def __init__(self, redis: Redis, rabbit: RabbitMqDepth | None = None, held_for_s: float = 0.0) -> None:
        """Take the clients; with RabbitMQ, a worker holds a message for at most `held_for_s`."""
        self._redis = redis
        self._rabbit = rabbit
        self._held_for_s = held_for_s

    async def snapshot(self, task_ids: Sequence[str]) -> QueueSnapshot:
        """Return where tasks are; a task that moves during the call is found twice, not missed."""
        if self._rabbit is not None:
            return await self._snapshot_with_rabbit(await self.waiting(), task_ids)
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.eval(OLDEST, len(ALL_QUEUES), *ALL_QUEUES)
            pipeline.hvals(TAKEN)
            pipeline.mget([RESULT_PREFIX + task_id for task_id in task_ids])
            heads, held, results = await pipeline.execute()
        sent_at = dict(zip(ALL_QUEUES, map(_sent_at, heads), strict=True))
        return QueueSnapshot(
            {task_id: result for task_id, result in zip(task_ids, results, strict=True) if result is not None},
            frozenset(str(_headers(message).get("id")) for message in held),
            {priority: _first([sent_at[queue] for queue in queues]) for priority, queues in QUEUES.items()},
        )

    async def _snapshot_with_rabbit(self, waiting: Mapping[Priority, int], task_ids: Sequence[str]) -> QueueSnapshot:
        """Return the same with RabbitMQ, which shows only how many messages wait; Redis has the started tasks.

        If some wait, each task may be among them. If none waits, a message is with a worker, and after the time that a
        worker may hold it, lost. A worker says itself which tasks it has and has not started.
        """
        reserved = await self._reserved()
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
            reserved | {task_id for task_id, at in started_at if now - (_time_of(at) or 0.0) < self._held_for_s},
            oldest,
        )

    async def _reserved(self) -> frozenset[str]:
        """Return the tasks that live workers have and have not started."""
        names: Any = await self._redis.zrangebyscore(WORKERS_KEY, time.time() - ALIVE_FOR_S, "+inf")
        records: Any = await self._redis.mget([WORKER_PREFIX + name.decode() for name in names]) if names else []
        return frozenset(task_id for record in records for task_id in _reserved_in(record))

    async def read(self, task_id: str) -> TaskTrace:
        """Return the state of one task in Redis."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.get(RESULT_PREFIX + task_id)
            pipeline.hmget(RECORD_PREFIX + task_id, [STARTED_AT, IS_CANCELLED])
            result, (started_at, is_cancelled) = await pipeline.execute()
        return TaskTrace(result, _time_of(started_at), is_cancelled is not None)

    async def results(self, task_ids: Sequence[str]) -> dict[str, bytes]:
        """Return the encrypted results of those tasks that have one."""
        found: list[Any] = await self._redis.mget([RESULT_PREFIX + task_id for task_id in task_ids])
        return {task_id: result for task_id, result in zip(task_ids, found, strict=True) if result is not None}

    async def pop_reports(self, wait_s: float) -> list[bytes]:
        """Pop the reports of workers, waiting at most `wait_s` seconds for the first."""
        first = await self._redis.blpop([ENDED_KEY], timeout=wait_s)
        if first is None:
            return []
        more: Any = await self._redis.lpop(ENDED_KEY, REPORT_BATCH - 1)
        return [first[1], *(more or ())]

    async def depth(self) -> int:
        """Return how many messages wait."""
        return sum((await self._depths()).values())

    async def waiting(self) -> Mapping[Priority, int]:
        """Return how many messages wait for each priority, without those that workers have."""
        depths = await self._depths()
        return {priority: sum(depths[queue] for queue in queues) for priority, queues in QUEUES.items()}

    async def _depths(self) -> Mapping[str, int]:
        if self._rabbit is not None:
            return await self._rabbit.read()
        depths: Any = await self._redis.eval(DEPTHS, len(ALL_QUEUES), *ALL_QUEUES)
        return dict(zip(ALL_QUEUES, depths, strict=True))

    async def partitions(self, with_oldest: Collection[int] = ()) -> list[PartitionState]:
        """Return the state of each partition; when their oldest messages were sent, of those `with_oldest` only.

        RabbitMQ does not show when any was sent.
        """
        asked = [queue for number in with_oldest for queue in QUEUES_BY_PARTITION[number]] if not self._rabbit else []
        depths = await self._depths()
        heads: Any = await self._redis.eval(OLDEST, len(asked), *asked) if asked else []
        sent_at = dict(zip(asked, map(_sent_at, heads), strict=True))
        return [
            PartitionState(sum(depths[queue] for queue in queues), _first([sent_at.get(queue) for queue in queues]))
            for queues in QUEUES_BY_PARTITION
        ]

    async def place(self, priority: Priority, sent_at: float, partition: int | None) -> QueuePlace:
        """Estimate the place in the queue of a message that was sent at that time, the first or the only time.

        The messages of its priority in its partition are assumed to have been sent at even intervals, and each other
        partition to have as many turns as its own. RabbitMQ does not show when any was sent, so with it all of them are
        assumed to come first. Without a `partition`, none is known to wait in the one where the message is.
        """
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.zcount(WORKERS_KEY, time.time() - ALIVE_FOR_S, "+inf")
            pipeline.lindex(QUEUES[priority][partition or 0], -1)
            workers, oldest = await pipeline.execute()
        depths = await self._depths()
        ahead, order = 0, list(QUEUES)
        if partition is not None:
            waiting = [depths[queue] for queue in QUEUES_BY_PARTITION[partition]]
            higher, same = sum(waiting[: order.index(priority)]), waiting[order.index(priority)]
            ahead = higher + _earlier(same, _sent_at(oldest), sent_at)
        others = [QUEUES_BY_PARTITION[number] for number in range(PARTITIONS) if number != partition]
        turns = sum(min(ahead + 1, sum(depths[queue] for queue in queues)) for queues in others)
        return QueuePlace(int(workers), ahead + turns)

    async def mark_cancelled(self, task_id: str, expires_s: int) -> None:
        """Mark a task so that workers skip it, and notify the requests that wait for it."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hset(RECORD_PREFIX + task_id, IS_CANCELLED, "1")
            pipeline.expire(RECORD_PREFIX + task_id, expires_s)
            pipeline.publish(RESULT_PREFIX + task_id, IS_CANCELLED)
            pipeline.publish(ENDS_CHANNEL, task_id)
            await pipeline.execute()

    async def expire(self, task_ids: Sequence[str]) -> None:
        """Let the results and records of tasks expire soon: the ledger has them, and they would fill Redis."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for task_id in task_ids:
                pipeline.expire(RESULT_PREFIX + task_id, ENDED_RESULT_TTL_S)
                pipeline.expire(RECORD_PREFIX + task_id, ENDED_RECORD_TTL_S)
            await pipeline.execute()

    async def revive(self, task_ids: Sequence[str]) -> set[str]:
        """Let workers run lost tasks although they have ended once, and return those that were cancelled."""
        async with self._redis.pipeline(transaction=False) as pipeline:
            for task_id in task_ids:
                pipeline.hdel(RECORD_PREFIX + task_id, HAS_ENDED)
                pipeline.hget(RECORD_PREFIX + task_id, IS_CANCELLED)
            # A record of another kind than ours holds up no other task.
            answers = await pipeline.execute(raise_on_error=False)
        return {task_id for task_id, mark in zip(task_ids, answers[1::2], strict=True) if isinstance(mark, bytes)}

    async def forget(self, task_ids: Sequence[str]) -> None:
        """Delete results and records of tasks, so that they can run again."""
        await self._redis.delete(*(prefix + one for one in task_ids for prefix in (RECORD_PREFIX, RESULT_PREFIX)))


def count_queue_keys(redis: Any) -> Counter[str]:
    """Return how many messages and results each key has encrypted, by its id; `redis` is a synchronous client."""
    counts: Counter[str] = Counter()
    for envelope in _envelopes(redis):
        try:
            counts[key_id_of(envelope)] += 1
        except DecryptionFailed:
            continue  # no key decrypts it, so it needs none
    return counts


def _envelopes(redis: Any) -> Iterator[bytes]:
    # A task moves from the queue to the unacknowledged messages and on to the results. In this order, one that moves
    # meanwhile is counted twice, not missed.
    for queue in ALL_QUEUES:
        for start in range(0, redis.llen(queue), MESSAGES_A_STEP):
            for message in redis.lrange(queue, start, start + MESSAGES_A_STEP - 1):
                yield _body_of(message)
    for _tag, kept in redis.hscan_iter(TAKEN):
        yield _body_of(kept)
    for key in redis.scan_iter(RESULT_PREFIX + "*", count=1000):
        yield redis.getrange(key, 0, 255)


def _content(message: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(message)
        # An unacknowledged message is stored with its exchange and its routing key.
        found = content[0] if isinstance(content, list) else content
    except (ValueError, LookupError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _headers(message: bytes) -> Mapping[str, Any]:
    headers = _content(message).get("headers")
    return headers if isinstance(headers, dict) else {}


def _body_of(message: bytes) -> bytes:
    try:
        return base64.b64decode(_content(message).get("body", ""))
    except (ValueError, TypeError, binascii.Error):
        return b""


def _time_of(text: bytes | float | None) -> float | None:
    """Return a time of a record; None if it has none that a worker could have written."""
    try:
        seconds = float(text or b"nan")
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds < LATEST_S else None


def _reserved_in(record: bytes | None) -> list[str]:
    try:
        return [] if record is None else WorkerRecord.model_validate_json(record).reserved
    except ValidationError:
        return []


def _first(sent_at: Sequence[float | None]) -> float | None:
    """Return the earliest of those times that are known."""
    return min((one for one in sent_at if one is not None), default=None)


def _earlier(waiting: int, oldest: float | None, sent_at: float) -> int:
    """Return about how many of `waiting` messages were sent before `sent_at`, of which the oldest is known."""
    others = max(0, waiting - 1)
    if not oldest:
        return others
    span_s = max(time.time() - oldest, 1e-6)
    return round(others * min(1.0, max(0.0, (sent_at - oldest) / span_s)))


def _sent_at(message: bytes | None) -> float | None:
    """Return when the oldest message was sent; 0 if the message does not say."""
    if message is None:
        return None
    sent_at = _headers(message).get(SENT_AT)
    return (isinstance(sent_at, int | float) and _time_of(sent_at)) or 0.0
