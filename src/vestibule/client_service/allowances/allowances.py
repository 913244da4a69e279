"""Allowances in the store, and the list that follows them.

Every client service reads once a second whether they have changed, and copies them to Redis for the workers. While the
store is away, the last known ones stay, and each ends on time.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from vestibule.client_service.allowances.copy import encrypt_copy
from vestibule.contracts.allowances import (
    ALLOWANCES,
    COPY_KEY,
    KEEP_ENDED_S,
    MAX_IN_FORCE,
    REALM,
    REVISION,
    AllowanceRecord,
    AllowedValue,
    AllowedValues,
)
from vestibule.contracts.entries import BatchPair
from vestibule.contracts.errors import AllowanceNotFound, PreconditionFailed, TooManyAllowances, Unavailable
from vestibule.contracts.identity import Visibility
from vestibule.database_client.entries import EntryClient, RecordReader
from vestibule.encryption import Cipher, KeyRingSource
from vestibule.policy.allowances import AllowanceList
from vestibule.runtime.background import in_background, repeat

READ_INTERVAL_S = 1.0
# All are read again this often: the store may have been restored from a backup, with another list of that revision.
READ_ALL_EVERY_S = 300.0
REDIS_TIMEOUT_S = 0.5
# The copy changes only from what was read before the store was: who read the store earlier overwrites no newer one.
COPY = """
    if (redis.call('HGET', KEYS[1], 'revision') or '') == ARGV[1] then
        redis.call('HSET', KEYS[1], 'revision', ARGV[2], 'content', ARGV[3])
    end
"""


class Allowances:
    """Adds, lists and revokes allowances, and keeps the list of this service up to date."""

    def __init__(self, store: EntryClient, redis: Redis, ring: KeyRingSource, known: AllowanceList) -> None:
        self._store = store
        self._redis = redis
        self._cipher = Cipher(ring, REALM)
        self._known = known
        self._records = RecordReader(AllowanceRecord)
        self._revision: int | None = None
        self._values: list[AllowedValue] = []
        self._read_all_at = 0.0
        self._lock = asyncio.Lock()
        # Lets the other processes on this machine take a change in.
        self.announce: Callable[[], Awaitable[object]] | None = None

    async def add(self, record: AllowanceRecord) -> None:
        """Add an allowance. It is on disk then, in force here, and everywhere within two seconds.

        Raises:
            TooManyAllowances: the tenant has as many in force as it may.
            Unavailable: the store does not answer.
        """
        now = time.time()
        in_force = [one for one in await self._read_all() if one.tenant == record.tenant and now < one.end]
        if len(in_force) >= MAX_IN_FORCE:
            raise TooManyAllowances(f"A tenant may have {MAX_IN_FORCE:,} allowances in force; revoke others first.")
        await self._change(record, expected_version=0)
        log = structlog.get_logger("vestibule.allowances")
        # Without the reason: what is in the log cannot be erased.
        log.warning("allowance_added", allowance=record.id, entity=record.entity, for_tenant=record.tenant)

    async def find_all(self, visibility: Visibility, *, has_ended: bool) -> list[AllowanceRecord]:
        """Return the allowances that can be seen, the latest end first; with `has_ended` those that have ended, too."""
        now = time.time()
        found = [one for one in await self._read_all() if visibility.covers(one.tenant)]
        wanted = [one for one in found if has_ended or now < one.end]
        return sorted(wanted, key=lambda one: one.end, reverse=True)

    async def revoke(self, allowance_id: str, visibility: Visibility, author: str) -> AllowanceRecord:
        """End an allowance now, for everybody within two seconds.

        Raises:
            AllowanceNotFound: none in force has that id.
            Unavailable: the store does not answer.
        """
        while True:
            entry = await self._store.find(ALLOWANCES + allowance_id)
            record = None if entry is None else self._records.read(entry)
            now = time.time()
            if entry is None or record is None or not visibility.covers(record.tenant) or record.end <= now:
                raise AllowanceNotFound("No allowance of your tenant that is in force has that id.")
            revoked = record.model_copy(update={"end": now, "revoked_by": author})
            # Another may have changed it, as an erasure does its reason.
            with suppress(PreconditionFailed):
                await self._change(revoked, expected_version=entry.version)
                structlog.get_logger("vestibule.allowances").warning("allowance_revoked", allowance=record.id)
                return revoked

    async def _change(self, record: AllowanceRecord, expected_version: int) -> None:
        ttl_s = max(0.0, record.end - time.time()) + KEEP_ENDED_S
        pair = BatchPair(
            key=record.place, value=record.model_dump_json(), ttl_s=ttl_s, expected_version=expected_version
        )
        await self._store.write_batch([pair, BatchPair(key=REVISION, value=record.id)])
        with suppress(Unavailable):  # it is stored; the next look finds it
            await self.refresh()
        if self.announce is not None:
            await self.announce()

    async def _read_all(self) -> list[AllowanceRecord]:
        return self._records.read_each(await self._store.read_all(ALLOWANCES))

    async def refresh(self) -> float:
        """Read the allowances where they have changed, copy them to Redis, and return the seconds until the next time.

        Raises `Unavailable` if the store does not answer.
        """
        async with self._lock:
            mark = await self._read_mark()
            entry = await self._store.find(REVISION)
            revision = 0 if entry is None else entry.version
            is_new = revision != self._revision
            if is_new or time.monotonic() >= self._read_all_at:
                self._take(await self._read_all() if entry is not None else [])
                self._revision, self._read_all_at = revision, time.monotonic() + READ_ALL_EVERY_S
            if mark is not None and mark != str(revision):
                await self._copy(mark, AllowedValues(revision=revision, values=self._values))
        return READ_INTERVAL_S

    def _take(self, records: Sequence[AllowanceRecord]) -> None:
        now = time.time()
        self._values = [AllowedValue(**one.model_dump(include=_COPIED)) for one in records if now < one.end]
        self._known.replace(self._values)

    async def _read_mark(self) -> str | None:
        """Return the revision of the copy in Redis, empty where there is none; None if Redis does not answer."""
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                mark: Any = await self._redis.hget(COPY_KEY, "revision")
        except (RedisError, OSError, TimeoutError):
            return None
        return "" if mark is None else str(mark.decode())

    async def _copy(self, mark: str, values: AllowedValues) -> None:
        given: tuple[Any, ...] = (mark, values.revision, encrypt_copy(self._cipher, values))
        with suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                await self._redis.eval(COPY, 1, COPY_KEY, *given)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the store in the background."""
        async with in_background(repeat(self.refresh, outages=(Unavailable,), on_error=self._log_error)):
            yield

    @staticmethod
    def _log_error(error: Exception) -> None:
        if not isinstance(error, Unavailable):  # which the relay logs
            structlog.get_logger("vestibule.allowances").error("allowances_not_read", error=type(error).__name__)


_COPIED = set(AllowedValue.model_fields)


def new_allowance_id() -> str:
    """Return a random id."""
    return secrets.token_hex(8)
