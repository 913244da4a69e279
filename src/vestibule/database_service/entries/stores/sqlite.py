"""The store of one machine: entries in one SQLite file."""

import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Self

from vestibule.contracts.entries import ALWAYS, ChangeKind, Condition, Entry, KeyPage, Revision
from vestibule.contracts.errors import PreconditionFailed
from vestibule.database_service.entries.sqlite.database import Row, SqliteFile, prepare
from vestibule.database_service.entries.store import (
    LAST_ERASED,
    ChangeNotifier,
    ChangePage,
    OperationNote,
    PositionLost,
    StoreKind,
    Write,
    change_number_of,
    check_condition,
    end_after,
    entries_by_key,
    page_of_changes,
    page_of_ended,
    scope_of,
    wait_for,
)
from vestibule.database_service.settings import DatabaseSettings

# ruff: noqa: S608 - the statements below consist of these constants
PRESENT = "value IS NOT NULL AND (expires_at IS NULL OR expires_at > :now)"
NEXT_CHANGE = "(SELECT coalesce(max(change), 0) + 1 FROM entries)"
WRITE = f"""
    INSERT INTO entries (key, value, version, written_at, written_by, expires_at, change)
    VALUES (?, ?, 1, ?, ?, ?, {NEXT_CHANGE})
    ON CONFLICT (key) DO UPDATE
    SET value = excluded.value, version = version + 1, written_at = excluded.written_at,
        written_by = excluded.written_by, expires_at = excluded.expires_at, change = excluded.change
    RETURNING version
"""
PUT = f"""
    INSERT INTO entries (key, value, version, written_at, expires_at, change) VALUES (?, ?, ?, ?, ?, {NEXT_CHANGE})
    ON CONFLICT (key) DO UPDATE
    SET value = excluded.value, version = excluded.version, written_at = excluded.written_at, written_by = NULL,
        expires_at = excluded.expires_at, change = excluded.change
    WHERE excluded.version > version
"""
VERSION = f"SELECT version FROM entries WHERE key = :key AND {PRESENT}"
READ = f"SELECT key, value, version, expires_at FROM entries WHERE key = :key AND {PRESENT}"
READ_MANY = f"""
    SELECT key, value, version, expires_at FROM entries
    WHERE key IN (SELECT value FROM json_each(:keys)) AND {PRESENT}
"""
REPLACE = f"UPDATE entries SET value = :value WHERE key = :key AND version = :version AND {PRESENT} RETURNING version"
REPLACE_EARLIER = "UPDATE history SET value = :value WHERE key = :key AND version = :version RETURNING version"
DELETE = f"""
    UPDATE entries SET value = NULL, written_at = :now, written_by = :author, expires_at = NULL, change = {NEXT_CHANGE}
    WHERE key = :key AND {PRESENT} RETURNING version
"""
EXPIRED = "SELECT key FROM entries WHERE value IS NOT NULL AND expires_at <= :now LIMIT :limit"
EXPIRE = f"""
    UPDATE entries SET value = NULL, written_at = expires_at, written_by = NULL, change = {NEXT_CHANGE} WHERE key = :key
"""
# One lower bound for the index to begin at: with two it would begin at the first, and scan from there to the other.
KEYS = f"""
    SELECT key FROM entries INDEXED BY entries_present
    WHERE key >= max(:prefix, :after) AND key < :prefix || char(0x10FFFF) AND +key > :after AND {PRESENT}
    ORDER BY key LIMIT :limit
"""
HISTORY = """
    SELECT version, value, written_at, written_by, expires_at FROM entries WHERE key = :key
    UNION ALL SELECT version, value, written_at, written_by, expires_at FROM history WHERE key = :key
    ORDER BY version DESC
"""
FORGET = "DELETE FROM history WHERE key = :key AND version = :version RETURNING version"
ENDED = """
    SELECT key, change FROM entries
    WHERE value IS NULL AND written_at < :before AND key >= :prefix AND key < :prefix || char(0x10FFFF)
        AND change < (SELECT max(change) FROM entries)
    LIMIT :limit
"""
PURGE = "DELETE FROM entries WHERE key = ?"
# In the order of the index, of all tenants: a page reads as many rows as it may have keys.
ENDED_KEYS = """
    SELECT key, written_at FROM entries
    WHERE value IS NULL AND written_at >= :at AND (written_at > :at OR key > :after)
    ORDER BY written_at, key LIMIT :limit
"""
NEXT = f"SELECT {NEXT_CHANGE}"
FORGET_ALL = "DELETE FROM history WHERE key = ?"
RECORD_ERASURE = f"""
    INSERT INTO entries (key, version, written_at, change) VALUES ('{LAST_ERASED}', 1, ?, ?)
    ON CONFLICT (key) DO UPDATE SET written_at = excluded.written_at, change = excluded.change
"""
RECORD_PURGE = """
    INSERT INTO purges (prefix, change) VALUES (?, ?)
    ON CONFLICT (prefix) DO UPDATE SET change = max(change, excluded.change)
"""
LAST_PURGED = """
    SELECT max(change) FROM purges
    WHERE substr(prefix, 1, length(:prefix)) = :prefix OR substr(:prefix, 1, length(prefix)) = prefix
"""
LAST_CHANGE = "SELECT id, (SELECT coalesce(max(change), 0) FROM entries) FROM epoch"
CHANGES = """
    SELECT change, key, version, value IS NULL, expires_at FROM entries
    WHERE change > :after ORDER BY change LIMIT :limit
"""


