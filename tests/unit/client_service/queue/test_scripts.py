"""Scripts on a connection of their own give the answers that the client gives."""

from collections.abc import Iterator

import pytest
from redis import Redis
from redis.exceptions import ResponseError

from vestibule.client_service.queue.scripts import DirectScripts

COUNT = "return redis.call('INCRBY', KEYS[1], ARGV[1])"


@pytest.fixture
def scripts(redis_url: str, redis: Redis) -> Iterator[DirectScripts]:
    """Scripts in an empty Redis that has seen none."""
    redis.script_flush()
    with Redis.from_url(redis_url, client_name="scripts") as client:
        yield DirectScripts(client)


def test_a_script_runs(scripts: DirectScripts, redis: Redis) -> None:
    """Also after Redis has forgotten it; each call has its effect once."""
    assert [2, 4, 6] == [scripts.eval(COUNT, 1, "count", 2) for _ in range(3)]
    redis.script_flush()
    assert [8, 10] == [scripts.eval(COUNT, 1, "count", 2) for _ in range(2)]


def test_a_lost_connection_is_replaced(scripts: DirectScripts, redis: Redis) -> None:
    """As the client does it: nobody hears of it."""
    assert 2 == scripts.eval(COUNT, 1, "count", 2)
    redis.client_kill_filter(_type="normal", skipme=True)
    assert [4, 6] == [scripts.eval(COUNT, 1, "count", 2) for _ in range(2)]


def test_a_refusal_is_told(scripts: DirectScripts, redis: Redis) -> None:
    """It is no matter of the connection, which goes on."""
    redis.set("count", "no number")
    for _ in range(2):
        with pytest.raises(ResponseError, match="not an integer"):
            scripts.eval(COUNT, 1, "count", 2)
    assert 2 == scripts.eval(COUNT, 1, "other", 2)


def test_a_reply_that_nobody_read_is_no_answer(
    scripts: DirectScripts, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is told to end may be between a question and its answer."""
    scripts.eval(COUNT, 1, "count", 2)

    def end() -> None:
        raise SystemExit

    monkeypatch.setattr(scripts._connection, "read_response", end)
    with pytest.raises(SystemExit):
        scripts.eval(COUNT, 1, "count", 2)
    monkeypatch.undo()
    assert 9 == scripts.eval(COUNT, 1, "other", 9)
    assert b"4" == redis.get("count")
