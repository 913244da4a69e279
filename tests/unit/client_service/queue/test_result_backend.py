"""What workers and Redis tell each other of a task."""

from typing import Any

import pytest

from vestibule.client_service.queue.result_backend import begin_attempt

DAY_S = 86_400


def test_attempts_are_counted(redis: Any) -> None:
    """By Redis, or by the message where that says more; what is known goes after a day."""
    assert [1, 2, 5] == [begin_attempt(redis, "a", before, DAY_S).number for before in (0, 0, 4)]
    assert 0 < redis.ttl("vestibule:task:a") <= DAY_S


@pytest.mark.parametrize("sign", ["is_cancelled", "has_ended"])
def test_what_is_over_is_not_wanted(redis: Any, sign: str) -> None:
    """A message that comes twice does nothing, though the result has gone into the ledger by then."""
    assert begin_attempt(redis, "a", 0, DAY_S).is_wanted
    redis.hset("vestibule:task:a", sign, "1")
    assert not begin_attempt(redis, "a", 0, DAY_S).is_wanted


def test_a_result_alone_says_that_it_is_over(redis: Any) -> None:
    """As workers of before leave it."""
    redis.set("celery-task-meta-a", "anything")
    assert not begin_attempt(redis, "a", 0, DAY_S).is_wanted
