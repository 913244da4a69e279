"""Tenants that have tasks waiting are kept apart, and workers take from them in turn."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from kombu.connection import Connection
from redis.asyncio import Redis as AsyncRedis

from vestibule.client_service.celery_app import CYCLE
from vestibule.client_service.queue.partitions import SHARED_KEY, TenantPartitions
from vestibule.client_service.queue.queue_view import QueueView
from vestibule.client_service.queue.redis_transport import PartitionCycle, QueueConnection
from vestibule.client_service.queue.task_message import TaskMessage
from vestibule.contracts.identity import DEFAULT_TENANT
from vestibule.contracts.tasks import ALL_QUEUES, PARTITIONS, QUEUES, Priority
from vestibule.service_kit.redis_settings import celery_url

MESSAGE = '{"headers": {"sent_at": %s}}'


def message(tenant: str, sent_at: float = 10.0, priority: Priority = Priority.NORMAL) -> TaskMessage:
    return TaskMessage("t", "hello", "uppercase", priority, sent_at=sent_at, tenant=tenant)


class Publisher:
    """A publisher with its own knowledge of the queue, which sends what a look at the queue needs."""

    def __init__(self, redis: AsyncRedis) -> None:
        self.redis = redis
        self.partitions = TenantPartitions(redis, QueueView(redis))

    async def send(self, tenant: str, count: int = 1, sent_at: float = 10.0, **of_message: Any) -> int:
        """Send messages and return the partition of the last."""
        for _ in range(count):
            placed = self.partitions.place(message(tenant, sent_at, **of_message))
            await self.redis.lpush(placed.queue, MESSAGE % sent_at)  # type: ignore[misc]
        return placed.partition

    async def look(self) -> None:
        await self.partitions.refresh()


@pytest.fixture
async def redis_client(redis_url: str, redis: Any) -> AsyncIterator[AsyncRedis]:
    """A client of an empty Redis."""
    redis.flushdb()
    async with AsyncRedis.from_url(redis_url) as client:
        yield client


async def test_one_tenant_alone_uses_the_queues_without_a_number(redis_client: AsyncRedis) -> None:
    """They have the names of earlier revisions, whose messages are consumed too."""
    publisher = Publisher(redis_client)
    assert 0 == await publisher.send(DEFAULT_TENANT, 50)
    await publisher.look()
    assert 0 == await publisher.send(DEFAULT_TENANT, priority=Priority.LOW)
    assert ("celery", "celery.high", "celery.low") == tuple(QUEUES[one][0] for one in ("normal", "high", "low"))
    assert {b"celery", b"celery.low", SHARED_KEY.encode()} == {*await redis_client.keys()}


async def test_tenants_with_tasks_waiting_share_no_partition(redis_client: AsyncRedis) -> None:
    """As long as there are partitions; whatever their names, and also before the queue was looked at."""
    publisher = Publisher(redis_client)
    names = [DEFAULT_TENANT, *(f"tenant-{number}" for number in range(PARTITIONS - 1))]
    assert {*range(PARTITIONS)} == {await publisher.send(name, 5) for name in names}
    await publisher.look()
    assert PARTITIONS == len({await publisher.send(name) for name in names})
    await redis_client.delete(QUEUES[Priority.NORMAL][3])
    await publisher.look()
    assert 3 == await publisher.send("one-more")


async def test_a_tenant_stays_where_its_tasks_wait(redis_client: AsyncRedis) -> None:
    """In one partition its priorities hold. It may move when its messages are gone, though others wait there."""
    publisher = Publisher(redis_client)
    first = await publisher.send("flood", 500)
    for priority in Priority:
        assert first == await publisher.send("flood", priority=priority)
        await publisher.look()
    await redis_client.delete(*ALL_QUEUES)
    await redis_client.lpush(QUEUES[Priority.NORMAL][first], MESSAGE % 11.0)  # type: ignore[misc]
    await publisher.look()
    assert first != await publisher.send("flood")


async def test_publishers_agree_on_the_partition_of_a_tenant(redis_client: AsyncRedis) -> None:
    """A second replica, or one that was started again, knows where messages of a tenant wait."""
    first, second = Publisher(redis_client), Publisher(redis_client)
    taken = await first.send("flood", 500)
    await first.look()
    await second.look()
    assert taken == await second.send("flood", sent_at=20.0)
    assert taken != await second.send("beside")


async def test_publishers_that_chose_differently_agree_soon(redis_client: AsyncRedis) -> None:
    """They place the first tasks of a tenant at the same time, and know of each other half a second later."""
    publishers = [Publisher(redis_client), Publisher(redis_client)]
    await publishers[0].send("beside", 20)
    chosen = [await one.send("flood", 20) for one in publishers]
    await publishers[0].send("flood", 20)
    for publisher in (*publishers, publishers[0]):
        await publisher.look()
    agreed = {await one.send("flood", sent_at=20.0) for one in publishers}
    assert 1 == len(agreed)
    assert agreed <= {*chosen}


async def test_nothing_is_kept_of_a_tenant_without_tasks(redis_client: AsyncRedis) -> None:
    """Neither here nor in Redis, and what is no placement there is removed."""
    publisher = Publisher(redis_client)
    partition = await publisher.send("flood", 10)
    await publisher.look()
    await redis_client.hset(SHARED_KEY, mapping={"planted": "99:x", "other": "99:1.0", "gone": "5:1.0"})  # type: ignore[misc]
    await publisher.look()
    assert {b"flood"} == {*await redis_client.hkeys(SHARED_KEY)}  # type: ignore[misc]
    assert partition == publisher.partitions.of_tenant("flood")
    await redis_client.delete(*ALL_QUEUES)
    await publisher.look()
    assert publisher.partitions.of_tenant("flood") is None
    assert not await redis_client.exists(SHARED_KEY)


def test_a_worker_takes_from_the_partitions_in_turn() -> None:
    """Higher priorities come first within a partition; a queue that is not ours comes last."""
    cycle = PartitionCycle()
    cycle.update(["other", *reversed(ALL_QUEUES)])
    first = cycle.consume(len(ALL_QUEUES) + 1)
    assert ["celery.high", "celery", "celery.low", "celery.high.1"] == first[:4]
    assert "other" == first[-1]
    cycle.rotate("celery.low")
    cycle.rotate("other")
    after = cycle.consume(len(ALL_QUEUES))
    assert ["celery.high.1", "celery.1", "celery.low.1"] == after[:3]
    assert ["celery.high", "celery", "celery.low"] == after[-3:]


def test_a_flood_holds_up_no_other_tenant(redis_url: str, redis: Any) -> None:
    """Of hundreds of one tenant and few of another, with every priority, the few are taken within as many turns."""
    redis.flushdb()
    with QueueConnection(celery_url(redis_url), transport_options={"queue_order_strategy": CYCLE}) as connection:
        sent = {"celery.high": 300, "celery": 300, "celery.low.4": 2, "celery.4": 3, "celery.high.6": 1}
        with connection.Producer() as producer:
            for queue, count in sent.items():
                for number in range(count):
                    producer.publish({"from": queue, "number": number}, routing_key=queue)
        taken: list[str] = []
        queues = [connection.SimpleQueue(name).queue for name in ALL_QUEUES]
        with connection.Consumer(queues, callbacks=[lambda body, one: (taken.append(body["from"]), one.ack())]):
            while len(taken) < 20:
                connection.drain_events(timeout=5)
    assert {"celery.high": 14, "celery.4": 3, "celery.low.4": 2, "celery.high.6": 1} == Counter(taken)
    assert ["celery.4"] * 3 + ["celery.low.4"] * 2 == [queue for queue in taken if queue.endswith(".4")]
    assert "celery.low.4" in taken[:12]


def test_other_transports_are_left_alone() -> None:
    """The order is an option of Redis."""
    with Connection("memory://", transport_options={"queue_order_strategy": CYCLE}) as connection:
        queue = connection.SimpleQueue("celery.3")
        queue.put({"number": 1})
        assert {"number": 1} == queue.get(timeout=5).payload
