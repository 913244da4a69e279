"""What one tenant sees of a store: the one place where a tenant becomes part of a key."""

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

# No tenant's name holds it, so that no name is the beginning of another's space.
SEPARATOR = "/"
# What came of operations, in a space that no caller has. Who repeats one has known its name for at most a day.
OPERATIONS = f"{RESERVED}operations{SEPARATOR}"
REMEMBERED_FOR = timedelta(hours=25)


class _Outcome(BaseModel):
    """What is remembered of a write: nothing that came in with it."""

    version: int
    expires_at: datetime | None


class TenantView:
    """The entries of one tenant, under the keys that it gave them. What raises, raises as the store does.

    A store keeps them under `tenant/key`. Whatever a tenant asks for begins with its own name and the separator, so
    there is no key, prefix or cursor by which it could reach what is another's.
    """

    def __init__(self, store: Store, principal: Principal) -> None:
        self._store = store
        self._start = start_of(principal.tenant)
        self._author = principal.token_id

    async def write(
        self, key: str, value: str, *, expires_at: datetime | None = None, condition: Condition = ALWAYS
    ) -> int:
        """Keep `value` under `key`; return its version once it is on disk."""
        return await self._store.write(
            self._start + key, value, expires_at=expires_at, condition=condition, author=self._author
        )

    async def write_many(self, writes: Sequence[Write]) -> list[int]:
        """Keep all of `writes` or none; return their versions once they are on disk."""
        return await self._store.write_many(
            [replace(write, key=self._start + write.key, author=self._author) for write in writes]
        )

    async def write_once(self, write: Write, operation: str) -> Written:
        """Keep a value once, however often `operation` is repeated within a day; return what came of the first time.

        What is remembered of it is kept in one transaction with the value, so either both are there or neither.
        """
        remembered = f"{OPERATIONS}{self._start}{operation}"
        own = replace(write, key=self._start + write.key, author=self._author)

        def text(versions: Sequence[int]) -> str:
            return _Outcome(version=versions[0], expires_at=write.expires_at).model_dump_json()

        try:
            (version,) = await self._store.write_many(
                [own], OperationNote(remembered, text, datetime.now(UTC) + REMEMBERED_FOR)
            )
        except PreconditionFailed as refusal:
            # Its own first time may be why the entry is not as its condition says.
            if (known := await self._store.read(remembered)) is not None:
                outcome = _Outcome.model_validate_json(known.value)
                return Written(key=write.key, version=outcome.version, expires_at=outcome.expires_at)
            raise PreconditionFailed(cast("int | None", refusal.extra["current_version"])) from None
        return Written(key=write.key, version=version, expires_at=write.expires_at)

    async def read(self, key: str) -> Entry | None:
        """Return the entry under `key`, or None."""
        return self._own(await self._store.read(self._start + key))

    async def get(self, key: str) -> Entry:
        """Return the entry under `key`.

        Raises:
            KeyNotFound: there is none.
        """
        entry = await self.read(key)
        if entry is None:
            raise KeyNotFound("Nothing is stored under that key.")
        return entry

    async def read_many(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return the entries under `keys` as they are at one moment, and None where there is none."""
        return [self._own(entry) for entry in await self._store.read_many([self._start + key for key in keys])]

    async def delete(self, key: str, *, condition: Condition = ALWAYS) -> bool:
        """Remove the entry under `key`; False where there was none."""
        return await self._store.delete(self._start + key, condition=condition, author=self._author)

    async def keys(self, prefix: str, limit: int, after: str | None) -> KeyPage:
        """Return at most `limit` keys with `prefix` that come after `after`."""
        page = await self._store.keys(self._start + prefix, limit, self._start + (after or ""))
        cursor = None if page.cursor is None else self._cut(page.cursor)
        return KeyPage(keys=[self._cut(key) for key in page.keys], cursor=cursor)

    async def history(self, key: str) -> list[Revision]:
        """Return what is known of `key`, the newest first."""
        return await self._store.history(self._start + key)

    async def get_history(self, key: str) -> History:
        """Return the history of `key`, the newest version first.

        Raises:
            KeyNotFound: the key has none.
        """
        revisions = await self.history(key)
        if not revisions:
            raise KeyNotFound("Nothing is known of that key.")
        return History(key=key, revisions=revisions)

    async def forget(self, key: str, version: int) -> bool:
        """Remove an earlier version of an entry from its history; False where there is no such."""
        return await self._store.forget(self._start + key, version)

    async def changes(self, prefix: str, after: str | None, limit: int) -> ChangePage:
        """Return what happened after a position to keys that start with `prefix`."""
        page = await self._store.changes(self._start + prefix, after, limit)
        return replace(page, changes=[replace(change, key=self._cut(change.key)) for change in page.changes])

    async def wait(self, position: str, timeout_s: float) -> None:
        """Return when something has happened after `position`, to whomever, and at the latest in time."""
        await self._store.wait(position, timeout_s)

    def _own(self, entry: Entry | None) -> Entry | None:
        return None if entry is None else entry.model_copy(update={"key": self._cut(entry.key)})

    def _cut(self, stored: str) -> str:
        return stored.removeprefix(self._start)


def start_of(tenant: str) -> str:
    """Return what the stored keys of a tenant begin with."""
    return tenant + SEPARATOR
