"""Pauses of processors and of the whole queue: kept in the store, and copied to Redis for the workers.

Every client service reads the store twice a second, so all replicas know a pause, and one of them restores the copy
in Redis after that was lost. A worker reads the copy in the step that records the start of a task.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from vestibule.contracts.entries import Pair
from vestibule.contracts.errors import Unavailable
from vestibule.contracts.queue import PAUSED_KEY, PAUSES, WHOLE_QUEUE, Pause, mark_of
from vestibule.database_client.entries import EntryClient, RecordReader
from vestibule.runtime.background import in_background, repeat

READ_INTERVAL_S = 0.5
REDIS_TIMEOUT_S = 0.5
# A mark changes only from what was read before the store was: who read the store earlier overwrites no newer pause.
COPY = """
    for place = 1, #ARGV, 3 do
        local mark = redis.call('HGET', KEYS[1], ARGV[place])
        if (mark or '') == ARGV[place + 1] then
            redis.call('HSET', KEYS[1], ARGV[place], ARGV[place + 2])
        end
    end
"""


@dataclass(frozen=True, slots=True)
class PauseChange:
    """Who pauses or resumes a processor, or the whole queue, and why."""

    processor: str | None
    is_paused: bool
    author: str
    token_id: str
    tenant: str
    reason: str


class QueuePauses:
    """The pauses that are in force, as the store had them half a second ago at most."""

    def __init__(self, store: EntryClient, redis: Redis, processors: Sequence[str]) -> None:
        self._store = store
        self._redis = redis
        self._processors = processors
        self._records = RecordReader(Pause)
        self._known: dict[str, Pause] | None = None
        self.are_with_workers = False

    def covering(self, processor: str) -> Pause | None:
        """Return the pause that keeps tasks of a processor from starting: its own, or that of the whole queue."""
        known = self._known or {}
        return known.get(WHOLE_QUEUE) or known.get(processor)

    @property
    def in_force(self) -> Mapping[str, Pause]:
        """The pauses by the names of processors, and of `WHOLE_QUEUE`."""
        return self._known or {}

    @property
    def unpaused(self) -> list[str] | None:
        """The processors whose tasks may start; None while nothing is paused, so that no task is left out."""
        if not self._known:
            return None
        return [] if WHOLE_QUEUE in self._known else [one for one in self._processors if one not in self._known]

    async def ensure_known(self) -> None:
        """Read the pauses where they have not been read yet. Raises `Unavailable` if the store does not answer."""
        if self._known is None:
            await self.refresh()

    async def change(self, change: PauseChange) -> Pause:
        """Pause or resume; it is on disk then, and with the workers as soon as Redis answers.

        Raises:
            Unavailable: the store does not answer.
        """
        await self.refresh()
        known = self.in_force.get(change.processor or WHOLE_QUEUE)
        since = known.since if known is not None and change.is_paused else time.time()
        pause = Pause(
            processor=change.processor,
            is_paused=change.is_paused,
            since=since,
            author=change.author,
            token_id=change.token_id,
            tenant=change.tenant,
            reason=change.reason,
        )
        await self._store.write(Pair(key=pause.place, value=pause.model_dump_json()))
        # Without the reason: what is in the log cannot be erased.
        structlog.get_logger("vestibule.queue").warning(
            "queue_paused" if pause.is_paused else "queue_resumed", processor=change.processor or WHOLE_QUEUE
        )
        await self.refresh()
        return pause

    async def refresh(self) -> float:
        """Read the pauses, copy them to Redis, and return the seconds until the next time.

        Raises `Unavailable` if the store does not answer.
        """
        marks = await self._read_marks()
        names = (WHOLE_QUEUE, *self._processors)
        entries = dict(zip(names, await self._store.read_readable([PAUSES + name for name in names]), strict=True))
        found = {name: self._records.read(entry) for name, entry in entries.items() if entry is not None}
        known = {name: one for name, one in found.items() if one is not None and one.is_paused}
        self._known = known
        wanted = {
            name: mark_of(0 if entry is None else entry.version, is_paused=name in known)
            for name, entry in entries.items()
        }
        self.are_with_workers = marks is not None and await self._copy(marks, wanted)
        return READ_INTERVAL_S

    async def _read_marks(self) -> Mapping[str, str] | None:
        """Return the marks in Redis, None if it does not answer."""
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                marks: Any = await self._redis.hgetall(PAUSED_KEY)
        except (RedisError, OSError, TimeoutError):
            return None
        return {name.decode(): mark.decode() for name, mark in marks.items()}

    async def _copy(self, marks: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
        """Change the marks in Redis to those that are wanted; say whether it has them."""
        changes = [(name, marks.get(name, ""), mark) for name, mark in wanted.items() if marks.get(name) != mark]
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                if changes:
                    await self._redis.eval(COPY, 1, PAUSED_KEY, *(part for change in changes for part in change))
        except (RedisError, OSError, TimeoutError):
            return False
        return True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the store in the background."""
        async with in_background(repeat(self.refresh, outages=(Unavailable,), on_error=self._log_error)):
            yield

    @staticmethod
    def _log_error(error: Exception) -> None:
        if not isinstance(error, Unavailable):  # which the relay logs
            structlog.get_logger("vestibule.queue").error("pauses_not_read", exc_info=error)
