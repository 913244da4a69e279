"""Probes: each asks one part whether it answers."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from redis.asyncio import Redis

from vestibule.contracts.heartbeat import ALIVE_FOR_S, WORKERS_KEY
from vestibule.contracts.queue import QUEUE
from vestibule.scheduler_service.queue_gauges import age_of
from vestibule.scheduler_service.store_gateway import StoreGateway
from vestibule.service_kit.peer_client import PeerClient

PROBE_KEY = "probe"
PROBE_TTL_S = 86_400


@dataclass(frozen=True, slots=True)
class Reading:
    """What a part answered: whether it works, whether it works as it should, and what there is to say about it."""

    is_up: bool
    is_strained: bool = False
    note: str | None = None


class Probe(Protocol):
    """Asks one part."""

    async def read(self) -> Reading:
        """Return what the part answers; any error says that it does not."""
        ...


class ServiceProbe:
    """Asks a service for its health."""

    def __init__(self, peer: PeerClient) -> None:
        self._peer = peer

    async def read(self) -> Reading:
        """Say whether the service lives."""
        return Reading(await self._peer.is_alive())


class StoreProbe:
    """Writes an entry, and reads whether it is there."""

    def __init__(self, store: StoreGateway) -> None:
        self._store = store

    async def read(self) -> Reading:
        """Say whether the store keeps what it is given."""
        written = secrets.token_hex(8)
        await self._store.write(PROBE_KEY, written, ttl_s=PROBE_TTL_S)
        found = await self._store.read(PROBE_KEY)
        return Reading(found is not None and found.value == written)


class RedisProbe:
    """Pings Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def read(self) -> Reading:
        """Say whether Redis answers."""
        return Reading(bool(await self._redis.ping()))


class WorkersProbe:
    """Reads the workers' heartbeats; one that lives is enough for tasks to be done."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def read(self) -> Reading:
        """Say whether at least one worker has beaten lately."""
        alive = int(await self._redis.zcount(WORKERS_KEY, time.time() - ALIVE_FOR_S, "+inf"))
        return Reading(alive > 0, note=f"{alive} at work")


@dataclass(frozen=True, slots=True)
class BacklogLimits:
    """When the waiting tasks are too many, and when they wait for too long."""

    depth: int
    age_s: float
    stalled_s: float


class BacklogProbe:
    """Counts the waiting tasks, and sees how long the oldest of them waits and how long it has been the next.

    Where none is taken from a queue for long, it is stalled, however few wait. That is judged by the steady clock.
    """

    def __init__(self, redis: Redis, limits: BacklogLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._limits = limits
        self._clock = clock
        self._next: bytes | None = None
        self._next_since = clock()

    async def read(self) -> Reading:
        """Say whether waiting tasks are taken, and whether too many wait."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.llen(QUEUE)
            pipeline.lindex(QUEUE, -1)
            depth, first = cast("tuple[int, bytes | None]", await pipeline.execute())
        if first is None or first != self._next:
            self._next, self._next_since = first, self._clock()
        is_next_for_s = self._clock() - self._next_since if first is not None else 0.0
        age_s = max(is_next_for_s, (age_of(first) or 0.0) if first is not None else 0.0)
        note = f"{depth} waiting" if age_s < 1 else f"{depth} waiting, the oldest for {age_s:.0f} s"
        is_strained = depth > self._limits.depth or age_s > self._limits.age_s
        return Reading(is_next_for_s < self._limits.stalled_s, is_strained, note)
