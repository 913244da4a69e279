"""The store in memory, the double for tests: the tables and statements of the SQLite store, without a file."""

import sqlite3
from functools import partial
from pathlib import Path
from typing import Any, Self

from vestibule.database_service.entries.sqlite.database import Prepare, SqliteFile, Work, commit, prepare
from vestibule.database_service.entries.store import StoreKind
from vestibule.database_service.entries.stores.sqlite import SqliteStore
from vestibule.database_service.settings import DatabaseSettings


class _MemoryFile(SqliteFile):
    """One connection without a file. It is open from the start, and a change is committed at once."""

    def __init__(self, prepare: Prepare) -> None:
        super().__init__(Path(), prepare)
        self._reader = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        prepare(self._reader)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    async def truncate_log(self) -> None:
        """Do nothing: there is no log."""

    async def tend_log(self) -> None:
        """Do nothing: it has no log."""

    async def _commit(self, changes: list[Work[Any]]) -> list[Any]:
        return commit(self._open_reader(), changes)


class MemoryStore(SqliteStore):
    """Entries in memory, which may be used without its context."""

    def __init__(self, keep_versions: int = 0) -> None:
        super().__init__(Path(), keep_versions)
        self.file = _MemoryFile(partial(prepare, keep_versions=keep_versions))


def build(settings: DatabaseSettings) -> MemoryStore:
    """Return an empty store."""
    return MemoryStore(settings.keep_versions)


STORE = StoreKind("memory", "Keeps nothing over a restart; for tests and trials.", build)
