"""The counts by minute: what processes add, once, and what is read of it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis.asyncio import Redis

from vestibule.client_service.decisions import rates
from vestibule.client_service.decisions.rates import RateCounter, RateReader
from vestibule.contracts.decisions import Action
from vestibule.contracts.errors import Unavailable
from vestibule.policy.decision_log import DecisionLog

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()


@pytest.fixture
async def connection(redis_url: str, redis: object) -> AsyncIterator[Redis]:
    """A connection to an empty Redis."""
    async with Redis.from_url(redis_url) as opened:
        yield opened


def _log(tmp_path: Path) -> DecisionLog:
    return DecisionLog(tmp_path, 7, lambda _error, _lines: None)


async def _add(counter: RateCounter, redis: Redis) -> None:
    pipeline = redis.pipeline(transaction=False)
    counter.add_to(pipeline)
    await pipeline.execute()


async def test_processes_add_up_and_tenants_see_their_own(connection: Redis, tmp_path: Path) -> None:
    """Each count is added once, in the minute in which it was made; a minute without any is there with zeros."""
    now = NOON
    logs = [_log(tmp_path), _log(tmp_path)]
    counters = [RateCounter(one, lambda: now) for one in logs]
    for log, counter in zip(logs, counters, strict=True):
        log.clean["t", "/add", "p", "d"] += 3
        log.clean["t", "/run", "p", "d"] += 1
        log.recorded["t", Action.BLOCK] += 1
        log.recorded["u", Action.REDACT] += 2
        log.recorded["u", None] += 5  # a clean decision that the policy keeps
        await _add(counter, connection)
    now += 120
    logs[0].clean["t", "/add", "p", "d"] += 1
    for counter in counters:
        await _add(counter, connection)
    reader = RateReader(connection, lambda: now)
    own = (await reader.read("t", 3)).minutes
    assert [(8, {Action.BLOCK: 2}), (0, {}), (1, {})] == [(one.clean, one.actions) for one in own]
    assert [0, 60, 120] == [one.at.timestamp() - NOON for one in own]
    of_all = (await reader.read(None, 3)).minutes
    assert (18, {Action.BLOCK: 2, Action.REDACT: 4}) == (of_all[0].clean, of_all[0].actions)
    assert [0] == [one.clean for one in (await reader.read("nobody", 1)).minutes]
    for key in await connection.keys(f"{rates.PREFIX}*"):
        assert 24 * 3600 < await connection.ttl(key) <= rates.KEPT_FOR_S


async def test_what_a_lost_redis_did_not_get_is_not_added_later(connection: Redis, tmp_path: Path) -> None:
    """A minute after an outage does not hold what was decided in all of it."""
    log = _log(tmp_path)
    counter = RateCounter(log)
    log.clean["t", "/add", "p", "d"] += 1000
    counter.add_to(connection.pipeline())  # never sent
    log.clean["t", "/add", "p", "d"] += 1
    await _add(counter, connection)
    assert [1] == [one.clean for one in (await RateReader(connection).read("t", 1)).minutes]


async def test_a_redis_that_is_away_is_named() -> None:
    """The caller learns which part does not answer."""
    with pytest.raises(Unavailable):
        await RateReader(Redis(port=1)).read("t", 60)
