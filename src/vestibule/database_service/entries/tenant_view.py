"""The entries of one tenant: the one place where a tenant becomes part of a key."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

from pydantic import BaseModel

from vestibule.contracts.conditions import ALWAYS, Condition
from vestibule.contracts.entries import Entry, History, KeyPage, Revision, Written
from vestibule.contracts.errors import KeyNotFound, PreconditionFailed
from vestibule.contracts.identity import RESERVED, Principal
from vestibule.database_service.entries.store import ChangePage, OperationNote, Store, Write

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
        self._store = store
        self._prefix = tenant_prefix(principal.tenant)
        self._author = principal.token_id

    async def write(
        self, key: str, value: str, *, expires_at: datetime | None = None, condition: Condition = ALWAYS
    ) -> int:
        """Write `value` under `key`; return its version once it is on disk."""
        return await self._store.write(
            self._prefix + key, value, expires_at=expires_at, condition=condition, author=self._author
        )

    async def write_many(self, writes: Sequence[Write]) -> list[int]:
        """Write all of `writes` or none; return their versions once they are on disk."""
        return await self._store.write_many(
            [replace(write, key=self._prefix + write.key, author=self._author) for write in writes]
        )

    async def write_once(self, write: Write, operation: str) -> Written:
        """Write a value once, however often `operation` is repeated within a day; return the first outcome.

        The outcome is stored in one transaction with the value, so both are there or neither.
        """
        outcome_key = f"{OPERATIONS}{self._prefix}{operation}"
        own = replace(write, key=self._prefix + write.key, author=self._author)

        def text(versions: Sequence[int]) -> str:
            return _Outcome(version=versions[0], expires_at=write.expires_at).model_dump_json()

        try:
            (version,) = await self._store.write_many(
                [own], OperationNote(outcome_key, text, datetime.now(UTC) + OUTCOME_TTL)
            )
        except PreconditionFailed as refusal:
            # The first attempt may be why the condition does not hold.
            if (known := await self._store.read(outcome_key)) is not None:
                outcome = _Outcome.model_validate_json(known.value)
                return Written(key=write.key, version=outcome.version, expires_at=outcome.expires_at)
            raise PreconditionFailed(cast("int | None", refusal.extra["current_version"])) from None
        return Written(key=write.key, version=version, expires_at=write.expires_at)

    async def read(self, key: str) -> Entry | None:
        """Return the entry under `key`, or None."""
        return self._unprefixed(await self._store.read(self._prefix + key))

    async def get(self, key: str) -> Entry:
        """Return the entry under `key`.

        Raises:
            KeyNotFound: there is none.
        """
        entry = await self.read(key)
        if entry is None:
            raise KeyNotFound("No entry has that key.")
        return entry

    async def read_many(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return the entries under `keys` as they are at one moment, and None where there is none."""
        return [self._unprefixed(entry) for entry in await self._store.read_many([self._prefix + key for key in keys])]

    async def delete(self, key: str, *, condition: Condition = ALWAYS) -> bool:
        """Remove the entry under `key`; False where there was none."""
        return await self._store.delete(self._prefix + key, condition=condition, author=self._author)

    async def keys(self, prefix: str, limit: int, after: str | None) -> KeyPage:
        """Return at most `limit` keys with `prefix` that come after `after`."""
        page = await self._store.keys(self._prefix + prefix, limit, self._prefix + (after or ""))
        cursor = None if page.cursor is None else self._strip(page.cursor)
        return KeyPage(keys=[self._strip(key) for key in page.keys], cursor=cursor)

    async def history(self, key: str) -> list[Revision]:
        """Return the versions of `key`, the newest first; none where it has no history."""
        return await self._store.history(self._prefix + key)

    async def get_history(self, key: str) -> History:
        """Return the history of `key`, the newest version first.

        Raises:
            KeyNotFound: the key has none.
        """
        revisions = await self.history(key)
        if not revisions:
            raise KeyNotFound("No entry has that key, and it has no history.")
        return History(key=key, revisions=revisions)

    async def forget(self, key: str, version: int) -> bool:
        """Remove an earlier version of an entry from its history; False where there is none."""
        return await self._store.forget(self._prefix + key, version)

    async def changes(self, prefix: str, after: str | None, limit: int) -> ChangePage:
        """Return the changes after a position of keys that start with `prefix`."""
        page = await self._store.changes(self._prefix + prefix, after, limit)
        return replace(page, changes=[replace(change, key=self._strip(change.key)) for change in page.changes])

    async def wait(self, position: str, timeout_s: float) -> None:
        """Return when any tenant's entries have changed after `position`, or at the timeout."""
        await self._store.wait(position, timeout_s)

    def _unprefixed(self, entry: Entry | None) -> Entry | None:
        return None if entry is None else entry.model_copy(update={"key": self._strip(entry.key)})

    def _strip(self, stored: str) -> str:
        return stored.removeprefix(self._prefix)


def tenant_prefix(tenant: str) -> str:
    """Return the prefix of the stored keys of a tenant."""
    return tenant + SEPARATOR
