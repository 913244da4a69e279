"""What Redis says of tasks, whatever it has."""

import json
from typing import Any

import pytest
from redis.asyncio import Redis as AsyncRedis

from vestibule.client_service.queue.queue_view import QueueView
from vestibule.contracts.tasks import QUEUE, Priority

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
