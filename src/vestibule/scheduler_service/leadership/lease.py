"""The lease: of several schedulers, the one that holds it does the work.

It is an entry of the store that its holder writes anew every few seconds. Whoever sees that it was not written anew
for long enough, by their own steady clock, writes it in turn, on the condition that it still has the version they saw.
So no two clocks need to agree, and of two that try, one succeeds.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

import orjson
import structlog

from vestibule.contracts.conditions import Condition
from vestibule.contracts.entries import BatchPair, Entry
from vestibule.contracts.errors import PreconditionFailed, Unavailable
from vestibule.scheduler_service.state_store import StateStore

KEY = "lease"
# Shares of the lease: how often it is looked at, renewed, and after which silence it is taken. Together with the time
# between two looks the last is less than one, so that another takes over within the lease.
LOOK, RENEW, TAKE = 1 / 6, 1 / 3, 2 / 3


class Role(StrEnum):
    """What this scheduler does among its replicas."""

    PASSIVE = "passive"
    ACTIVE = "active"
    ALONE = "alone"  # the store is away and nobody else is known to work

    @property
    def is_working(self) -> bool:
        """Whether it does the work."""
        return self is not Role.PASSIVE


class LeaseLost(Exception):
    """Another scheduler holds the lease."""


class FallbackLock(Protocol):
    """Tells of who works where the store cannot."""

    async def beat(self, holder: str, for_s: float) -> bool:
        """Say that `holder` works, for a time; False where another does."""
        ...


class Lease:
    """Takes and keeps the lease."""

    def __init__(
        self,
        store: StateStore,
        fallback_lock: FallbackLock,
        name: str,
        lease_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the parts; `name` stays over restarts, so that who was killed need not wait for its own lease."""
        self._store = store
        self._fallback_lock = fallback_lock
        self._name = name
        self._run = secrets.token_hex(8)
        self._lease_s = lease_s
        self._clock = clock
        self._lock = asyncio.Lock()
        self._version = 0
        self._renewed_at = self._seen_at = clock()
        self._has_met_store = False
        self.role = Role.PASSIVE
        self.holder: str | None = None
        # Counts how often the lease was taken: who takes it has to learn what the one before knew.
        self.term = 0
        self._log = structlog.get_logger("vestibule.monitor")

    @property
    def look_every_s(self) -> float:
        """How often `attend` is to be called."""
        return self._lease_s * LOOK

    async def attend(self) -> None:
        """Renew the lease where it is held, and take it where nobody else does."""
        async with self._lock:
            try:
                if self.role is not Role.ACTIVE:
                    await self._try_to_take()
                elif self._clock() - self._renewed_at >= self._lease_s * (RENEW - LOOK / 2):
                    await self._renew([])
            except LeaseLost:
                return
            except Unavailable:
                await self._do_without_store()
            if self.role is Role.ACTIVE:
                await self._fallback_lock.beat(self._run, self._lease_s)

    async def may_work(self) -> bool:
        """Say whether this scheduler is the one that works; after a pause it makes sure first."""
        if self.role is Role.ACTIVE and self._clock() - self._renewed_at > self._lease_s * TAKE:
            await self.attend()
        return self.role.is_working

    async def write(self, pairs: Sequence[BatchPair]) -> None:
        """Keep `pairs` on the condition that the lease is held, and renew it.

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
        """Give the lease back, so that nobody has to wait for its end."""
        async with self._lock:
            if self.role is Role.ACTIVE:
                try:
                    await self._store.delete(KEY, Condition.of_version(self._version))
                except (PreconditionFailed, Unavailable):
                    self._log.warning("lease_not_released")
            self._become(Role.PASSIVE)

    async def _try_to_take(self) -> None:
        entry = await self._store.read(KEY)
        is_first_look, self._has_met_store = not self._has_met_store, True
        if entry is None or self._is_free(entry, is_first_look):
            await self._write([], 0 if entry is None else entry.version)
        else:
            self._become(Role.PASSIVE)

    def _is_free(self, entry: Entry, is_first_look: bool) -> bool:
        held = orjson.loads(entry.value)
        self.holder = held["name"]
        if held["run"] == self._run or (is_first_look and held["name"] == self._name):
            return True
        if is_first_look or entry.version != self._version:
            self._version, self._seen_at = entry.version, self._clock()
        return self._clock() - self._seen_at >= self._lease_s * TAKE

    async def _renew(self, pairs: Sequence[BatchPair]) -> None:
        try:
            await self._write(pairs, self._version)
        except LeaseLost:
            # It may be our own write of which we did not hear the end.
            entry = await self._store.read(KEY)
            if entry is None or orjson.loads(entry.value)["run"] != self._run:
                self._become(Role.PASSIVE)
                raise
            await self._write(pairs, entry.version)

    async def _write(self, pairs: Sequence[BatchPair], expected_version: int) -> None:
        began_at = self._clock()
        value = orjson.dumps({"name": self._name, "run": self._run}).decode()
        lease = BatchPair(key=KEY, value=value, expected_version=expected_version)
        try:
            self._version = (await self._store.write_many([lease, *pairs]))[0]
        except PreconditionFailed:
            raise LeaseLost from None
        self._renewed_at, self.holder = began_at, self._name
        self._become(Role.ACTIVE)

    async def _do_without_store(self) -> None:
        # While the store is away nobody can take a lease, so who holds it goes on. Others work only where nobody does.
        if self.role is not Role.ACTIVE:
            is_ours = await self._fallback_lock.beat(self._run, self._lease_s)
            self._become(Role.ALONE if is_ours else Role.PASSIVE)

    def _become(self, role: Role) -> None:
        if role is self.role:
            return
        self.role = role
        self.term += role is Role.ACTIVE
        self._log.info("leadership_changed", role=role.value, holder=self.holder)
