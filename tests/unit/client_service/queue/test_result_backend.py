"""What workers and Redis tell each other of a task."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from celery.app.task import Context

from vestibule.client_service.celery_app import create_consumer
from vestibule.client_service.queue.application import encrypt_content
from vestibule.client_service.queue.result_backend import (
    MAX_HELD_BYTES,
    REPORT,
    AttemptFailed,
    StartedAttempt,
    begin_attempt,
    parse_report,
)
from vestibule.client_service.settings import ClientSettings
from vestibule.client_service.task_service.outcomes import open_outcome
from vestibule.encryption import Cipher

DAY_S = 86_400


def test_attempts_are_counted(redis: Any) -> None:
    """By Redis, or by the message where that says more; what is known goes after a day."""
    assert [1, 2, 5] == [begin_attempt(redis, "a", before, DAY_S).number for before in (0, 0, 4)]
    assert 0 < redis.ttl("vestibule:task:a") <= DAY_S


@pytest.mark.parametrize("sign", ["is_cancelled", "has_ended"])
def test_what_is_over_is_not_wanted(redis: Any, sign: str) -> None:
    """A message that comes twice does nothing, and leaves what is known of the task as it is."""
    assert begin_attempt(redis, "a", 0, DAY_S).is_wanted
    redis.hset("vestibule:task:a", sign, "1")
    redis.expire("vestibule:task:a", 60)
    before = redis.hgetall("vestibule:task:a")
    assert not begin_attempt(redis, "a", 0, DAY_S).is_wanted
    assert (before, True) == (redis.hgetall("vestibule:task:a"), redis.ttl("vestibule:task:a") <= 60)


def test_a_paused_task_is_not_started(redis: Any) -> None:
    """By its processor or with the whole queue; what is known of it stays, and a cancelled one is not wanted still."""
    assert 1 == begin_attempt(redis, "a", 0, DAY_S, "redact").number
    before = redis.hgetall("vestibule:task:a")
    redis.hset("vestibule:paused", mapping={"*": "1:0", "redact": "3:1"})
    assert StartedAttempt(1, is_wanted=True, is_paused=True) == begin_attempt(redis, "a", 0, DAY_S, "redact")
    assert not begin_attempt(redis, "b", 0, DAY_S, "uppercase", needs_marks=True).is_paused
    redis.hset("vestibule:paused", "*", "2:1")
    assert StartedAttempt(0, is_wanted=True, is_paused=True) == begin_attempt(redis, "c", 0, DAY_S, "uppercase")
    redis.hset("vestibule:task:d", "is_cancelled", "1")
    assert not begin_attempt(redis, "d", 0, DAY_S, "redact").is_wanted
    assert (before, False) == (redis.hgetall("vestibule:task:a"), bool(redis.exists("vestibule:task:c")))


def test_a_lost_copy_of_the_pauses(redis: Any) -> None:
    """Only a worker whose messages outlive Redis waits for the copy."""
    assert not begin_attempt(redis, "a", 0, DAY_S, "redact").is_paused
    assert begin_attempt(redis, "b", 0, DAY_S, "redact", needs_marks=True).is_paused


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("WorkerLost", "WorkerLost"),
        ("any text", "TaskFailed"),
        ("TaskInterrupted:http_503", "TaskInterrupted:http_503"),
        ("TaskInterrupted:any text", "TaskInterrupted"),
        ("any text:timeout", "TaskFailed:timeout"),
    ],
)
def test_a_failed_attempt_is_believed_of_workers_alone(cipher: Cipher, kind: str, known: str) -> None:
    """Its report is encrypted, and its kind is one of a list; who can only write to Redis reports nothing."""
    task_id = str(uuid4())
    sealed = encrypt_content(cipher, [task_id, kind, 2], REPORT)
    assert AttemptFailed(task_id, known, 2) == parse_report(cipher, sealed)
    later = encrypt_content(cipher, [task_id, kind, 2, 90.5], REPORT)
    assert AttemptFailed(task_id, known, 2, 90.5) == parse_report(cipher, later)
    told = encrypt_content(cipher, [task_id, kind, 2, 0.0, "worker1@host", 5.0], REPORT)
    assert AttemptFailed(task_id, known, 2, 0.0, "worker1@host", 5.0) == parse_report(cipher, told)
    assert task_id == parse_report(cipher, task_id.encode())
    for forged in (f"{task_id} {kind} 99", "any text", "x" * 36, encrypt_content(cipher, [task_id, kind, 2])):
        with pytest.raises(ValueError, match=r"UUID|hexadecimal|encrypted as a report"):
            parse_report(cipher, forged.encode() if isinstance(forged, str) else forged)


@pytest.fixture
def backend(settings: ClientSettings, cipher: Cipher) -> Iterator[Any]:
    """The results of a worker."""
    app = create_consumer(settings, cipher)
    yield app.backend
    app.close()


def test_a_process_of_a_pool_holds_its_result(backend: Any, redis: Any, cipher: Cipher) -> None:
    """For its parent to write; it is held once."""
    task_id = str(uuid4())
    backend.hold_ends()
    backend.store_result(task_id, "TEXT", "SUCCESS", request=Context(attempt=1, end_channel="vestibule:ends:1"))
    assert [] == redis.keys("*")
    end = backend.take_end()
    assert ("TEXT", "vestibule:ends:1") == (open_outcome(cipher, task_id, end.result).result, end.channel)
    assert backend.take_end() is None
    redis.execute_command(*end.command(60))
    assert end.result == redis.get(f"celery-task-meta-{task_id}")


def test_what_is_no_short_result_is_written_at_once(backend: Any, redis: Any) -> None:
    """A failure is rare, and a long result would hold up the parent."""
    backend.hold_ends()
    failed, long = str(uuid4()), str(uuid4())
    backend.store_result(failed, ValueError("bad"), "FAILURE", request=Context())
    backend.store_result(long, "x" * MAX_HELD_BYTES, "SUCCESS", request=Context())
    assert backend.take_end() is None
    assert [failed.encode(), long.encode()] == redis.lrange("vestibule:ended", 0, -1)
