"""The store of many machines: entries in PostgreSQL, for several database services at once."""

import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from vestibule.contracts.entries import ALWAYS, ChangeKind, Condition, Entry, KeyPage, Revision
from vestibule.contracts.errors import TooLarge, Unavailable
from vestibule.database_service.entries.postgresql.changes import (
    EntryChange,
    deletion_of,
    noted_writes_of,
    removal_of,
    replacement_of,
    write_of,
    writes_of,
)
from vestibule.database_service.entries.store import (
    LAST_ERASED,
    MAX_READ_CHARS,
    ChangeNotifier,
    ChangePage,
    OperationNote,
    PositionLost,
    StoreAdministration,
    StoreKind,
    Write,
    change_number_of,
    end_after,
    page_of_changes,
    page_of_ended,
    scope_of,
    wait_for,
)
from vestibule.database_service.settings import DatabaseSettings

if TYPE_CHECKING:
    from vestibule.database_service.entries.postgresql.connections import Connections, GroupCommit

NUL = "\0"
LAST_CHARACTER = "\U0010ffff"
# ruff: noqa: S608 - the statements below consist of these constants
PRESENT = "value IS NOT NULL AND (expires_at IS NULL OR expires_at > clock_timestamp())"
READ = f"SELECT key, value, version, expires_at FROM vestibule.entries WHERE key = $1 AND {PRESENT}"
# Sizes are known without reading the values, which are sent only if they all fit.
READ_MANY = f"""
    WITH found AS (
        SELECT key, value, version, expires_at, octet_length(value) AS size
        FROM vestibule.entries WHERE key = ANY($1) AND {PRESENT}
    )
    SELECT key, CASE WHEN (SELECT sum(size) FROM found) <= $2 THEN value END AS value, version, expires_at FROM found
"""
LAST_VERSIONS = "SELECT key, version FROM vestibule.entries WHERE key = ANY($1)"
KEYS = f"""
    SELECT key FROM vestibule.entries WHERE key >= $1 AND key < $2 AND key > $3 AND {PRESENT}
    ORDER BY key LIMIT $4
"""
# The lock comes first, since it returns the number for the rows. A replaced entry loses its history.
PUT = """
    WITH begun AS MATERIALIZED (SELECT vestibule.begin_changes($1) AS last_change),
    given AS (
        SELECT * FROM unnest($2::text[], $3::bytea[], $4::bigint[], $5::timestamptz[])
            WITH ORDINALITY AS given(key, value, version, expires_at, number)
    ),
    kept AS (
        INSERT INTO vestibule.entries (key, value, version, written_at, expires_at, change)
            SELECT key, value, version, clock_timestamp(), expires_at, last_change + number FROM begun, given
        ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version,
            written_at = excluded.written_at, written_by = NULL, expires_at = excluded.expires_at,
            change = excluded.change
            WHERE excluded.version > entries.version
        RETURNING key
    ),
    forgotten AS (DELETE FROM vestibule.history USING kept WHERE history.key = kept.key)
    SELECT count(*) FROM kept
"""
SWEEP = "SELECT vestibule.expire_entries($1, $2)"
HISTORY = """
    SELECT version, value, written_at, written_by, expires_at, expires_at <= clock_timestamp() AS has_expired FROM (
        SELECT * FROM (SELECT version, value, written_at, written_by, expires_at
            FROM vestibule.entries WHERE key = $1) AS entry
        UNION ALL
        SELECT version, value, written_at, written_by, expires_at FROM vestibule.history WHERE key = $1
    ) AS revisions ORDER BY version DESC
"""
FIRST_END = "0001-01-02T00:00:00+00:00 "
PURGE = "SELECT vestibule.purge_entries($1, $2, $3, $4)"
ERASE = "SELECT vestibule.erase_entry($1, $2, $3, $4)"
ENDED_KEYS = """
    SELECT key, written_at FROM vestibule.entries
    WHERE value IS NULL AND written_at >= $1 AND (written_at > $1 OR key > $2)
    ORDER BY written_at, key LIMIT $3
"""
LAST_CHANGE = "SELECT id, (SELECT coalesce(max(change), 0) FROM vestibule.entries) AS last FROM vestibule.epoch"
CHANGES = """
    SELECT change, key, version, value IS NULL AS has_ended, expires_at FROM vestibule.entries
    WHERE change > $1 ORDER BY change LIMIT $2
"""
LAST_PURGED = """
    SELECT coalesce(max(change), 0) AS lost FROM vestibule.purges
    WHERE starts_with(prefix, $1) OR starts_with($1, prefix)
"""
# How often a waiting watcher polls for changes of other services.
POLL_INTERVAL_S = 0.5
MAX_ATTEMPTS = 100


