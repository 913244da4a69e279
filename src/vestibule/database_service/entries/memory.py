"""A store in memory, without persistence: the double for tests, which passes the same conformance suite."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self

from vestibule.contracts.conditions import ALWAYS, Condition
from vestibule.contracts.entries import ChangeKind, Entry, KeyPage, Revision
from vestibule.contracts.errors import PreconditionFailed
from vestibule.contracts.identity import RESERVED
from vestibule.database_service.entries.store import (
    ChangeNotifier,
    ChangePage,
    KeyChange,
    OperationNote,
    PositionLost,
    StoreKind,
    Write,
    check_condition,
    entries_by_key,
    wait_for,
)
from vestibule.database_service.settings import DatabaseSettings


@dataclass(slots=True)
class _Row:
    """The newest revision of a key, the ones before it, and the number of its last change."""

    now: Revision
    change: int
    before: list[Revision] = field(default_factory=list)


class MemoryStore:
    """Entries in a dictionary. Versions continue after a delete, as in the other stores."""

    def __init__(self, keep_versions: int = 0) -> None:
        self._rows: dict[str, _Row] = {}
        self._earlier_versions = max(0, keep_versions - 1)
        self._last_change = 0
        self._lost: dict[str, int] = {}
        self._notifier = ChangeNotifier()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    async def write(self, write: Write) -> int:
        """Write a pair and return its version."""
        check_condition(write, self._version(write.key))
        return self._keep(write)

    async def write_each(self, writes: Sequence[Write]) -> list[int]:
        """Write pairs, each on its own."""
        return [self._keep(write) for write in writes]

    async def write_many(self, writes: Sequence[Write], note: OperationNote | None = None) -> list[int]:
        """Write all of `writes` with `note` or nothing, and return their versions."""
        for index, write in enumerate(writes):
            check_condition(write, self._version(write.key), index)
        if note is not None:
            note.check_absent(self._version(note.key), len(writes))
        versions = [self._keep(write) for write in writes]
        if note is not None:
            self._keep(note.as_write(versions))
        return versions

    async def read(self, key: str) -> Entry | None:
        """Return the entry under `key`, or None."""
        row = self._present(key)
        if row is None:
            return None
        now = row.now
        return Entry(key=key, value=now.value or "", version=now.version, expires_at=now.expires_at)

    async def read_many(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return the entries under `keys`, and None where there is none."""
        held = entries_by_key([entry for key in set(keys) if (entry := await self.read(key)) is not None])
        return [held.get(key) for key in keys]

    async def replace(self, key: str, value: str, version: int) -> bool:
        """Replace the value of a version, current or in the history; False where there is none."""
        row = self._present(key)
        if row is None:
            return False
        for revision in (row.now, *row.before):
            if revision.version == version:
                revision.value = value
                return True
        return False

    async def delete(self, key: str, *, condition: Condition = ALWAYS, author: str | None = None) -> bool:
        """Remove the entry under `key`; False where there was none."""
        version = self._version(key)
        if not condition.allows(version):
            raise PreconditionFailed(version)
        if version is None:
            return False
        self._set(key, Revision(version=version, kind=ChangeKind.DELETED, at=datetime.now(UTC), by=author), [])
        return True

    async def keys(self, prefix: str, limit: int, after: str | None) -> KeyPage:
        """Return at most `limit` keys with `prefix` that come after `after`."""
        present = (key for key in self._rows if key.startswith(prefix) and self._version(key) is not None)
        found = sorted(key for key in present if after is None or key > after)
        return KeyPage(keys=found[:limit], cursor=found[limit - 1] if len(found) > limit else None)

    async def sweep(self, limit: int) -> int:
        """Remove at most `limit` values that have expired."""
        expired = [
            (key, row.now)
            for key, row in self._rows.items()
            if row.now.kind is ChangeKind.WRITTEN and _has_expired(row.now)
        ][:limit]
        for key, now in expired:
            self._set(key, _expiry_of(now), [])
        return len(expired)

    async def put(self, entries: Sequence[Entry]) -> int:
        """Store entries with the versions of another store; return how many were newer than those here."""
        newer = [one for one in entries if one.key not in self._rows or self._rows[one.key].now.version < one.version]
        for one in newer:
            now = Revision(
                version=one.version,
                kind=ChangeKind.WRITTEN,
                at=datetime.now(UTC),
                value=one.value,
                expires_at=one.expires_at,
            )
            self._set(one.key, now, [])
        return len(newer)

    async def history(self, key: str) -> list[Revision]:
        """Return the history of `key`, the newest version first."""
        row = self._rows.get(key)
        if row is None:
            return []
        if self._present(key) is None:
            return [_expiry_of(row.now) if row.now.kind is ChangeKind.WRITTEN else row.now]
        return [revision.model_copy() for revision in (row.now, *row.before)]

    async def forget(self, key: str, version: int) -> bool:
        """Remove an earlier version of an entry from its history; False where there is none."""
        row = self._rows.get(key)
        if row is None or version not in {revision.version for revision in row.before}:
            return False
        row.before = [revision for revision in row.before if revision.version != version]
        return True

    async def purge(self, prefix: str, before: datetime, limit: int) -> int:
        """Remove at most `limit` tombstones of keys with `prefix` that are older than that time."""
        ended = [
            key
            for key, row in self._rows.items()
            if key.startswith(prefix) and row.now.kind is not ChangeKind.WRITTEN and row.now.at < before
        ][:limit]
        for key in ended:
            self._lost[prefix] = max(self._lost.get(prefix, 0), self._rows.pop(key).change)
        return len(ended)

    async def changes(self, prefix: str, after: str | None, limit: int) -> ChangePage:
        """Return the changes after a position of keys that start with `prefix`."""
        if after is None:
            return ChangePage([], str(self._last_change))
        lost = [change for start, change in self._lost.items() if start.startswith(prefix) or prefix.startswith(start)]
        if not after.isdecimal() or not max(lost, default=0) <= int(after) <= self._last_change:
            raise PositionLost
        rows = sorted((row.change, key) for key, row in self._rows.items() if row.change > int(after))[:limit]
        found = [self._shown(key) for _, key in rows if key.startswith(prefix)]
        return ChangePage(found, str(rows[-1][0]) if rows else after)

    async def wait(self, position: str, timeout_s: float) -> None:
        """Return as soon as a change after `position` is known, or at the timeout."""
        rung = self._notifier.listen()
        if position == str(self._last_change):
            await wait_for(rung, timeout_s)

    def _keep(self, write: Write) -> int:
        row = self._rows.get(write.key)
        version = 1 if row is None else row.now.version + 1
        is_kept = row is not None and self._present(write.key) is not None and not write.key.startswith(RESERVED)
        before = [row.now, *row.before] if row is not None and is_kept else []
        now = Revision(
            version=version,
            kind=ChangeKind.WRITTEN,
            at=datetime.now(UTC),
            by=write.author,
            value=write.value,
            expires_at=write.expires_at,
        )
        self._set(write.key, now, before[: self._earlier_versions])
        return version

    def _set(self, key: str, now: Revision, before: list[Revision]) -> None:
        self._last_change += 1
        self._rows[key] = _Row(now, self._last_change, before)
        self._notifier.notify()

    def _version(self, key: str) -> int | None:
        row = self._present(key)
        return None if row is None else row.now.version

    def _present(self, key: str) -> _Row | None:
        row = self._rows.get(key)
        return None if row is None or row.now.kind is not ChangeKind.WRITTEN or _has_expired(row.now) else row

    def _shown(self, key: str) -> KeyChange:
        row = self._rows[key]
        return KeyChange(key, row.now.version, row.now.kind, str(row.change))


def _has_expired(revision: Revision) -> bool:
    return revision.expires_at is not None and revision.expires_at <= datetime.now(UTC)


def _expiry_of(revision: Revision) -> Revision:
    at = revision.expires_at or revision.at
    return Revision(version=revision.version, kind=ChangeKind.EXPIRED, at=at)


def build(settings: DatabaseSettings) -> MemoryStore:
    """Return an empty store."""
    return MemoryStore(settings.keep_versions)


STORE = StoreKind("memory", "Keeps nothing over a restart; for tests and trials.", build)
