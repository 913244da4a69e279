"""The entries of one tenant: the one place where a tenant becomes part of a key."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

from pydantic import BaseModel

from vestibule.contracts.entries import (
    ALWAYS,
    BatchedWrite,
    BatchedWriteOutcome,
    BatchPair,
    Condition,
    Entry,
    History,
    KeyPage,
    Pair,
    Revision,
    Written,
)
from vestibule.contracts.errors import KeyNotFound, PreconditionFailed, VestibuleError
from vestibule.contracts.identity import RESERVED, Principal
from vestibule.database_service.entries.store import ChangePage, OperationNote, SkipsUnreadable, Store, Write
from vestibule.runtime.turns import in_slices

# No tenant's name contains it, so no tenant's prefix begins with another's.
SEPARATOR = "/"
# The outcomes of operations, under a reserved prefix that no caller can read. Clients retry for at most a day.
OPERATIONS = f"{RESERVED}operations{SEPARATOR}"
OUTCOME_TTL = timedelta(hours=25)


class _Outcome(BaseModel):
    """The stored outcome of a write, without anything that came in with it."""

    version: int
    expires_at: datetime | None


class TenantView:
    """The entries of one tenant, under its own keys. Every method raises what the method of the store raises.

    The store keeps them under `tenant/key`. Every key, prefix and cursor gets the tenant's prefix, so a tenant cannot
    reach the entries of another.
    """

    def __init__(self, store: Store, principal: Principal) -> None:
        self.store = store
        # Whose share of what is scarce is used.
        self.holder = principal
        self._prefix = principal.tenant + SEPARATOR
        self._author = principal.token_id

    async def write(self, pair: Pair, condition: Condition = ALWAYS, operation: str | None = None) -> Written:
        """Write a pair; it is on disk then.

        With `operation` it is written once, however often that is repeated within a day; a repetition gets the first
        outcome.
        """
        write = Write(
            self._prefix + pair.key,
            pair.value,
            _expiry_of(pair.ttl_s) if pair.ttl_s else None,
            condition,
            self._author,
        )
        if operation is not None:
            return await self._write_once(pair.key, write, operation)
        return Written(key=pair.key, version=await self.store.write(write), expires_at=write.expires_at)

    async def write_all(self, pairs: Sequence[BatchPair]) -> list[Written]:
        """Write all pairs or none; they are on disk then."""
        writes = [
            Write(
                self._prefix + pair.key,
                pair.value,
                _expiry_of(pair.ttl_s),
                Condition.of_version(pair.expected_version),
                self._author,
            )
            async for pair in in_slices(pairs)
        ]
        versions = await self.store.write_many(writes)
        return [
            Written(key=pair.key, version=version, expires_at=write.expires_at)
            for pair, write, version in zip(pairs, writes, versions, strict=True)
        ]

    async def read(self, key: str) -> Entry | None:
        """Return the entry under `key`, or None."""
        return self._unprefixed(await self.store.read(self._prefix + key))

    async def get(self, key: str) -> Entry:
        """Return the entry under `key`; raises `KeyNotFound` where there is none."""
        entry = await self.read(key)
        if entry is None:
            raise KeyNotFound("No entry has that key.")
        return entry

    async def read_many(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return the entries under `keys` as they are at one moment, and None where there is none."""
        found = await self.store.read_many([self._prefix + key for key in keys])
        return [self._unprefixed(entry) async for entry in in_slices(found)]

    async def read_readable(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return what `read_many` returns, and None for a value that cannot be decrypted."""
        if not isinstance(self.store, SkipsUnreadable):
            return await self.read_many(keys)
        found = await self.store.read_readable([self._prefix + key for key in keys])
        return [self._unprefixed(entry) async for entry in in_slices(found)]

    async def delete(self, key: str, *, condition: Condition = ALWAYS) -> bool:
        """Remove the entry under `key`; False where there was none."""
        return await self.store.delete(self._prefix + key, condition=condition, author=self._author)

    async def keys(self, prefix: str, limit: int, after: str | None) -> KeyPage:
        """Return at most `limit` keys with `prefix` that come after `after`."""
        page = await self.store.keys(self._prefix + prefix, limit, self._prefix + (after or ""))
        cursor = None if page.cursor is None else self._strip(page.cursor)
        return KeyPage(keys=[self._strip(key) for key in page.keys], cursor=cursor)

    async def history(self, key: str) -> list[Revision]:
        """Return the versions of `key`, the newest first; none where it has no history."""
        return await self.store.history(self._prefix + key)

    async def get_history(self, key: str) -> History:
        """Return the history of `key`, the newest version first; raises `KeyNotFound` where there is none."""
        revisions = await self.history(key)
        if not revisions:
            raise KeyNotFound("No entry has that key, and it has no history.")
        return History(key=key, revisions=revisions)

    async def forget(self, key: str, version: int) -> bool:
        """Remove an earlier version of an entry from its history; False where there is none."""
        return await self.store.forget(self._prefix + key, version)

    async def changes(self, prefix: str, after: str | None, limit: int) -> ChangePage:
        """Return the changes after a position of keys that start with `prefix`."""
        page = await self.store.changes(self._prefix + prefix, after, limit)
        return replace(page, changes=[replace(change, key=self._strip(change.key)) for change in page.changes])

    async def _write_once(self, key: str, write: Write, operation: str) -> Written:
        # The outcome is stored in one transaction with the value, so both are there or neither.
        outcome_key = f"{OPERATIONS}{self._prefix}{operation}"

        def text(versions: Sequence[int]) -> str:
            return _Outcome(version=versions[0], expires_at=write.expires_at).model_dump_json()

        note = OperationNote(outcome_key, text, datetime.now(UTC) + OUTCOME_TTL)
        try:
            (version,) = await self.store.write_many([write], note)
        except PreconditionFailed as refusal:
            # The first attempt may be why the condition does not hold.
            if (known := await self.store.read(outcome_key)) is not None:
                outcome = _Outcome.model_validate_json(known.value)
                return Written(key=key, version=outcome.version, expires_at=outcome.expires_at)
            raise PreconditionFailed(cast("int | None", refusal.extra["current_version"])) from None
        return Written(key=key, version=version, expires_at=write.expires_at)

    def stored(self, key: str) -> str:
        """Return a key or prefix as the store has it."""
        return self._prefix + key

    def _unprefixed(self, entry: Entry | None) -> Entry | None:
        return None if entry is None else entry.model_copy(update={"key": self._strip(entry.key)})

    def _strip(self, stored: str) -> str:
        return stored.removeprefix(self._prefix)


async def write_each(store: Store, writes: Sequence[BatchedWrite]) -> list[BatchedWriteOutcome]:
    """Write pairs of several tenants, each on its own; one with a version is on disk."""
    stored = [
        Write(tenant_prefix(one.tenant) + one.pair.key, one.pair.value, _expiry_of(one.pair.ttl_s), author=one.sender)
        for one in writes
    ]
    outcomes = await store.write_each(stored)
    return [_batched_outcome(write, outcome) for write, outcome in zip(stored, outcomes, strict=True)]


def _batched_outcome(write: Write, outcome: int | BaseException) -> BatchedWriteOutcome:
    if isinstance(outcome, int):
        return BatchedWriteOutcome.model_construct(version=outcome, expires_at=write.expires_at)
    if isinstance(outcome, VestibuleError):
        return BatchedWriteOutcome.model_construct(problem=outcome.slug, detail=outcome.detail)
    raise outcome


def _expiry_of(ttl_s: float | None) -> datetime | None:
    return None if ttl_s is None else datetime.now(UTC) + timedelta(seconds=ttl_s)


def tenant_prefix(tenant: str) -> str:
    """Return the prefix of the stored keys of a tenant."""
    return tenant + SEPARATOR
