"""What Redis says of tasks, whatever it has."""

import json
import time
from typing import Any

import pytest
from redis.asyncio import Redis as AsyncRedis

from vestibule.client_service.queue.queue_view import QueueView, RabbitMqDepth
from vestibule.contracts.queue import WORKER_PREFIX, WorkerRecord
from vestibule.contracts.tasks import ALL_QUEUES, QUEUE, QUEUES, WORKERS_KEY, Priority

DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    "entry",
    [
        DEEP,
        b"9" * 5_000,
        *(b'{"headers": {"sent_at": %s}}' % sent_at for sent_at in (b"9" * 400, b"1e400", b"-1", b"NaN")),
    ],
)
async def test_an_entry_that_is_no_message_stops_no_look_at_the_others(
    redis_url: str, redis: Any, entry: bytes
) -> None:
    """Nothing is known of its age, so nothing counts as lost because of it."""
    redis.flushdb()
    redis.rpush(QUEUE, entry)
    redis.hset("unacked", mapping={"planted": entry, "ours": json.dumps([{"headers": {"id": "a"}}, "", QUEUE])})
    async with AsyncRedis.from_url(redis_url) as client:
        snapshot = await QueueView(client).snapshot(["a", "b"])
    assert "a" in snapshot.at_workers
    assert 0.0 == snapshot.oldest_sent_at[Priority.NORMAL]
    assert not snapshot.is_lost("b", Priority.NORMAL, 1_000.0)


MESSAGE = '{"headers": {"sent_at": %s}}'


async def test_all_partitions_are_seen(redis_url: str, redis: Any) -> None:
    """They count in the depth, and a task may be in any of them: it is not lost while an older one waits somewhere."""
    redis.flushdb()
    for queue in ALL_QUEUES:
        redis.lpush(queue, MESSAGE % 90.0)
    redis.lpush(QUEUES[Priority.LOW][5], MESSAGE % 91.0)
    redis.rpush(QUEUES[Priority.LOW][6], MESSAGE % 50.0)
    async with AsyncRedis.from_url(redis_url) as client:
        view = QueueView(client)
        snapshot = await view.snapshot(["a"])
        assert (26, {"high": 8, "normal": 8, "low": 10}) == (await view.depth(), await view.waiting())
        states = await view.partitions([5, 6])
    assert {"high": 90.0, "normal": 90.0, "low": 50.0} == snapshot.oldest_sent_at
    assert (True, False) == (snapshot.is_lost("a", Priority.HIGH, 60.0), snapshot.is_lost("a", Priority.LOW, 60.0))
    assert [(3, None)] * 5 + [(4, 90.0), (4, 50.0), (3, None)] == [(one.depth, one.oldest_sent_at) for one in states]


async def test_the_place_of_a_task_counts_the_turns_of_others(redis_url: str, redis: Any) -> None:
    """Those of its own partition come first by priority and age, of the others one in each turn."""
    redis.flushdb()
    redis.lpush(QUEUES[Priority.NORMAL][0], *[MESSAGE % 50.0] * 1_000)
    redis.lpush(QUEUES[Priority.HIGH][2], *[MESSAGE % 50.0] * 3)
    redis.lpush(QUEUES[Priority.LOW][2], MESSAGE % 50.0)
    redis.lpush(QUEUES[Priority.LOW][7], MESSAGE % 50.0)
    async with AsyncRedis.from_url(redis_url) as client:
        view = QueueView(client)
        places = [
            await view.place(Priority.LOW, 50.0, 2),
            await view.place(Priority.HIGH, 50.0, 2),
            await view.place(Priority.NORMAL, 50.0, None),
        ]
    # Three of high priority, four of the first partition, one of the last; an unknown place is that of a free one.
    assert [3 + 4 + 1, 0 + 1 + 1, 3] == [place.ahead for place in places]


class NoMessages(RabbitMqDepth):
    """RabbitMQ, of which workers have taken every message."""

    def __init__(self) -> None:
        """Open no connection."""

    async def read(self) -> dict[str, int]:
        """Return that none waits."""
        return dict.fromkeys(ALL_QUEUES, 0)


async def test_what_a_worker_has_reserved_from_rabbitmq_is_not_lost(redis_url: str, redis: Any) -> None:
    """It may wait for others of the worker for long; of a worker that sends no heartbeat it counts as lost."""
    redis.flushdb()
    for name, age_s in (("alive", 0.0), ("dead", 60.0), ("older", 0.0), ("broken", 0.0)):
        redis.zadd(WORKERS_KEY, {name: time.time() - age_s})
        record = WorkerRecord(name=name, host="h", version="1", processes=2, started_at=1.0, reserved=[f"of-{name}"])
        redis.set(WORKER_PREFIX + name, record.model_dump_json())
    redis.set(WORKER_PREFIX + "broken", "{")
    redis.delete(WORKER_PREFIX + "older")
    async with AsyncRedis.from_url(redis_url) as client:
        snapshot = await QueueView(client, NoMessages(), held_for_s=5.0).snapshot(["of-alive", "of-dead"])
    lost = [snapshot.is_lost(one, Priority.NORMAL, time.time() - 60) for one in ("of-alive", "of-dead")]
    assert [False, True] == lost
