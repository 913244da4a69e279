"""What a process hears of the ends of the tasks that it has accepted, over a real Redis."""

from collections.abc import AsyncIterator

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import OutOfMemoryError

from ends import DAY_S, SOON_S, accepted, end, expected_by, hearing
from vestibule.client_service.queue import end_listener
from vestibule.client_service.queue.end_listener import MAX_EXPECTED, TaskEndListener
from vestibule.client_service.queue.queue_view import QueueView
from vestibule.client_service.queue.result_backend import MAX_PUBLISHED_BYTES


@pytest.fixture
async def client(redis_url: str, redis: Redis) -> AsyncIterator[AsyncRedis]:
    """A client of the empty Redis."""
    async with AsyncRedis.from_url(redis_url) as client:
        yield client


@pytest.fixture
async def listener(client: AsyncRedis, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TaskEndListener]:
    """A listener that hears of ends."""
    # A busy machine may take longer.
    monkeypatch.setattr(end_listener, "KEPT_FOR_S", SOON_S)
    async with hearing(client, redis) as listener:
        yield listener


async def test_a_result_comes_with_the_end(listener: TaskEndListener, redis: Redis) -> None:
    """To requests that wait, and to one that comes right after it; what else the end leaves in Redis stays the same."""
    expected, channel = expected_by(listener)
    task_id = expected.task.task_id
    end(redis, task_id, b"sealed", channel)
    assert [b"sealed", b"sealed"] == [await expected.result(SOON_S) for _ in range(2)]
    assert listener.find_expected(task_id) is expected
    assert (b"sealed", b"1") == (
        redis.get(f"celery-task-meta-{task_id}"),
        redis.hget(f"vestibule:task:{task_id}", "has_ended"),
    )
    end(redis, task_id, b"another", None)
    assert b"sealed" == redis.get(f"celery-task-meta-{task_id}")
    assert [task_id.encode()] * 2 == redis.lrange("vestibule:ended", 0, -1)


async def test_the_result_that_stays_is_believed(listener: TaskEndListener, redis: Redis) -> None:
    """An end that comes twice may have another result, and one that Redis refused is none."""
    expected, channel = expected_by(listener)
    end(redis, expected.task.task_id, b"first", None)
    end(redis, expected.task.task_id, b"second", channel)
    assert await expected.result(SOON_S) is None
    assert expected.has_changed.is_set()
    refused, channel = expected_by(listener)
    redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(OutOfMemoryError):
            end(redis, refused.task.task_id, b"refused", channel)
    finally:
        redis.config_set("maxmemory", 0)
    end(redis, refused.task.task_id, b"sealed", channel)
    assert await refused.result(SOON_S) == b"sealed"


async def test_nothing_is_expected_while_nobody_waits(client: AsyncRedis) -> None:
    """An end that nobody asks for costs this process nothing."""
    task, listener = accepted(), TaskEndListener(client)
    assert listener.expect(task) is None
    assert listener.find_expected(task.task_id) is None


async def test_a_cancelled_task_is_looked_up(listener: TaskEndListener, client: AsyncRedis, redis: Redis) -> None:
    """Whoever cancelled it; what a worker makes of it later is not believed."""
    expected, channel = expected_by(listener)
    await QueueView(client).mark_cancelled(expected.task.task_id, DAY_S)
    end(redis, expected.task.task_id, b"sealed", channel)
    assert await expected.result(SOON_S) is None
    assert listener.find_expected(expected.task.task_id) is None


async def test_after_a_lost_connection_a_task_is_looked_up(listener: TaskEndListener, redis: Redis) -> None:
    """Its end, or that it was cancelled, may have been published meanwhile."""
    expected, _channel = expected_by(listener)
    redis.client_kill_filter(_type="pubsub")
    assert await expected.result(SOON_S) is None
    assert expected.has_changed.is_set()


async def test_a_long_result_is_looked_up(listener: TaskEndListener, redis: Redis) -> None:
    """Its end is known at once."""
    expected, channel = expected_by(listener)
    end(redis, expected.task.task_id, b"x" * (MAX_PUBLISHED_BYTES + 1), channel)
    assert await expected.result(SOON_S) is None
    assert expected.has_changed.is_set()


async def test_few_ends_are_expected_at_the_same_time(listener: TaskEndListener) -> None:
    """The oldest is forgotten, and whoever waits for it looks it up."""
    expected, _channel = expected_by(listener)
    for _ in range(MAX_EXPECTED):
        listener.expect(accepted())
    assert await expected.result(SOON_S) is None
    assert listener.find_expected(expected.task.task_id) is None
