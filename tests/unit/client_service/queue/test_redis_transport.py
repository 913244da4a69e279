"""What a worker notes of its messages: all of it arrives, in its order, and without a round trip for each."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from kombu.connection import Connection
from redis import Redis
from redis.exceptions import ConnectionError

from vestibule.client_service.queue.redis_transport import AckStream, EndOutbox, QueueConnection, SentinelTransport
from vestibule.service_kit.redis_settings import celery_url

MESSAGES = 5


@pytest.fixture
def queue(redis_url: str, redis: "Redis") -> Iterator[Any]:
    """A queue with some messages, on a connection of ours."""
    redis.flushdb()
    with QueueConnection(celery_url(redis_url), transport_options={"visibility_timeout": 60}) as connection:
        queue = connection.SimpleQueue("celery")
        for number in range(MESSAGES):
            queue.put({"number": number})
        yield queue
        queue.close()


def held(redis: "Redis") -> tuple[int, int]:
    """Return how many messages are noted as taken, in each of the two places."""
    return redis.hlen("unacked"), redis.zcard("unacked_index")


def test_what_is_taken_is_noted_and_what_is_done_is_forgotten(queue: Any, redis: "Redis") -> None:
    """At the next turn of the event loop at the latest, and when the channel closes."""
    messages = [queue.get(timeout=5) for _ in range(3)]
    queue.channel.notes.settle()
    assert (3, 3) == held(redis)
    for message in messages:
        message.ack()
    assert (3, 3) == held(redis)
    queue.channel.close()
    assert (0, 0) == held(redis)
    assert MESSAGES - 3 == redis.llen("celery")


def test_a_message_that_was_just_taken_can_be_given_back(queue: Any, redis: "Redis") -> None:
    """It is noted first, so that it is there to be given back, and goes before those that wait."""
    message = queue.get(timeout=5)
    message.requeue()
    assert MESSAGES == redis.llen("celery")
    assert (0, 0) == held(redis)


def test_unacknowledged_messages_return_to_the_queue_at_the_end(queue: Any, redis: "Redis") -> None:
    """As kombu's own transport has it."""
    queue.get(timeout=5)
    queue.channel.close()
    assert MESSAGES == redis.llen("celery")
    assert (0, 0) == held(redis)


def test_an_acknowledgement_after_the_end_of_its_channel_disturbs_nothing(queue: Any, redis: "Redis") -> None:
    """A task goes on when its worker gets a new connection; its message is given out again, and skipped as done."""
    message = queue.get(timeout=5)
    channel = queue.channel
    channel.close()
    channel.close()
    channel.qos.ack(message.delivery_tag)
    assert MESSAGES == redis.llen("celery")


def test_an_entry_that_is_no_message_is_dropped(queue: Any, redis: "Redis") -> None:
    """Who can write to Redis ends no worker: a worker that ended for each would soon be restarted after minutes."""
    message = json.loads(redis.lrange("celery", 0, 0)[0])
    damaged: list[dict[str, Any]] = [
        message | {"properties": ["none"]},
        message | {"body": 5},
        message | {"properties": message["properties"] | {"delivery_tag": {}}},
        message | {"properties": message["properties"] | {"delivery_tag": None}},
        message | {"properties": message["properties"] | {"delivery_info": None}},
        {key: value for key, value in message.items() if key != "properties"},
    ]
    for entry in (
        b"garbage",
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"9" * 5_000,
        b"[" * 100_000,
        *map(json.dumps, damaged),
    ):
        redis.rpush("celery", entry)
    assert list(range(MESSAGES)) == [queue.get(timeout=5).payload["number"] for _ in range(MESSAGES)]
    queue.channel.notes.settle()
    assert (MESSAGES, MESSAGES) == held(redis)


def test_an_error_after_the_message_was_read_is_not_hidden(queue: Any) -> None:
    """It is one of the worker, which celery handles."""

    def fail(_message: Any) -> None:
        raise ValueError("of the worker")

    queue.consumer.callbacks = []
    queue.consumer.on_message = fail
    with pytest.raises(ValueError, match="of the worker"):
        queue.get(timeout=5)


