"""The copy of the pauses in Redis follows the store, whichever replica is slow and whatever Redis loses."""

from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from vestibule.client_service.queue.pauses import PauseChange, QueuePauses
from vestibule.contracts.entries import ALWAYS, Condition, Entry, Pair, Written
from vestibule.contracts.queue import PAUSED_KEY
from vestibule.database_client.entries import EntryClient
from vestibule.database_service.entries.memory import MemoryStore
from vestibule.database_service.entries.store import Write

NAMES = ("redact", "uppercase")


class LocalStore(EntryClient):
    """A store in this process; `meanwhile` happens once, right after it was read."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.meanwhile: Callable[[], object] | None = None

    async def read_readable(self, keys: Sequence[str]) -> list[Entry | None]:
        found = await self.store.read_many(keys)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()  # type: ignore[misc]
        return found

    async def write(self, pair: Pair, condition: Condition = ALWAYS, operation: str | None = None) -> Written:
        return Written(key=pair.key, version=await self.store.write(Write(pair.key, pair.value, condition=condition)))


def of(processor: str | None = None, *, is_paused: bool = True) -> PauseChange:
    return PauseChange(processor, is_paused, "tests", "t-1", "default", "a reason")


@pytest.fixture
async def client(redis_url: str, redis: Redis) -> AsyncIterator[AsyncRedis]:
    """A client of the empty Redis."""
    async with AsyncRedis.from_url(redis_url) as client:
        yield client


async def test_a_pause_covers_a_processor_or_all(client: AsyncRedis, redis: Redis) -> None:
    """Another replica knows it with its next reading, and workers by the copy; a repetition keeps the time."""
    store = LocalStore()
    one, other = QueuePauses(store, client, NAMES), QueuePauses(store, client, NAMES)
    assert (None, None) == (one.unpaused, one.covering("redact"))
    first = await one.change(of("redact"))
    await other.refresh()
    assert (["uppercase"], True) == (other.unpaused, other.are_with_workers)
    assert {b"*": b"0:0", b"redact": b"1:1", b"uppercase": b"0:0"} == redis.hgetall(PAUSED_KEY)
    again = await other.change(of("redact"))
    assert (first.since, "a reason") == (again.since, other.in_force["redact"].reason)
    await other.change(of())
    assert ([], None) == (other.unpaused, (await other.change(of(is_paused=False))).processor)
    assert (["uppercase"], None) == (other.unpaused, other.covering("uppercase"))
    await other.change(of("redact", is_paused=False))
    assert (None, b"3:0") == (other.unpaused, redis.hget(PAUSED_KEY, "redact"))


async def test_a_slow_replica_overwrites_no_newer_pause(client: AsyncRedis, redis: Redis) -> None:
    """It read the store before another paused the queue, and writes to Redis after it."""
    store = LocalStore()
    slow, quick = QueuePauses(store, client, NAMES), QueuePauses(store, client, NAMES)
    store.meanwhile = lambda: quick.change(of())
    await slow.refresh()
    assert b"1:1" == redis.hget(PAUSED_KEY, "*")
    await slow.refresh()
    assert [] == slow.unpaused


async def test_the_store_counts_and_not_the_copy(client: AsyncRedis, redis: Redis) -> None:
    """A copy that was lost comes back, and one of a store that has been replaced by an older one goes."""
    pauses = QueuePauses(LocalStore(), client, NAMES)
    await pauses.change(of())
    redis.flushall()
    await pauses.refresh()
    assert b"1:1" == redis.hget(PAUSED_KEY, "*")
    older = QueuePauses(LocalStore(), client, NAMES)
    await older.refresh()
    assert (b"0:0", None) == (redis.hget(PAUSED_KEY, "*"), older.unpaused)


async def test_a_pause_without_redis_is_kept(redis: Redis) -> None:
    """It is in the store, and says that workers do not know it yet."""
    store = LocalStore()
    async with AsyncRedis(port=1, socket_connect_timeout=0.2) as nowhere:
        pauses = QueuePauses(store, nowhere, NAMES)
        await pauses.change(of())
        assert ([], False) == (pauses.unpaused, pauses.are_with_workers)
