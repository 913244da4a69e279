"""Allowances follow the store in every replica and worker, and stay as they were while it is away."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisAway
from redis.retry import Retry

from servers.peers import LocalPeer
from vestibule.client_service.allowances import allowances as module
from vestibule.client_service.allowances.allowances import Allowances
from vestibule.client_service.allowances.copy import CopiedAllowances
from vestibule.client_service.settings import ClientSettings
from vestibule.contracts.allowances import COPY_KEY, OWNER, AllowanceRecord
from vestibule.contracts.errors import AllowanceNotFound, TooManyAllowances, Unavailable
from vestibule.contracts.identity import EVERYTHING, Visibility
from vestibule.database_client.entries import EntryClient
from vestibule.database_client.transport import DatabaseTransport
from vestibule.database_service.main import create_app
from vestibule.database_service.settings import DatabaseSettings
from vestibule.encryption import Fingerprinter, KeyRingFile
from vestibule.policy.allowances import AllowanceList

VALUE, ENTITY, TENANT = "jane@example.org", "EMAIL_ADDRESS", "north"
NORTH = Visibility(frozenset({TENANT}), TENANT)


class World:
    """A database service, a Redis, and replicas over them."""

    def __init__(self, transport: DatabaseTransport, redis: AsyncRedis, settings: ClientSettings) -> None:
        self.ring = KeyRingFile(settings.key_ring_path)
        self.fingerprinter = Fingerprinter(self.ring)
        self._transport, self._redis = transport, redis

    def replica(self) -> tuple[Allowances, AllowanceList]:
        """Return what another client service has."""
        known = AllowanceList(self.fingerprinter.fingerprints_of)
        return Allowances(EntryClient(self._transport, OWNER), self._redis, self.ring, known), known

    def record(self, allowance_id: str = "a" * 16, lasts_s: float = 60.0) -> AllowanceRecord:
        """Return an allowance of the value."""
        return AllowanceRecord(
            id=allowance_id,
            tenant=TENANT,
            entity=ENTITY,
            fingerprints=[self.fingerprinter.fingerprint(VALUE, TENANT)],
            end=time.time() + lasts_s,
            author="tests",
            token_id="t-1",
            reason="a reason",
            start=time.time(),
        )


def passes(known: AllowanceList) -> bool:
    """Say whether the value passes."""
    return known.allowance_of(VALUE, ENTITY, TENANT) is not None


@pytest.fixture
async def world(settings: ClientSettings) -> AsyncIterator[World]:
    """A database service in this process, and an empty Redis."""
    app = create_app(DatabaseSettings(data_dir=settings.data_dir, embedded=True))
    headers = {"Authorization": f"Bearer {settings.secret_file.read_text()}"}
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://database", headers=headers) as client,
        AsyncRedis.from_url(settings.redis_url) as redis,
    ):
        yield World(DatabaseTransport(LocalPeer(client)), redis, settings)


async def test_replicas_and_workers_follow_the_store(world: World, redis: Redis) -> None:
    """One look is enough after an allowance was added, and after it was revoked; Redis has no fingerprint in clear."""
    (one, known), (other, known_there) = world.replica(), world.replica()
    worker = CopiedAllowances(world.ring)
    await other.refresh()
    worker.refresh(redis)
    assert (False, False) == (passes(known_there), passes(worker.known))
    await one.add(world.record())
    await other.refresh()
    worker.refresh(redis)
    assert (True, True, True) == (passes(known), passes(known_there), passes(worker.known))
    assert world.fingerprinter.fingerprint(VALUE, TENANT).encode() not in redis.hget(COPY_KEY, "content")  # type: ignore[operator]
    revoked = await other.revoke("a" * 16, NORTH, "somebody")
    await one.refresh()
    worker.refresh(redis)
    assert (False, False, False) == (passes(known), passes(known_there), passes(worker.known))
    assert ([], ["somebody"]) == (
        await one.find_all(NORTH, has_ended=False),
        [found.revoked_by for found in await one.find_all(EVERYTHING, has_ended=True)],
    )
    assert "a reason" == revoked.reason
    with pytest.raises(AllowanceNotFound):
        await one.revoke("a" * 16, NORTH, "again")


async def test_the_last_known_list_stays_while_the_store_is_away(world: World, redis: Redis, monkeypatch: Any) -> None:
    """Also while Redis is; each still ends on time."""
    service, known = world.replica()
    await service.add(world.record(lasts_s=1.0))
    worker = CopiedAllowances(world.ring)
    worker.refresh(redis)

    async def away(*_given: Any, **_named: Any) -> Any:
        raise Unavailable("database", "away")

    monkeypatch.setattr(EntryClient, "find", away)
    with pytest.raises(Unavailable):
        await service.refresh()
    broken = Redis(unix_socket_path="/nowhere", retry=Retry(NoBackoff(), 0))
    with pytest.raises(RedisAway):
        worker.refresh(broken)
    assert (True, True) == (passes(known), passes(worker.known))
    ended = time.monotonic() + 5.0
    while passes(known) and time.monotonic() < ended:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert (False, False) == (passes(known), passes(worker.known))


async def test_a_lost_or_forged_copy_is_replaced(world: World, redis: Redis) -> None:
    """And what nobody here encrypted, or an older copy under another revision, lets nothing pass."""
    service, _ = world.replica()
    await service.refresh()
    empty = redis.hgetall(COPY_KEY)
    await service.add(world.record())
    full = redis.hgetall(COPY_KEY)
    redis.delete(COPY_KEY)
    await service.refresh()
    assert full[b"revision"] == redis.hget(COPY_KEY, "revision")
    await service.revoke("a" * 16, NORTH, "somebody")
    now = redis.hgetall(COPY_KEY)
    assert 3 == len({empty[b"revision"], full[b"revision"], now[b"revision"]})
    worker = CopiedAllowances(world.ring)
    redis.hset(COPY_KEY, mapping={"revision": now[b"revision"], "content": full[b"content"]})  # type: ignore[arg-type]
    worker.refresh(redis)
    assert not passes(worker.known)
    redis.hset(COPY_KEY, mapping={"revision": full[b"revision"], "content": full[b"content"]})  # type: ignore[arg-type]
    await service.refresh()
    assert now[b"revision"] == redis.hget(COPY_KEY, "revision")


async def test_a_tenant_has_so_many_in_force(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that have ended leave room; others' do not count."""
    monkeypatch.setattr(module, "MAX_IN_FORCE", 1)
    service, _ = world.replica()
    await service.add(world.record("a" * 16))
    await service.add(world.record("b" * 16).model_copy(update={"tenant": "south"}))
    with pytest.raises(TooManyAllowances):
        await service.add(world.record("c" * 16))
    await service.revoke("a" * 16, NORTH, "tests")
    await service.add(world.record("c" * 16))
    assert ["c" * 16] == [one.id for one in await service.find_all(NORTH, has_ended=False)]
