"""Partitions of the queue, over which the tenants take turns.

Publishers keep tenants that have messages waiting in different partitions, and workers take from the partitions in
turn. A message may be in any partition: where one is decides when its task starts, and nothing else.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Self
from zlib import crc32

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from vestibule.client_service.queue.queue_view import PartitionState, QueueView
from vestibule.client_service.queue.task_message import TaskMessage
from vestibule.contracts.identity import DEFAULT_TENANT
from vestibule.contracts.tasks import PARTITIONS
from vestibule.runtime.background import in_background, repeat

# A hash in Redis: the partition of each tenant that has messages waiting, by which publishers agree.
SHARED_KEY = "vestibule:partitions"
REFRESH_INTERVAL_S = 0.5


@dataclass(frozen=True, slots=True)
class Placement:
    """The partition of a tenant's messages, and when the last of them was sent."""

    partition: int
    sent_at: float

    @classmethod
    def parse(cls, text: bytes) -> Self | None:
        """Return a placement as another publisher shared it, None if none did."""
        partition, _, sent_at = text.partition(b":")
        try:
            placement = cls(int(partition), float(sent_at))
        except ValueError:
            return None
        return placement if 0 <= placement.partition < PARTITIONS else None

    @property
    def shared(self) -> str:
        """The placement as text."""
        return f"{self.partition}:{self.sent_at}"

    def is_over(self, states: Sequence[PartitionState]) -> bool:
        """Say whether none of the messages waits any longer: a queue is ordered by the time of sending."""
        state = states[self.partition]
        return not state.depth or (state.oldest_sent_at is not None and state.oldest_sent_at > self.sent_at)


class TenantPartitions:
    """Chooses the partition of each message.

    A tenant that has messages waiting stays in its partition, so its priorities hold. Any other gets the partition in
    which the fewest wait. What publishers know of each other is half a second old: for so long they may differ.
    """

    def __init__(self, redis: Redis, queue: QueueView) -> None:
        self._redis = redis
        self._queue = queue
        self._depths = [0] * PARTITIONS
        self._placements: dict[str, Placement] = {}
        # Tenants that were placed since the last look at the queue began.
        self._recent: set[str] = set()

    def of_tenant(self, tenant: str) -> int | None:
        """Return the partition of a tenant's messages, None if none are known to wait."""
        placement = self._placements.get(tenant)
        return None if placement is None else placement.partition

    def place(self, message: TaskMessage) -> TaskMessage:
        """Return a message with its partition."""
        tenant, known = message.tenant, self._placements.get(message.tenant)
        partition = self._choose(tenant) if known is None else known.partition
        sent_at = message.sent_at if known is None else max(message.sent_at, known.sent_at)
        self._placements[tenant] = Placement(partition, sent_at)
        self._recent.add(tenant)
        self._depths[partition] += 1
        return message if partition == message.partition else replace(message, partition=partition)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the queue and the other publishers in the background."""
        outages = (RedisError, OSError)
        async with in_background(repeat(self.refresh, outages=outages, on_error=self._log_error)):
            yield

    async def refresh(self) -> float:
        """Look at the partitions, agree with the other publishers, and return the seconds until the next time.

        Raises `RedisError` or `OSError` if the queue does not answer.
        """
        self._recent.clear()
        occupied = {placement.partition for placement in self._placements.values()}
        states = await self._queue.partitions(occupied)
        found: Any = await self._redis.hgetall(SHARED_KEY)
        shared = {tenant.decode(errors="replace"): Placement.parse(text) for tenant, text in found.items()}
        self._depths = [state.depth for state in states]
        ours, self._placements = self._placements, {}
        for tenant in {*ours, *shared}:
            kept = _agree(ours.get(tenant), shared.get(tenant), states, is_recent=tenant in self._recent)
            if kept is not None:
                self._placements[tenant] = kept
        await self._share(shared)
        return REFRESH_INTERVAL_S

    def _choose(self, tenant: str) -> int:
        # Publishers that know the same of the queue choose the same. An installation of one tenant has one partition.
        home = 0 if tenant == DEFAULT_TENANT else 1 + crc32(tenant.encode()) % (PARTITIONS - 1)
        return min(range(PARTITIONS), key=lambda number: (self._depths[number], (number - home) % PARTITIONS))

    async def _share(self, shared: Mapping[str, Placement | None]) -> None:
        """Write the placements of tenants that have messages waiting, and delete those that are over."""
        waiting = {tenant: one for tenant, one in self._placements.items() if tenant not in self._recent}
        changed = {tenant: one.shared for tenant, one in waiting.items() if shared.get(tenant) != one}
        over = [tenant for tenant in shared if tenant not in self._placements]
        if changed:
            await self._redis.hset(SHARED_KEY, mapping=changed)  # type: ignore[arg-type]
        if over:
            await self._redis.hdel(SHARED_KEY, *over)

    @staticmethod
    def _log_error(error: Exception) -> None:
        if not isinstance(error, RedisError | OSError):  # which the relay logs
            structlog.get_logger("vestibule.queue").error("partitions_not_read", exc_info=error)


def _agree(
    ours: Placement | None, theirs: Placement | None, states: Sequence[PartitionState], *, is_recent: bool
) -> Placement | None:
    """Return the placement of a tenant that all publishers use from now on, None if it has no messages waiting."""
    if theirs is not None and not theirs.is_over(states):
        is_same = ours is not None and ours.partition == theirs.partition
        return ours if ours is not None and is_same and ours.sent_at > theirs.sent_at else theirs
    return ours if ours is not None and (is_recent or not ours.is_over(states)) else None
