"""Probes: each checks whether one part answers. The queue is measured for metrics too."""

import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from vestibule.contracts.entries import Pair
from vestibule.contracts.queue import PAUSED_KEY, WHOLE_QUEUE, is_paused_by, paused_names
from vestibule.contracts.tasks import ALIVE_FOR_S, ALL_QUEUES, SENT_AT, TAKEN, WORKERS_KEY
from vestibule.database_client.entries import EntryClient
from vestibule.service_kit.metrics.catalogue import (
    QUEUE_OLDEST_AGE,
    QUEUE_PAUSED,
    QUEUE_TASKS,
    REDIS_MAX_MEMORY_BYTES,
    REDIS_MEMORY_BYTES,
    WORKERS_ALIVE,
)
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.redis_settings import answers
from vestibule.service_kit.service_client import ServiceClient

PROBE_KEY = "probe"
PROBE_TTL_S = 86_400


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """One queue: how many messages it holds, and the one that a worker takes next, its oldest."""

    depth: int
    next: bytes | None


def read_queue_depth(pipeline: Pipeline) -> None:
    """Add the commands for all queues to `pipeline`, so that one round trip is enough."""
    for queue in ALL_QUEUES:
        pipeline.llen(queue)
        # Workers take from this end.
        pipeline.lindex(queue, -1)


def queue_depth_of(answers: Sequence[Any]) -> list[QueueDepth]:
    """Return the queues from the answers to the commands of `read_queue_depth`."""
    return [QueueDepth(*answer) for answer in zip(answers[::2], answers[1::2], strict=True)]


def age_of(message: bytes) -> float | None:
    """Return the seconds that a message has waited; None if it does not have its time."""
    try:
        sent_at: Any = orjson.loads(message)["headers"][SENT_AT]
        return max(0.0, time.time() - float(sent_at))
    except (ValueError, TypeError, LookupError):
        return None  # not a message of Vestibule


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The answer of a part: whether it is up, whether it is overloaded, and a note for people."""

    is_up: bool
    is_overloaded: bool = False
    note: str | None = None


# Checks one part; any error means that it does not answer.
Probe = Callable[[], Awaitable[ProbeResult]]


async def probe_service(peer: ServiceClient) -> ProbeResult:
    """Request `/health` of a service; what it says is degraded becomes the note."""
    health = await peer.call("GET", "/health")
    notes = health.body.get("notes", []) if health.status == 200 else []
    return ProbeResult(health.status == 200, is_overloaded=bool(notes), note="; ".join(notes) or None)


async def probe_store(store: EntryClient) -> ProbeResult:
    """Write an entry and read it back."""
    written = secrets.token_hex(8)
    await store.write(Pair(key=PROBE_KEY, value=written, ttl_s=PROBE_TTL_S))
    found = await store.find(PROBE_KEY)
    return ProbeResult(found is not None and found.value == written)


async def probe_redis(redis: Redis) -> ProbeResult:
    """Ping Redis."""
    return ProbeResult(await answers(redis))


async def probe_workers(redis: Redis) -> ProbeResult:
    """Count the workers that have sent a heartbeat recently; one is enough."""
    alive = int(await redis.zcount(WORKERS_KEY, time.time() - ALIVE_FOR_S, "+inf"))
    return ProbeResult(alive > 0, note=f"{alive} alive")


@dataclass(frozen=True, slots=True)
class BacklogLimits:
    """The limits of the number of waiting tasks and of their age."""

    depth: int
    age_s: float
    stalled_s: float = 60.0


class BacklogProbe:
    """Measures the queues: the number of waiting tasks, the age of the oldest, and the time since one was taken.

    If no task is taken from any queue for long, the queue is stalled, however few wait. Tasks that only wait for those
    of a higher priority or of other tenants do not stall it, and a paused queue is not stalled. Time is measured on the
    monotonic clock.
    """

    def __init__(self, redis: Redis, limits: BacklogLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._limits = limits
        self._clock = clock
        self._next: tuple[bytes | None, ...] = ()
        self._next_since = clock()

    async def read(self) -> ProbeResult:
        """Say whether workers take waiting tasks, and whether too many wait."""
        waiting, paused = await self._ask()
        depth = sum(queue.depth for queue in waiting)
        if WHOLE_QUEUE in paused or self._is_taken_from([queue.next for queue in waiting]):
            self._next_since = self._clock()
        self._next = tuple(queue.next for queue in waiting)
        ages_s = [age_of(message) or 0.0 for message in self._next if message is not None]
        stands_for_s = self._clock() - self._next_since if ages_s else 0.0
        age_s = max(stands_for_s, *ages_s, 0.0)
        note = f"{depth} waiting" if age_s < 1 else f"{depth} waiting, the oldest for {age_s:.0f} s"
        if WHOLE_QUEUE in paused:
            return ProbeResult(is_up=True, note=f"paused; {note}")
        if paused:
            note += f"; paused: {', '.join(paused)}"
        is_overloaded = depth > self._limits.depth or age_s > self._limits.age_s
        return ProbeResult(stands_for_s < self._limits.stalled_s, is_overloaded, note)

    async def _ask(self) -> tuple[list[QueueDepth], list[str]]:
        """Return the queues, and what is paused."""
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hgetall(PAUSED_KEY)
            read_queue_depth(pipeline)
            marks, *answers = await pipeline.execute()
        return queue_depth_of(answers), paused_names(marks)

    def _is_taken_from(self, heads: Sequence[bytes | None]) -> bool:
        """Say whether a task that was next has been taken, or none was next."""
        stood = [(before, now) for before, now in zip(self._next, heads, strict=False) if before is not None]
        return not stood or any(before != now for before, now in stood)


async def measure_queue(redis: Redis, metrics: Metrics) -> None:
    """Set the gauges of the queue and of Redis; while Redis is unavailable they are absent."""
    for gauge in (
        QUEUE_TASKS,
        QUEUE_PAUSED,
        QUEUE_OLDEST_AGE,
        WORKERS_ALIVE,
        REDIS_MEMORY_BYTES,
        REDIS_MAX_MEMORY_BYTES,
    ):
        metrics.forget(gauge)
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.hlen(TAKEN)
        pipeline.zcount(WORKERS_KEY, time.time() - ALIVE_FOR_S, "+inf")
        pipeline.info("memory")
        pipeline.hgetall(PAUSED_KEY)
        read_queue_depth(pipeline)
        reserved, workers, memory, marks, *answers = await pipeline.execute()
    waiting = queue_depth_of(answers)
    metrics.set(QUEUE_TASKS, sum(queue.depth for queue in waiting), "waiting")
    metrics.set(QUEUE_TASKS, reserved, "reserved")
    metrics.set(WORKERS_ALIVE, workers)
    for name, mark in marks.items():
        metrics.set(QUEUE_PAUSED, float(is_paused_by(mark)), name.decode())
    ages_s = [age_of(queue.next) for queue in waiting if queue.next is not None]
    if None not in ages_s:
        metrics.set(QUEUE_OLDEST_AGE, max((age_s for age_s in ages_s if age_s is not None), default=0.0))
    metrics.set(REDIS_MEMORY_BYTES, memory["used_memory"])
    metrics.set(REDIS_MAX_MEMORY_BYTES, memory["maxmemory"])