class SqliteStore:
    """Entries in a SQLite file, which may hold tables of other parts."""

    def __init__(self, path: Path, keep_versions: int = 0) -> None:
        """Take the path, and how many versions of an entry the history has, the current one included."""
        self.on_commit: Callable[[int], None] = lambda _changes: None
        self.file = SqliteFile(
            path,
            partial(prepare, keep_versions=keep_versions),
            lambda changes: self.on_commit(changes),  # noqa: PLW0108 - it is set later
        )
        self._notifier = ChangeNotifier()

    async def __aenter__(self) -> Self:
        await self.file.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.file.__aexit__(*error)

    async def is_in_place(self) -> bool:
        """Say whether the file is where it was opened."""
        return await self.file.is_in_place()

    def lost_commits(self) -> Mapping[str, int]:
        """Return what the file lacks of its last commit."""
        return self.file.last_commit.lost

    async def write(self, write: Write) -> int:
        """Write a pair; return its version once it is on disk."""
        keep = _keep if write.condition is ALWAYS else _keep_if
        version = await self.file.change(partial(keep, write=write))
        self._notifier.notify()
        return version

    async def write_each(self, writes: Sequence[Write]) -> Sequence[int | BaseException]:
        """Write pairs, each on its own; return the version or the error of each."""
        outcomes = await self.file.change_each(partial(_keep_if, write=write) for write in writes)
        self._notifier.notify()
        return outcomes

    async def write_many(self, writes: Sequence[Write], note: OperationNote | None = None) -> list[int]:
        """Write all of `writes` with `note` or nothing; return their versions once they are on disk."""

        def keep(connection: sqlite3.Connection) -> list[int]:
            for index, write in enumerate(writes):
                if write.condition is not ALWAYS:
                    check_condition(write, _version(connection, write.key), index)
            if note is not None:
                note.check_absent(_version(connection, note.key), len(writes))
            versions = [_keep(connection, write) for write in writes]
            if note is not None:
                _keep(connection, note.as_write(versions))
            return versions

        versions = await self.file.change(keep)
        self._notifier.notify()
        return versions

    async def read(self, key: str) -> Entry | None:
        """Return the entry under `key`, or None."""
        rows = self.file.query(READ, {"key": key, "now": time.time()})
        return _entry(rows[0]) if rows else None

    async def read_many(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return the entries under `keys` as they are at one moment, and None where there is none."""
        parameters = {"keys": json.dumps(keys), "now": time.time()}
        held = self.file.examine(READ_MANY, parameters, lambda rows: entries_by_key(map(_entry, rows)))
        return [held.get(key) for key in keys]

    async def replace(self, key: str, value: str, version: int) -> bool:
        """Replace the value of a version, current or in the history; False where there is none."""
        parameters = {"value": value, "key": key, "version": version}
        return await self.file.change(
            lambda connection: any(_first(connection, one, parameters) for one in (REPLACE, REPLACE_EARLIER))
        )

    async def delete(self, key: str, *, condition: Condition = ALWAYS, author: str | None = None) -> bool:
        """Remove the value under `key` and its history; False where there was none."""

        def clear(connection: sqlite3.Connection) -> bool:
            if condition is not ALWAYS and not condition.allows(version := _version(connection, key)):
                raise PreconditionFailed(version)
            return _first(connection, DELETE, {"key": key, "author": author}) is not None

        is_deleted = await self.file.change(clear)
        self._notifier.notify()
        return is_deleted

    async def sweep(self, limit: int) -> int:
        """Remove at most `limit` values that have expired, with their history."""

        def expire(connection: sqlite3.Connection) -> int:
            expired = connection.execute(EXPIRED, {"now": time.time(), "limit": limit}).fetchall()
            connection.executemany(EXPIRE, [{"key": key} for (key,) in expired])
            return len(expired)

        removed = await self.file.change(expire)
        if removed:
            self._notifier.notify()
        return removed

    async def keys(self, prefix: str, limit: int, after: str | None) -> KeyPage:
        """Return at most `limit` keys with `prefix` that come after `after`."""
        parameters = {"prefix": prefix, "after": after or "", "limit": limit + 1, "now": time.time()}
        found = [row[0] for row in self.file.query(KEYS, parameters)]
        return KeyPage(keys=found[:limit], cursor=found[limit - 1] if len(found) > limit else None)

    async def put(self, entries: Sequence[Entry]) -> int:
        """Store entries with the versions of another store; return how many were newer than those here."""
        rows = [
            (one.key, one.value, one.version, time.time(), one.expires_at and one.expires_at.timestamp())
            for one in entries
        ]
        kept = await self.file.change(lambda connection: sum(connection.execute(PUT, row).rowcount for row in rows))
        self._notifier.notify()
        return kept

    async def history(self, key: str) -> list[Revision]:
        """Return the history of `key`, the newest version first."""
        revisions = [_revision(row) for row in self.file.query(HISTORY, {"key": key})]
        # An entry that has expired and was not swept yet has no history.
        return revisions if revisions and revisions[0].kind is ChangeKind.WRITTEN else revisions[:1]

    async def forget(self, key: str, version: int) -> bool:
        """Remove an earlier version of an entry from its history; False where there is none."""
        parameters = {"key": key, "version": version}
        return await self.file.change(lambda connection: _first(connection, FORGET, parameters)) is not None

    async def purge(self, prefix: str, before: datetime, limit: int) -> int:
        """Remove at most `limit` tombstones of keys with `prefix` that are older than that time."""
        parameters = {"prefix": prefix, "before": before.timestamp(), "limit": limit}

        def remove(connection: sqlite3.Connection) -> int:
            ended = connection.execute(ENDED, parameters).fetchall()
            connection.executemany(PURGE, [(key,) for key, _ in ended])
            if ended:
                connection.execute(RECORD_PURGE, (prefix, max(change for _, change in ended)))
            return len(ended)

        return await self.file.change(remove)

    async def ended(self, prefix: str, limit: int, after: str | None) -> KeyPage:
        """Return deleted and swept keys with `prefix`, the earliest first."""
        at, last = end_after(after or "0 ", float)
        rows = self.file.query(ENDED_KEYS, {"at": at, "after": last, "limit": limit})
        return page_of_ended([(key, repr(ended)) for key, ended in rows], prefix, limit)

    async def erase(self, key: str) -> bool:
        """Remove all that is known of a key; False where nothing is."""

        def remove(connection: sqlite3.Connection) -> bool:
            (change,) = connection.execute(NEXT).fetchone()
            connection.execute(FORGET_ALL, (key,))
            if not connection.execute(PURGE, (key,)).rowcount:
                return False
            connection.execute(RECORD_ERASURE, (time.time(), change))
            connection.execute(RECORD_PURGE, (scope_of(key), change))
            return True

        is_erased = await self.file.change(remove)
        self._notifier.notify()
        return is_erased

    async def scrub(self) -> None:
        """Move the write-ahead log into the file, and empty it."""
        await self.file.truncate_log()

    async def changes(self, prefix: str, after: str | None, limit: int) -> ChangePage:
        """Return the changes after a position of keys that start with `prefix`, of each key the last."""
        ((epoch, last),) = self.file.query(LAST_CHANGE, {})
        if after is None:
            return ChangePage([], f"{epoch}-{last}")
        since = change_number_of(after, epoch, last)
        rows = self.file.query(CHANGES, {"after": since, "limit": limit})
        # Read last: it covers what a purge removes during the read of the rows.
        ((lost,),) = self.file.query(LAST_PURGED, {"prefix": prefix})
        if since < (lost or 0):
            raise PositionLost
        return page_of_changes(rows, prefix, epoch, after)

    async def wait(self, position: str, timeout_s: float) -> None:
        """Return as soon as this process has made a change after `position`, or at the timeout."""
        changed = self._notifier.listen()
        ((epoch, last),) = self.file.query(LAST_CHANGE, {})
        if position == f"{epoch}-{last}":
            await wait_for(changed, timeout_s)


def _first(connection: sqlite3.Connection, statement: str, parameters: Mapping[str, object]) -> Row | None:
    row: Row | None = connection.execute(statement, {**parameters, "now": time.time()}).fetchone()
    return row


def _version(connection: sqlite3.Connection, key: str) -> int | None:
    row = _first(connection, VERSION, {"key": key})
    return None if row is None else int(row[0])


def _keep(connection: sqlite3.Connection, write: Write) -> int:
    expires_at = None if write.expires_at is None else write.expires_at.timestamp()
    # Values by position: this is the statement that has to be fast.
    row = connection.execute(WRITE, (write.key, write.value, time.time(), write.author, expires_at)).fetchone()
    if row is None:
        raise sqlite3.DatabaseError("the write returned no version")
    return int(row[0])


def _keep_if(connection: sqlite3.Connection, write: Write) -> int:
    if write.condition is not ALWAYS:
        check_condition(write, _version(connection, write.key))
    return _keep(connection, write)


def _entry(row: Row) -> Entry:
    key, value, version, expires_at = row
    return Entry(key=key, value=value, version=version, expires_at=_time(expires_at))


def _revision(row: Row) -> Revision:
    version, value, at, by, expires_at = row
    if expires_at is not None and (value is None or expires_at <= time.time()):
        return Revision(version=version, kind=ChangeKind.EXPIRED, at=datetime.fromtimestamp(expires_at, UTC))
    kind = ChangeKind.DELETED if value is None else ChangeKind.WRITTEN
    at = datetime.fromtimestamp(at, UTC)
    return Revision(version=version, kind=kind, at=at, by=by, value=value, expires_at=_time(expires_at))


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def build(settings: DatabaseSettings) -> SqliteStore:
    """Return the store in the file that the settings name."""
    return SqliteStore(settings.sqlite_path, settings.keep_versions)


STORE = StoreKind("sqlite", "One file on this machine; a write is on disk before it is answered.", build)
