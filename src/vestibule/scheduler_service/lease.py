"""The lease: the scheduler that holds it is the active one.

It is an entry of the store that its holder renews every few seconds. A scheduler that sees no renewal for long enough,
on its own monotonic clock, acquires it on the condition that it still has the version that it saw. So no clocks need to
agree, and of two that try, one succeeds.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from vestibule.contracts.entries import BatchPair, Condition, Entry
from vestibule.contracts.errors import PreconditionFailed, Unavailable
from vestibule.database_client.entries import EntryClient

KEY = "lease"
# Fractions of the lease: how often it is checked and renewed, and after how long without a renewal it is acquired. The
# last and the time between two checks are together less than one, so another takes over within the lease.
CHECK, RENEW, ACQUIRE = 1 / 6, 1 / 3, 2 / 3


FALLBACK_KEY = "vestibule:watch:working"


class Role(StrEnum):
    """The role of this scheduler among its replicas."""

    PASSIVE = "passive"
    ACTIVE = "active"
    ALONE = "alone"  # the store is unavailable, and no other scheduler is known to be active

    @property
    def is_working(self) -> bool:
        """Whether it runs the jobs."""
        return self is not Role.PASSIVE


class LeaseLost(Exception):
    """Another scheduler holds the lease."""


class FallbackLock(Protocol):
    """A lock for when the store is unavailable."""

    async def hold(self, holder: str, for_s: float) -> bool:
        """Acquire or renew the lock for `holder`; False if another holds it."""
        ...


class Lease:
    """Acquires and renews the lease."""

    def __init__(
        self,
        store: EntryClient,
        fallback_lock: FallbackLock,
        name: str,
        lease_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the parts; `name` stays the same over restarts, so a killed scheduler acquires its own lease at once."""
        self._store = store
        self._fallback_lock = fallback_lock
        self._name = name
        self._run = secrets.token_hex(8)
        self._lease_s = lease_s
        self._clock = clock
        self._lock = asyncio.Lock()
        self._version = 0
        self._renewed_at = self._seen_at = clock()
        self._has_seen_store = False
        self.role = Role.PASSIVE
        self.holder: str | None = None
        # Counts acquisitions: after each the state of the holder before has to be loaded.
        self.term = 0
        self._log = structlog.get_logger("vestibule.monitor")

    @property
    def check_every_s(self) -> float:
        """How often to call `keep`."""
        return self._lease_s * CHECK

    async def keep(self) -> None:
        """Renew the lease if it is held here, and acquire it if it is free."""
        async with self._lock:
            try:
                if self.role is not Role.ACTIVE:
                    await self._try_to_acquire()
                elif self._clock() - self._renewed_at >= self._lease_s * (RENEW - CHECK / 2):
                    await self._renew([])
            except LeaseLost:
                return
            except Unavailable:
                await self._use_fallback()
            if self.role is Role.ACTIVE:
                await self._fallback_lock.hold(self._run, self._lease_s)

    async def may_work(self) -> bool:
        """Say whether this scheduler is active; after a pause, check the lease first."""
        if self.role is Role.ACTIVE and self._clock() - self._renewed_at > self._lease_s * ACQUIRE:
            await self.keep()
        return self.role.is_working

    async def write(self, pairs: Sequence[BatchPair]) -> None:
        """Write `pairs` on the condition that the lease is held, and renew it.

        Raises:
            LeaseLost: another holds it; nothing was written.
            Unavailable: the store does not confirm it.
        """
        async with self._lock:
            if self.role is Role.ALONE:
                raise Unavailable("database", "The store does not answer.")
            if self.role is not Role.ACTIVE:
                raise LeaseLost
            await self._renew(pairs)

    async def release(self) -> None:
        """Release the lease, so that another scheduler need not wait for its end."""
        async with self._lock:
            if self.role is Role.ACTIVE:
                try:
                    await self._store.delete(KEY, Condition.of_version(self._version))
                except (PreconditionFailed, Unavailable):
                    self._log.warning("lease_not_released")
            self._become(Role.PASSIVE)

    async def _try_to_acquire(self) -> None:
        entry = await self._store.find(KEY)
        is_first_check, self._has_seen_store = not self._has_seen_store, True
        if entry is None or self._is_free(entry, is_first_check):
            await self._write([], 0 if entry is None else entry.version)
        else:
            self._become(Role.PASSIVE)

    def _is_free(self, entry: Entry, is_first_check: bool) -> bool:
        self.holder, run = _holder_of(entry)
        if run == self._run or (is_first_check and self.holder == self._name):
            return True
        if is_first_check or entry.version != self._version:
            self._version, self._seen_at = entry.version, self._clock()
        return self._clock() - self._seen_at >= self._lease_s * ACQUIRE

    async def _renew(self, pairs: Sequence[BatchPair]) -> None:
        try:
            await self._write(pairs, self._version)
        except LeaseLost:
            # It may be our own write, whose response was lost.
            entry = await self._store.find(KEY)
            if entry is None or _holder_of(entry)[1] != self._run:
                self._become(Role.PASSIVE)
                raise
            await self._write(pairs, entry.version)

    async def _write(self, pairs: Sequence[BatchPair], expected_version: int) -> None:
        began_at = self._clock()
        value = orjson.dumps({"name": self._name, "run": self._run}).decode()
        lease = BatchPair(key=KEY, value=value, expected_version=expected_version)
        try:
            self._version = (await self._store.write_batch([lease, *pairs]))[0].version
        except PreconditionFailed:
            raise LeaseLost from None
        self._renewed_at, self.holder = began_at, self._name
        self._become(Role.ACTIVE)

    async def _use_fallback(self) -> None:
        # While the store is unavailable no scheduler can acquire the lease, so its holder continues.
        if self.role is not Role.ACTIVE:
            is_ours = await self._fallback_lock.hold(self._run, self._lease_s)
            self._become(Role.ALONE if is_ours else Role.PASSIVE)

    def _become(self, role: Role) -> None:
        if role is self.role:
            return
        self.role = role
        self.term += role is Role.ACTIVE
        self._log.info("leadership_changed", role=role.value, holder=self.holder)


def _holder_of(entry: Entry) -> tuple[str | None, str | None]:
    """Return the name and the run that hold the lease; none where that is not valid, and then it expires as any."""
    try:
        held = orjson.loads(entry.value)
        return held["name"], held["run"]
    except (ValueError, LookupError, TypeError):
        return None, None


class RedisFallbackLock:
    """A lock that expires unless its holder renews it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def hold(self, holder: str, for_s: float) -> bool:
        """Acquire or renew the lock for `holder`; False if another holds it. Without Redis it counts as acquired."""
        try:
            is_free = await self._redis.set(FALLBACK_KEY, holder, nx=True, px=int(for_s * 1000))
            if not is_free and await self._redis.get(FALLBACK_KEY) != holder.encode():
                return False
            await self._redis.pexpire(FALLBACK_KEY, int(for_s * 1000))
        except (RedisError, OSError):
            pass
        return True
