"""What keeps a service from starting, and the marks by which the loss of a database is noticed."""

import re
import sqlite3
from pathlib import Path

from vestibule.runtime.files import write_private

# Another process has the file, or the disk fails: a later start may succeed.
_PASSING = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_IOERR", "SQLITE_FULL")


_IDENTITY = re.compile("([0-9a-z]{4,32})\n")


class StartRefused(Exception):
    """A file or a store cannot be used as it is; the message has the cause and the way out. The exit code is 78."""


class DatabaseMark:
    """A small file that says that a database was created, and which one.

    It is written once the database exists and stays until `vestibule db adopt`, so that a database that is gone, empty
    or another one is not taken for a first start.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def beside(cls, database: Path) -> "DatabaseMark":
        """Return the mark of a database in one file."""
        return cls(database.with_name(f".{database.name}.created"))

    def read(self) -> str | None:
        """Return the identity of the database, None where none was created or the mark is unreadable."""
        try:
            text = self.path.read_text(encoding="ascii")
        except (FileNotFoundError, UnicodeDecodeError):
            return None
        found = _IDENTITY.fullmatch(text)
        return found[1] if found else None

    def write(self, identity: str) -> None:
        """Record that the database exists, unless that is recorded already."""
        if self.read() != identity:
            write_private(self.path, f"{identity}\n".encode())

    def remove(self) -> bool:
        """Let the next start take the database as it is, or create it; False where there is no mark."""
        is_there = self.path.exists()
        self.path.unlink(missing_ok=True)
        # The note of the last commit is of that database too.
        self.path.with_suffix(".last").unlink(missing_ok=True)
        return is_there

    def expect(self, database: Path) -> None:
        """Check that the file of the database is there, if one was created.

        Raises:
            StartRefused: it is missing or empty.
        """
        size = database.stat().st_size if database.exists() else None
        if not size and self.path.exists():
            raise StartRefused(f"{database} is {'missing' if size is None else 'empty'}, and it had data; {WAY_OUT}")


WAY_OUT = "restore it from a backup, or run `vestibule db adopt` to start with a new one"


def is_passing(error: Exception) -> bool:
    """Say whether a later start may succeed after `error`."""
    return getattr(error, "sqlite_errorname", "").startswith(_PASSING)


def refuse_file(path: Path, error: Exception) -> StartRefused:
    """Return why the database in `path` cannot be opened."""
    reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    way_out = "move it away with its -wal and -shm" if isinstance(error, sqlite3.Error) else "correct its permissions"
    return StartRefused(f"{path} cannot be used ({reason}); {way_out} and {WAY_OUT}")
