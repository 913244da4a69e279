"""Notes the last commit beside a SQLite file, so that the loss of acknowledged commits is noticed at the next start.

A truncated write-ahead log is no error for SQLite: it ends earlier. The note is written within moments of a commit,
without a flush. It may be older than the file, after a failure of the machine too, and never newer.
"""

import json
import os
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

# The columns that number what is in a file, by their tables.
NUMBERED = {"entries": "change", "tasks": "seq"}
NOTE_BYTES = 100


class LastCommit:
    """The highest numbers of the last commit. `lost` is what is missing of those, by table, since the file was open."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._descriptor: int | None = None
        self._tables: list[str] = []
        self.lost: Mapping[str, int] = {}

    def open(self, connection: sqlite3.Connection) -> None:
        """Compare the note with the file.

        Raises:
            OSError: the note cannot be opened.
        """
        path = self._database.with_name(f".{self._database.name}.last")
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        noted, found = _parse(os.pread(self._descriptor, NOTE_BYTES, 0)), self._read(connection)
        self.lost = {table: last - found.get(table, 0) for table, last in noted.items() if last > found.get(table, 0)}

    def note(self, connection: sqlite3.Connection) -> None:
        """Note the numbers after a commit; a note that cannot be written fails nothing."""
        if self._descriptor is not None:
            with suppress(OSError, sqlite3.Error):
                os.pwrite(self._descriptor, json.dumps(self._read(connection)).encode().ljust(NOTE_BYTES), 0)

    def close(self) -> None:
        """Close the note."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _read(self, connection: sqlite3.Connection) -> dict[str, int]:
        if len(self._tables) < len(NUMBERED):  # the ledger creates its table after the file was opened
            named = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
            self._tables = [table for (table,) in named if table in NUMBERED]
        if not self._tables:
            return {}
        numbers = ", ".join(f"(SELECT max({NUMBERED[table]}) FROM {table})" for table in self._tables)  # noqa: S608
        found = connection.execute(f"VALUES ({numbers})").fetchone()
        return {table: number or 0 for table, number in zip(self._tables, found, strict=True)}


def _parse(content: bytes) -> dict[str, int]:
    try:
        noted = json.loads(content)
        return {table: int(noted[table]) for table in NUMBERED if table in noted}
    except (ValueError, TypeError):
        return {}