class PostgresqlStore:
    """Entries in the schema `vestibule` of a PostgreSQL database, which several services can use at the same time."""

    def __init__(self, connections: "Connections", group_commit: "GroupCommit") -> None:
        self.connections = connections
        self._group_commit = group_commit
        self._notifier = ChangeNotifier()
        self._parts = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._parts.enter_async_context(self.connections)
        self._parts.push_async_callback(self._group_commit.batcher.drain)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._parts.aclose()

    async def write(self, write: Write) -> int:
        """Write a pair; return its version once it is on disk."""
        version: int = await self._change(write_of(write))
        return version

    async def write_each(self, writes: Sequence[Write]) -> Sequence[int | BaseException]:
        """Write pairs, each on its own; return the version or the error of each."""
        outcomes = await self._group_commit.batcher.submit_all([write_of(write) for write in writes])
        self._notifier.notify()
        return outcomes

    async def write_many(self, writes: Sequence[Write], note: OperationNote | None = None) -> list[int]:
        """Write all of `writes` with `note` or nothing; return their versions once they are on disk."""
        if note is None:
            versions: list[int] = await self._change(writes_of(writes))
            return versions
        # The note is made here from versions that are not assigned yet; the change is refused if the writes get others.
        for _ in range(MAX_ATTEMPTS):
            rows = await self.connections.read(LAST_VERSIONS, [write.key for write in writes])
            last = {row["key"]: row["version"] for row in rows}
            versions = [last.get(write.key, 0) + 1 for write in writes]
            if await self._change(noted_writes_of(writes, note, versions)):
                return versions
        raise Unavailable("database", "Write conflict: too many concurrent writers. Nothing was written.")

    async def read(self, key: str) -> Entry | None:
        """Return the entry under `key`, or None."""
        if NUL in key:
            return None
        rows = await self.connections.read(READ, key)
        return _entry(rows[0]) if rows else None

    async def read_many(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return the entries under `keys` as they are at one moment, and None where there is none."""
        rows = await self.connections.read(
            READ_MANY, [key for key in dict.fromkeys(keys) if NUL not in key], MAX_READ_CHARS
        )
        if any(row["value"] is None for row in rows):
            raise TooLarge("The values are too large for one response; read fewer keys at once.")
        held = {row["key"]: _entry(row) for row in rows}
        return [held.get(key) for key in keys]

    async def replace(self, key: str, value: str, version: int) -> bool:
        """Replace the value of a version, current or in the history; False where there is none."""
        is_replaced: bool = await self._group_commit.batcher.submit(replacement_of(key, value, version))
        return is_replaced

    async def delete(self, key: str, *, condition: Condition = ALWAYS, author: str | None = None) -> bool:
        """Remove the value under `key` and its history; False where there was none."""
        is_deleted: bool = await self._change(deletion_of(key, condition, author))
        return is_deleted

    async def sweep(self, limit: int) -> int:
        """Remove at most `limit` values that have expired, with their history."""
        ((removed,),) = await self.connections.change(SWEEP, self._group_commit.lock_timeout_ms, limit)
        if removed:
            self._notifier.notify()
        return int(removed)

    async def put(self, entries: Sequence[Entry]) -> int:
        """Store entries with the versions of another store; return how many were newer than those here."""
        keys, contents = [one.key for one in entries], [one.value.encode() for one in entries]
        versions, ends = [one.version for one in entries], [one.expires_at for one in entries]
        parameters = (self._group_commit.lock_timeout_ms, keys, contents, versions, ends)
        ((kept,),) = await self.connections.change(PUT, *parameters)
        self._notifier.notify()
        return int(kept)

    async def history(self, key: str) -> list[Revision]:
        """Return the history of `key`, the newest version first."""
        revisions = [_revision(row) for row in await self.connections.read(HISTORY, key)] if NUL not in key else []
        # An entry that has expired and was not swept yet has no history.
        return revisions if revisions and revisions[0].kind is ChangeKind.WRITTEN else revisions[:1]

    async def forget(self, key: str, version: int) -> bool:
        """Remove an earlier version of an entry from its history; False where there is none."""
        is_forgotten: bool = await self._group_commit.batcher.submit(removal_of(key, version))
        return is_forgotten

    async def purge(self, prefix: str, before: datetime, limit: int) -> int:
        """Remove at most `limit` tombstones of keys with `prefix` that are older than that time."""
        parameters = (self._group_commit.lock_timeout_ms, prefix, before, limit)
        ((purged,),) = await self.connections.change(PURGE, *parameters)
        return int(purged)

    async def ended(self, prefix: str, limit: int, after: str | None) -> KeyPage:
        """Return deleted and swept keys with `prefix`, the earliest first."""
        at, last = end_after(after or FIRST_END, _moment)
        rows = await self.connections.read(ENDED_KEYS, at, last, limit)
        return page_of_ended([(row["key"], row["written_at"].isoformat()) for row in rows], prefix, limit)

    async def erase(self, key: str) -> bool:
        """Remove all that is known of a key; False where nothing is."""
        if NUL in key:
            return False
        parameters = (self._group_commit.lock_timeout_ms, key, scope_of(key), LAST_ERASED)
        ((is_erased,),) = await self.connections.change(ERASE, *parameters)
        self._notifier.notify()
        return bool(is_erased)

    async def scrub(self) -> None:
        """Do nothing: the server vacuums its files itself."""

    async def changes(self, prefix: str, after: str | None, limit: int) -> ChangePage:
        """Return the changes after a position of keys that start with `prefix`, of each key the last."""
        ((epoch, last),) = await self.connections.read(LAST_CHANGE)
        if after is None:
            return ChangePage([], f"{epoch}-{last}")
        since = change_number_of(after, epoch, last)
        rows = await self.connections.read(CHANGES, since, limit)
        # Read last: it covers what a purge removes during the read of the rows.
        ((lost,),) = await self.connections.read(LAST_PURGED, prefix)
        if since < lost:
            raise PositionLost
        return page_of_changes(rows, prefix, epoch, after)

    async def wait(self, position: str, timeout_s: float) -> None:
        """Return as soon as a change after `position` is known, also one of another service, or at the timeout."""
        end = time.monotonic() + timeout_s
        while (left_s := end - time.monotonic()) > 0:
            changed = self._notifier.listen()
            ((epoch, last),) = await self.connections.read(LAST_CHANGE)
            if position != f"{epoch}-{last}":
                return
            await wait_for(changed, min(left_s, POLL_INTERVAL_S))

    async def keys(self, prefix: str, limit: int, after: str | None) -> KeyPage:
        """Return at most `limit` keys with `prefix` that come after `after`."""
        if NUL in prefix:
            return KeyPage(keys=[])
        rows = await self.connections.read(KEYS, prefix, prefix + LAST_CHARACTER, after or "", limit + 1)
        found = [row["key"] for row in rows]
        return KeyPage(keys=found[:limit], cursor=found[limit - 1] if len(found) > limit else None)

    async def _change(self, change: EntryChange) -> Any:
        outcome = await self._group_commit.batcher.submit(change)
        self._notifier.notify()
        return outcome


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone")
    return moment


def _entry(row: Any) -> Entry:
    return Entry(key=row["key"], value=row["value"].decode(), version=row["version"], expires_at=row["expires_at"])


def _revision(row: Any) -> Revision:
    if row["has_expired"]:
        return Revision(version=row["version"], kind=ChangeKind.EXPIRED, at=row["expires_at"])
    has_ended = row["value"] is None
    return Revision(
        version=row["version"],
        kind=ChangeKind.DELETED if has_ended else ChangeKind.WRITTEN,
        at=row["written_at"],
        by=row["written_by"],
        value=None if has_ended else row["value"].decode(),
        expires_at=row["expires_at"],
    )


def build(settings: DatabaseSettings) -> PostgresqlStore:
    """Return the store in the database that the URL names.

    Raises:
        ValueError: the URL has an invalid option.
    """
    # Loaded here, since other stores do not need the driver.
    from vestibule.database_service.entries.postgresql.connections import Connections, GroupCommit  # noqa: PLC0415
    from vestibule.database_service.entries.postgresql.server import PostgresqlAddress  # noqa: PLC0415

    connections = Connections(PostgresqlAddress.parse(settings.database_url), settings.database_timeout_s)
    # The server times out before the client does, so that most callers learn that nothing was written.
    lock_timeout_ms = int(settings.database_timeout_s * 750)
    return PostgresqlStore(connections, GroupCommit(connections, lock_timeout_ms, max(0, settings.keep_versions - 1)))


def administration() -> StoreAdministration:
    """Return what migrates and checks the store; it is loaded for the command line alone."""
    from vestibule.database_service.entries.postgresql import schema  # noqa: PLC0415

    return schema


STORE = StoreKind(
    "postgresql", "A PostgreSQL database, which several database services can share.", build, administration
)
