"""What the tests of the scheduler share: a store that can be unavailable, a settable clock, and a recording channel."""

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from servers.redis import LocalRedis, redis_on_socket
from vestibule.alerts import Alert, AlertEngine
from vestibule.contracts.entries import ALWAYS, BatchPair, Condition, Deleted, Entry, Pair, Written
from vestibule.contracts.errors import Unavailable
from vestibule.database_client.entries import EntryClient
from vestibule.database_service.entries.memory import MemoryStore
from vestibule.database_service.entries.store import Write

# Longer than any machine takes under load.
LONG_TIMEOUT_S = 60


class LocalEntries(EntryClient):
    """Entries in a store in this process, which can be made unavailable."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.is_away = False
        self.is_full = False
        self.writes = 0

    async def read_many(self, keys: Sequence[str]) -> list[Entry | None]:
        self._answer()
        return await self._store.read_many(keys)

    async def read_readable(self, keys: Sequence[str]) -> list[Entry | None]:
        return await self.read_many(keys)

    async def read_all(self, prefix: str) -> list[Entry]:
        self._answer()
        found = await self._store.read_many((await self._store.keys(prefix, 1000, None)).keys)
        return [entry for entry in found if entry is not None]

    async def write(self, pair: Pair, condition: Condition = ALWAYS, operation: str | None = None) -> Written:
        self._answer(is_change=True)
        write = Write(pair.key, pair.value, _end(pair.ttl_s), condition)
        return Written(key=pair.key, version=await self._store.write(write))

    async def write_batch(self, pairs: Sequence[BatchPair]) -> list[Written]:
        self._answer(is_change=True)
        versions = await self._store.write_many(
            [Write(p.key, p.value, _end(p.ttl_s), Condition.of_version(p.expected_version)) for p in pairs]
        )
        return [Written(key=pair.key, version=version) for pair, version in zip(pairs, versions, strict=True)]

    async def delete(self, key: str, condition: Condition = ALWAYS) -> Deleted:
        self._answer(is_change=True)
        return Deleted(key=key, deleted=await self._store.delete(key, condition=condition))

    def _answer(self, *, is_change: bool = False) -> None:
        if self.is_away or (is_change and self.is_full):
            raise Unavailable("database", "away")
        self.writes += is_change


def _end(ttl_s: float | None) -> datetime | None:
    return None if ttl_s is None else datetime.now(UTC) + timedelta(seconds=ttl_s)


class SteadyClock:
    """A monotonic clock that the test advances."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class FallbackLocks:
    """A lock in memory in place of Redis: one holder at a time."""

    def __init__(self) -> None:
        self.name: str | None = None

    async def hold(self, holder: str, for_s: float) -> bool:
        self.name = self.name or holder
        return self.name == holder


class RecordingChannel:
    """A channel that records the alerts that it gets."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def deliver(self, alert: Alert) -> None:
        self.alerts.append(alert)

    @property
    def types(self) -> list[str]:
        return [alert.type.value for alert in self.alerts]


@pytest.fixture
def entries() -> MemoryStore:
    """The store that several schedulers share."""
    return MemoryStore()


@pytest.fixture
def store(entries: MemoryStore) -> LocalEntries:
    """The entries of the first of them."""
    return LocalEntries(entries)


@pytest.fixture
def clock() -> SteadyClock:
    """The monotonic clock."""
    return SteadyClock()


@pytest.fixture
def kept() -> RecordingChannel:
    """The channel of the test."""
    return RecordingChannel()


@pytest.fixture
def alerts(kept: RecordingChannel) -> AlertEngine:
    """An engine that delivers to it."""
    return AlertEngine("scheduler", {"kept": kept}, lambda *_: None)


@pytest.fixture
def server() -> Iterator[LocalRedis]:
    """A real Redis for this test alone, which may freeze or kill it."""
    with redis_on_socket() as running:
        yield running


@pytest.fixture
async def redis(server: LocalRedis) -> AsyncIterator[Redis]:
    """A client of it with a long timeout."""
    async with Redis(unix_socket_path=str(server.socket), socket_timeout=LONG_TIMEOUT_S) as client:
        yield client