@pytest.mark.parametrize("kept", [b"garbage", b"", b"[" * 100_000, b"[1, 2]", b"7", b"\xff"])
def test_what_was_not_taken_from_the_queue_holds_up_no_message(queue: Any, redis: "Redis", kept: bytes) -> None:
    """It is dropped, and the messages that are restored after it return to the queue."""
    taken = queue.get(timeout=5)
    queue.channel.notes.settle()
    redis.zadd("unacked_index", {taken.delivery_tag: 1.0})
    redis.hset("unacked", "planted", kept)
    redis.zadd("unacked_index", {"planted": 2.0})
    queue.channel.qos.restore_visible()
    assert MESSAGES == redis.llen("celery")
    assert (0, 0) == held(redis)


def test_a_refused_note_disturbs_no_other(redis: "Redis") -> None:
    """A full Redis refuses some; the answers to the others are still theirs."""
    redis.flushdb()
    notes = AckStream(redis.connection_pool, EndOutbox())
    notes.add(("SET", "text", "1"), ("HSET", "text", "field", "1"), ("SADD", "members", "one"))
    notes.settle()
    notes.add(("SADD", "members", "two"))
    notes.settle()
    assert {b"one", b"two"} == redis.smembers("members")


def test_many_notes_are_one_packet(redis: "Redis") -> None:
    """Redis reads once for all commands of a turn of the event loop, and the worker does not wait for replies."""
    notes = AckStream(redis.connection_pool, EndOutbox())
    notes.add(("SET", "text", "0"))
    notes.settle()
    before = redis.info("stats")["total_reads_processed"]
    for number in range(20):
        notes.add(("SET", "text", number))
    notes.settle()
    assert b"19" == redis.get("text")
    # The packet, the question before it, the one for the text, and this one.
    assert redis.info("stats")["total_reads_processed"] - before <= 4


def test_an_end_goes_before_what_was_noted(redis: "Redis") -> None:
    """Whoever gets an acknowledged message again finds its end, and nothing is sent twice."""
    redis.flushdb()
    ends = EndOutbox()
    notes = AckStream(redis.connection_pool, ends)
    notes.add(("RPUSH", "order", "acknowledged"))
    ends.add(("RPUSH", "order", "end"))
    notes.settle()
    notes.settle()
    assert [b"end", b"acknowledged"] == redis.lrange("order", 0, -1)
    assert not ends


def test_an_end_without_an_answer_is_sent_again(redis_url: str, redis: "Redis") -> None:
    """By the next connection, whether the first one notices its loss, ends in order, or is never used again."""
    redis.flushdb()
    ends = EndOutbox()
    with Redis.from_url(redis_url, client_name="lost", retry=None) as lost, Redis.from_url(redis_url) as other:
        first, second = AckStream(lost.connection_pool, ends), AckStream(other.connection_pool, ends)
        ends.add(("RPUSH", "ends", "a"))
        first.send()
        ends.add(("RPUSH", "ends", "b"))
        second.settle()
        assert [b"a", b"a", b"b"] == redis.lrange("ends", 0, -1)
        # What the second one has sent is answered, whatever becomes of the first.
        first.settle()
        assert not ends
        ends.add(("RPUSH", "ends", "c"))
        redis.client_kill_filter(_id=_connection_named(redis, "lost"))
        with pytest.raises(ConnectionError):
            first.settle()
        assert ends
        second.settle()
        assert [b"a", b"a", b"b", b"c"] == redis.lrange("ends", 0, -1)
        assert not ends


def _connection_named(redis: "Redis", name: str) -> str:
    return next(str(one["id"]) for one in redis.client_list() if one["name"] == name)


def test_other_ways_are_left_alone() -> None:
    """Only kombu's transports for Redis are replaced."""
    assert SentinelTransport is QueueConnection("sentinel://localhost:26379/0").get_transport_cls()
    memory = Connection("memory://").get_transport_cls()  # type: ignore[no-untyped-call]
    assert memory is QueueConnection("memory://").get_transport_cls()
