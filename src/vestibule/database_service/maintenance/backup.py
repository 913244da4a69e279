"""Checks, backs up and restores the file of the SQLite store; exports the entries of any store and imports them.

Source: SQLite, "SQLite Backup API", "Write-Ahead Logging".
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from vestibule.contracts.entries import Entry
from vestibule.contracts.errors import TooLarge
from vestibule.database_service.entries.sqlite.database import NEW_EPOCH
from vestibule.database_service.entries.store import Store
from vestibule.database_service.entries.store_identity import IDENTITY_KEY
from vestibule.runtime.files import remove_write_ahead_log
from vestibule.runtime.starts import DatabaseMark

PAGES_AT_ONCE = 1000
MAX_FAULTS = 100
LOCK_TIMEOUT_S = 0.5

# Pages that are copied, of how many.
OnProgress = Callable[[int, int], None]


PAGE = 200
FORMAT = 1


class DatabaseFileError(Exception):
    """The file cannot be used; says why."""


def check(path: Path) -> list[str]:
    """Return the faults of the file; a running service is not disturbed.

    Raises:
        DatabaseFileError: the file does not exist or cannot be opened.
    """
    with closing(_open(path)) as connection:
        try:
            faults = [row[0] for row in connection.execute(f"PRAGMA integrity_check({MAX_FAULTS})")]
            connection.execute("SELECT key, value, version, written_at FROM entries LIMIT 1").fetchall()
        except sqlite3.DatabaseError as error:
            return [str(error)]
    return [] if faults == ["ok"] else faults


def back_up(path: Path, target: Path, on_progress: OnProgress) -> None:
    """Copy the file as it is at this moment to `target`, which must not exist; a running service continues.

    Raises:
        DatabaseFileError: `target` exists, the file cannot be read, or the copy is not sound.
    """
    if target.exists():
        raise DatabaseFileError(f"{target} exists")
    with _copied(path, target, on_progress) as copy:
        copy.replace(target)
    _flush(target.parent)


def restore(backup: Path, path: Path, on_progress: OnProgress) -> None:
    """Replace the file with a backup, atomically.

    Raises:
        DatabaseFileError: a service has the file open, or the backup is not sound.
    """
    if path.exists():
        _refuse_if_open(path)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _copied(backup, path, on_progress) as copy:
        _begin_epoch(copy)
        if path.exists():
            _refuse_if_open(path)  # a service may have started since
        # The write-ahead log of the replaced file must not be applied to the backup.
        remove_write_ahead_log(path)
        copy.replace(path)
    # The backup may be of another database, which the next start takes as it is.
    DatabaseMark.beside(path).remove()
    _flush(path.parent)


@contextmanager
def _copied(source: Path, target: Path, on_progress: OnProgress) -> Iterator[Path]:
    """Yield a checked copy on disk, beside `target`, and remove it at the end if it is still there."""
    copy = target.with_name(f"{target.name}.partial")
    copy.unlink(missing_ok=True)
    try:
        copy.touch(mode=0o600)
        _copy_pages(source, copy, on_progress)
        if faults := check(copy):
            raise DatabaseFileError(f"{source} is not sound: {faults[0]}")
        _flush(copy)
        yield copy
    except (sqlite3.Error, OSError) as error:
        raise DatabaseFileError(f"{source} cannot be copied to {target}: {error}") from error
    finally:
        copy.unlink(missing_ok=True)


def _begin_epoch(copy: Path) -> None:
    # Watchers of the replaced database may have positions that the backup does not know.
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        connection.execute(NEW_EPOCH)
    _flush(copy)


def _copy_pages(source: Path, target: Path, on_progress: OnProgress) -> None:
    with closing(_open(source)) as reader, closing(sqlite3.connect(target, isolation_level=None)) as writer:
        # Without one read transaction the copy would restart at every write.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reader.backup(
            writer, pages=PAGES_AT_ONCE, progress=lambda _, left, total: on_progress(total - left, total), sleep=0
        )
        # One file, without a write-ahead log beside it; the store turns it on again when it opens the file.
        writer.execute("PRAGMA journal_mode = DELETE")


def _open(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise DatabaseFileError(f"{path} does not exist")
    try:
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=LOCK_TIMEOUT_S, isolation_level=None
        )
    except sqlite3.Error as error:
        raise DatabaseFileError(f"{path} cannot be opened: {error}") from error


def _refuse_if_open(path: Path) -> None:
    with closing(sqlite3.connect(path, timeout=LOCK_TIMEOUT_S, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            raise DatabaseFileError(f"{path} is in use; stop the database service first") from error
        except sqlite3.DatabaseError:
            return  # it is damaged, which is a reason to restore


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class TransferRefused(Exception):
    """The file to import is not a valid export; says which line."""


class ExportHeader(BaseModel):
    """The first line of an export."""

    model_config = ConfigDict(extra="forbid")

    vestibule_export: int = FORMAT
    encrypted: bool


async def export_entries(store: Store) -> AsyncIterator[Entry]:
    """Yield every entry in the order of the keys, but not the store's own identity.

    Entries written meanwhile may be included or not.
    """
    cursor: str | None = None
    while True:
        page = await store.keys("", PAGE, cursor)
        try:
            found = await store.read_many(page.keys) if page.keys else []
        except TooLarge:
            found = [await store.read(key) for key in page.keys]
        for entry in found:
            if entry is not None and entry.key != IDENTITY_KEY:
                yield entry
        cursor = page.cursor
        if cursor is None:
            return


async def import_entries(store: Store, entries: Iterable[Entry]) -> AsyncIterator[tuple[int, int]]:
    """Store entries with their versions; yield, page by page, how many were read and how many were newer than here."""
    read = kept = 0
    remaining = iter(entries)
    while page := list(islice(remaining, PAGE)):
        kept += await store.put(page)
        read += len(page)
        yield read, kept


def parse_header(line: str) -> ExportHeader:
    """Return the header of an export.

    Raises:
        TransferRefused: it is not one, or a later version of Vestibule wrote it.
    """
    try:
        header = ExportHeader.model_validate_json(line)
    except ValidationError:
        raise TransferRefused("line 1 is not the header of an export") from None
    if header.vestibule_export != FORMAT:
        raise TransferRefused(
            f"the export has format {header.vestibule_export}; this version of Vestibule reads format {FORMAT}"
        )
    return header


def parse_entries(lines: Iterable[str]) -> Iterator[Entry]:
    """Yield the entries of the lines after the header.

    Raises:
        TransferRefused: a line is not an entry; the message quotes nothing of it.
    """
    for number, line in enumerate(lines, start=2):
        try:
            yield Entry.model_validate_json(line)
        except ValidationError:
            raise TransferRefused(f"line {number} is not an entry") from None
