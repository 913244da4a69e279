"""Probes: each checks whether one part answers."""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from redis.asyncio import Redis

from vestibule.contracts.worker_heartbeat import ALIVE_FOR_S, WORKERS_KEY
from vestibule.database_client.service_entries import ServiceEntries
from vestibule.scheduler_service.availability.queue_depth import QueueDepth, age_of, queue_depth_of, read_queue_depth
from vestibule.service_kit.service_client import ServiceClient

PROBE_KEY = "probe"
PROBE_TTL_S = 86_400


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The answer of a part: whether it is up, whether it is strained, and a note for people."""

    is_up: bool
    is_strained: bool = False
    note: str | None = None


class Probe(Protocol):
    """Checks one part."""

    async def read(self) -> ProbeResult:
        """Return the answer of the part; any error means that it does not answer."""
        ...


class ServiceProbe:
    """Requests `/health` of a service."""

    def __init__(self, peer: ServiceClient) -> None:
        self._peer = peer

    async def read(self) -> ProbeResult:
        """Say whether the service answers."""
        return ProbeResult(await self._peer.is_alive())


class StoreProbe:
    """Writes an entry and reads it back."""

    def __init__(self, store: ServiceEntries) -> None:
        self._store = store

    async def read(self) -> ProbeResult:
        """Say whether the store returns what was written."""
        written = secrets.token_hex(8)
        await self._store.write(PROBE_KEY, written, ttl_s=PROBE_TTL_S)
        found = await self._store.read(PROBE_KEY)
        return ProbeResult(found is not None and found.value == written)


class RedisProbe:
    """Pings Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def read(self) -> ProbeResult:
        """Say whether Redis answers."""
        return ProbeResult(bool(await self._redis.ping()))


class WorkersProbe:
    """Reads the workers' heartbeats; one live worker is enough."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def read(self) -> ProbeResult:
        """Say whether at least one worker has sent a heartbeat lately."""
        alive = int(await self._redis.zcount(WORKERS_KEY, time.time() - ALIVE_FOR_S, "+inf"))
        return ProbeResult(alive > 0, note=f"{alive} at work")


@dataclass(frozen=True, slots=True)
class BacklogLimits:
    """The limits of how many tasks wait, and for how long."""

    depth: int
    age_s: float
    stalled_s: float = 60.0


class BacklogProbe:
    """Measures the queues: how many tasks wait, how long the oldest waits, and since when none was taken.

    Where no task is taken from any queue for long, the queue is stalled, however few wait; tasks that only wait behind
    those of a higher priority are not. Time counts on the monotonic clock.
    """

    def __init__(self, redis: Redis, limits: BacklogLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._limits = limits
        self._clock = clock
        self._next: tuple[bytes | None, ...] = ()
        self._next_since = clock()

    async def read(self) -> ProbeResult:
        """Say whether waiting tasks are taken, and whether too many wait."""
        waiting = await self._ask()
        depth = sum(queue.depth for queue in waiting)
        if self._is_taken_from([queue.next for queue in waiting]):
            self._next_since = self._clock()
        self._next = tuple(queue.next for queue in waiting)
        ages_s = [age_of(message) or 0.0 for message in self._next if message is not None]
        stands_for_s = self._clock() - self._next_since if ages_s else 0.0
        age_s = max(stands_for_s, *ages_s, 0.0)
        note = f"{depth} waiting" if age_s < 1 else f"{depth} waiting, the oldest for {age_s:.0f} s"
        is_strained = depth > self._limits.depth or age_s > self._limits.age_s
        return ProbeResult(stands_for_s < self._limits.stalled_s, is_strained, note)

    async def _ask(self) -> list[QueueDepth]:
        async with self._redis.pipeline(transaction=True) as pipeline:
            read_queue_depth(pipeline)
            return queue_depth_of(await pipeline.execute())

    def _is_taken_from(self, heads: Sequence[bytes | None]) -> bool:
        """Say whether a task that was next has been taken, or none was next."""
        stood = [(before, now) for before, now in zip(self._next, heads, strict=False) if before is not None]
        return not stood or any(before != now for before, now in stood)
