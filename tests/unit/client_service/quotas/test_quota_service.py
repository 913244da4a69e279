"""Quotas: what is over one is refused with the time to wait, over all replicas; what has none is not counted."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis.asyncio import Redis

from vestibule.client_service.quotas.quota_service import QuotaService
from vestibule.contracts.errors import QuotaExceeded
from vestibule.contracts.tokens import Quota
from vestibule.service_kit.auth.authentication import Caller
from vestibule.service_kit.auth.token_uses import TokenUseLog

CALLER = Caller("t1", "importer", frozenset({"add"}), "acme", quota=Quota(requests_per_minute=10))
OTHER = Caller("t2", "importer", frozenset({"add"}), "acme")
# The first second of a minute.
START_S = 1_800_000_000.0


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = START_S

    def __call__(self) -> float:
        return self.now_s


def admitted(quotas: QuotaService, caller: Caller, times: int) -> int:
    """Return how many of so many requests are admitted."""
    count = 0
    for _ in range(times):
        try:
            quotas.admit(caller)
            count += 1
        except QuotaExceeded:
            pass
    return count


async def none_under_way(_kind: str, _name: str, _limit: int) -> int:
    return 0


def test_a_minute_has_its_quota() -> None:
    """The next request says which quota it is over, how high that is, and when the next minute begins."""
    clock, uses = Clock(), TokenUseLog()
    quotas = QuotaService(lambda: {}, uses, clock)
    assert 10 == admitted(quotas, CALLER, 12)
    clock.now_s += 2.5
    with pytest.raises(QuotaExceeded) as refused:
        quotas.admit(CALLER)
    assert 58 == refused.value.retry_after_s
    assert {"quota": "requests_per_minute", "of": "token", "limit": 10} == refused.value.extra
    assert {"t1": 3} == uses.refused
    clock.now_s = START_S + 60
    assert 10 == admitted(quotas, CALLER, 12)


def test_a_tenant_has_one_quota_for_all_its_tokens() -> None:
    """What one token of a tenant uses is missing for another; a refused request counts in neither account."""
    quotas = QuotaService(lambda: {"acme": Quota(requests_per_minute=12)}, TokenUseLog(), Clock())
    assert 10 == admitted(quotas, CALLER, 11)
    assert 2 == admitted(quotas, OTHER, 11)
    assert 5 == admitted(quotas, Caller("t3", "x", frozenset(), "north", quota=Quota(requests_per_minute=5)), 9)


async def test_tasks_have_quotas_of_their_own() -> None:
    """Tasks a minute, and those that have not ended, counted in the ledger and since."""
    clock, under_way = Clock(), [1]
    tenants = {"acme": Quota(tasks_per_minute=4, tasks_under_way=3)}
    quotas = QuotaService(lambda: tenants, TokenUseLog(), clock)

    async def count(_kind: str, _name: str, limit: int) -> int:
        return min(under_way[0], limit)

    async with quotas_running(quotas, Redis(unix_socket_path="/nowhere"), count):
        quotas.admit(OTHER)
        for _ in range(2):
            await quotas.admit_task("acme", "t2")
        with pytest.raises(QuotaExceeded) as refused:
            await quotas.admit_task("acme", "t2")
        assert "tasks_under_way" == refused.value.extra["quota"]
        under_way[0] = 0
        clock.now_s += 3
        for _ in range(2):
            await quotas.admit_task("acme", "t2")
        with pytest.raises(QuotaExceeded) as refused:
            await quotas.admit_task("acme", "t2")
        assert "tasks_per_minute" == refused.value.extra["quota"]
        await quotas.admit_task("default", "t9")


def quotas_running(quotas: QuotaService, store: Any, count: Any = none_under_way) -> Any:
    return quotas.running(store, count)


async def test_replicas_share_a_quota(redis_url: str, redis: Any) -> None:
    """What one has admitted, the others know after an exchange; none of them calls Redis for a request."""
    clock = Clock()
    replicas = [QuotaService(lambda: {}, TokenUseLog(), clock) for _ in range(2)]
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(_client(redis_url))
        assert 6 == admitted(replicas[0], CALLER, 6)
        assert 1 == admitted(replicas[1], CALLER, 1)
        for one in replicas:
            await stack.enter_async_context(one.running(client, none_under_way))
        account = replicas[1]._accounts["token", "t1"]
        async with asyncio.timeout(20):
            while account.requests.shared < 7:  # noqa: ASYNC110 - the exchange offers nothing to wait for
                await asyncio.sleep(0.02)
        assert 3 == admitted(replicas[1], CALLER, 10)


async def test_without_redis_each_replica_has_its_share(redis_url: str, redis: Any) -> None:
    """Two replicas that lose Redis admit half of a quota each: together no more than it."""
    clock = Clock()
    replicas = [QuotaService(lambda: {"acme": Quota(requests_per_minute=10)}, TokenUseLog(), clock) for _ in range(2)]
    async with _client(redis_url) as client:
        for one in replicas * 2:
            await one._step(client)
    clock.now_s += 60
    assert [5, 5] == [admitted(one, OTHER, 10) for one in replicas]


def _client(url: str) -> Any:
    return Redis.from_url(url)


def test_the_processes_of_a_service_admit_together() -> None:
    """What one process admits counts in the other at once, before Redis knows."""
    clock, uses = Clock(), TokenUseLog()
    services: list[QuotaService] = []
    for other in (1, 0):

        def tell(text: str, other: int = other) -> None:
            services[other].count_nearby(text)

        services.append(QuotaService(dict, uses, clock, tell=tell))
    by_turns = [admitted(services[number % 2], CALLER, 1) for number in range(14)]
    assert [1] * 10 + [0] * 4 == by_turns
