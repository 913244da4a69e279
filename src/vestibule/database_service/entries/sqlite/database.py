"""One SQLite file in WAL mode with group commit.

A commit costs a disk flush however many changes it has, so changes that arrive during a commit share the next one. One
thread applies them; each caller is answered after the flush, and under load a flush serves hundreds of callers.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import structlog

from vestibule.contracts.errors import Unavailable, VestibuleError
from vestibule.contracts.identity import RESERVED
from vestibule.database_service.entries.sqlite.last_commit import LastCommit
from vestibule.runtime.batching import Batcher
from vestibule.runtime.files import FilePlace, remove_write_ahead_log
from vestibule.runtime.starts import DatabaseMark, is_passing, refuse_file
from vestibule.runtime.write_ahead_log import LIMIT_LOG, WriteAheadLog

MAX_BATCH = 1000
LOCK_TIMEOUT_S = 0.5
# So long after a commit the last one is noted.
NOTE_AFTER_S = 0.05
OUTSIDE_CONTEXT = "a store is used inside its own context"

PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit is on disk, not on its way there
    LIMIT_LOG,
    "PRAGMA temp_store = MEMORY",
    "PRAGMA secure_delete = ON",  # what was deleted or overwritten cannot be read from the file
)

REASONS = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_BUSY": "it is locked",
    "SQLITE_READONLY": "it is read-only",
    "FileMoved": "its file was moved or removed",
}

Outcome = TypeVar("Outcome")
Row = tuple[Any, ...]
Work = Callable[[sqlite3.Connection], Outcome]
Prepare = Callable[[sqlite3.Connection], None]
Parameters = Mapping[str, object] | Sequence[object]


VERSION_OF_SCHEMA = 2
# Of keys that ended there may be many more than of those that have a value, and lists read only the latter.
ADDED_IN_2 = "CREATE INDEX entries_present ON entries (key, expires_at) WHERE value IS NOT NULL"
# The row of a deleted or expired key stays without the value, so that its versions continue and no ETag is used twice;
# an expired one keeps its expiry. `change` numbers the changes of the whole file: each row has the number of its last
# change, so that an index scan finds all changes after a number.
TABLES = (
    """
    CREATE TABLE entries (
        key TEXT PRIMARY KEY,
        value TEXT,
        version INTEGER NOT NULL,
        written_at REAL NOT NULL,
        written_by TEXT,
        expires_at REAL,
        change INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX entries_expiry ON entries (expires_at) WHERE expires_at IS NOT NULL AND value IS NOT NULL",
    "CREATE INDEX entries_end ON entries (written_at) WHERE value IS NULL",
    "CREATE UNIQUE INDEX entries_change ON entries (change)",
    ADDED_IN_2,
    """
    CREATE TABLE history (
        key TEXT NOT NULL,
        version INTEGER NOT NULL,
        value TEXT NOT NULL,
        written_at REAL NOT NULL,
        written_by TEXT,
        expires_at REAL,
        PRIMARY KEY (key, version)
    ) STRICT, WITHOUT ROWID
    """,
    # The number of the last purged change, by the prefix of the purge.
    "CREATE TABLE purges (prefix TEXT PRIMARY KEY, change INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    # A position of another epoch, as from before a restore, is invalid.
    "CREATE TABLE epoch (id TEXT NOT NULL) STRICT",
    "INSERT INTO epoch (id) VALUES (lower(hex(randomblob(4))))",
)
NEW_EPOCH = "UPDATE epoch SET id = lower(hex(randomblob(4)))"
# Triggers cost nothing where a key is written for the first time, and no second call from Python where it is not.
# They are temporary, since the number of versions is a setting. The entries of services have no history.
KEEP_EARLIER = """
    CREATE TEMP TRIGGER keep_earlier AFTER UPDATE OF version ON main.entries
    WHEN OLD.value IS NOT NULL AND (OLD.expires_at IS NULL OR OLD.expires_at > NEW.written_at)
        AND substr(OLD.key, 1, 1) <> '{reserved}'
    BEGIN
        INSERT INTO history (key, version, value, written_at, written_by, expires_at)
        VALUES (OLD.key, OLD.version, OLD.value, OLD.written_at, OLD.written_by, OLD.expires_at);
        DELETE FROM history WHERE key = OLD.key AND version <= OLD.version - {earlier};
    END
"""
END_HISTORY = """
    CREATE TEMP TRIGGER end_history AFTER UPDATE OF version, value ON main.entries
    WHEN NEW.value IS NULL OR (OLD.value IS NOT NULL AND OLD.expires_at <= NEW.written_at)
    BEGIN
        DELETE FROM history WHERE key = OLD.key;
    END
"""


class SqliteFile:
    """A file with the tables of several parts, whose changes share commits. Use it as a context manager."""

    def __init__(self, path: Path, prepare: Prepare, on_commit: Callable[[int], None] = lambda _changes: None) -> None:
        """Take the path; `prepare` creates missing tables each time that the file is opened.

        Other parts create their tables in the file by a change of their own. `on_commit` is called in the thread of the
        writer after each commit, with the number of changes.
        """
        self.path = path
        self.log = WriteAheadLog(path)
        self._prepare = prepare
        self._batcher: Batcher[Work[Any], Any] = Batcher(self._commit, most=MAX_BATCH, at_once=1)
        self._thread: ThreadPoolExecutor | None = None
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._place: FilePlace | None = None
        self.last_commit = LastCommit(path)
        self._note_timer: asyncio.TimerHandle | None = None
        self._on_commit = on_commit

    async def __aenter__(self) -> Self:
        DatabaseMark.beside(self.path).expect(self.path)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite-writer")
        try:
            self._writer = await asyncio.to_thread(open_connection, self.path, self._prepare)
            # WAL readers never wait for the writer and a row is read in microseconds, so reads stay on the event loop.
            self._reader = await asyncio.to_thread(open_connection, self.path, self._prepare)
            self.last_commit.open(self._reader)
        except (sqlite3.Error, OSError) as error:
            await self.__aexit__()
            if is_passing(error):
                raise
            raise refuse_file(self.path, error) from error
        self._place = FilePlace(self.path, self.path.with_name(f"{self.path.name}-wal"))
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._batcher.drain()
        if self._note_timer is not None:
            self._note_timer.cancel()
            self._note()
        thread, connections = self._thread, (self._reader, self._writer)
        self._thread = self._reader = self._writer = None
        if thread is not None:
            # A caller that was cancelled does not wait for its work, which still uses the connection.
            await asyncio.to_thread(thread.shutdown)
        for connection in filter(None, connections):
            if not await self.is_in_place():
                # SQLite leaves the write-ahead log of such a file, and would apply it to another file in that place.
                with suppress(sqlite3.Error):
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
        self.last_commit.close()

    async def is_in_place(self) -> bool:
        """Say whether the file is where it was opened. Until it is again, nothing is written."""
        return self._place is None or self._place.is_kept()

    async def change(self, work: Work[Outcome]) -> Outcome:
        """Do `work` in the next transaction and return its outcome once it is on disk.

        `work` runs in the writer's thread, between what others change. It refuses by an error of `contracts.errors`,
        and before it changes anything: such a refusal disturbs nothing else in the transaction. Any other error undoes
        the whole transaction.

        Raises:
            Unavailable: the transaction was rolled back.
        """
        outcome: Outcome = await self._batcher.submit(work)
        return outcome

    async def change_each(self, works: Iterable[Work[Outcome]]) -> Sequence[Outcome | BaseException]:
        """Do several works as `change` does, and return the outcome or the refusal of each."""
        return await self._batcher.submit_all(works)

    async def _commit(self, changes: list[Work[Any]]) -> list[Any]:
        if self._writer is None:
            raise RuntimeError(OUTSIDE_CONTEXT)
        loop = asyncio.get_running_loop()
        outcomes = await loop.run_in_executor(self._thread, self._commit_in_thread, self._writer, changes)
        if self._note_timer is None:
            # Noted once for the commits of this time: with each it would take a tenth of a small write.
            self._note_timer = loop.call_later(NOTE_AFTER_S, self._note)
        return outcomes

    def _note(self) -> None:
        self._note_timer = None
        if self._thread is not None and self._writer is not None:
            self._thread.submit(self.last_commit.note, self._writer)

    async def truncate_log(self) -> None:
        """Write the log into the file and empty it; what was deleted is then in neither, since deletion overwrites.

        Raises:
            Unavailable: another connection reads from the log.
        """
        if self._writer is None:
            raise RuntimeError(OUTSIDE_CONTEXT)
        await asyncio.get_running_loop().run_in_executor(self._thread, _truncate_log, self._writer)

    def _commit_in_thread(self, connection: sqlite3.Connection, changes: list[Work[Any]]) -> list[Any]:
        outcomes = commit(connection, changes, self._place)
        self._on_commit(len(changes))
        return outcomes

    def query(self, statement: str, parameters: Parameters) -> list[Row]:
        """Return the rows of a statement that changes nothing; it sees every change that was answered.

        Raises:
            Unavailable: the file cannot be read.
        """
        return self.examine(statement, parameters, list)

    def examine(self, statement: str, parameters: Parameters, collect: Callable[[sqlite3.Cursor], Outcome]) -> Outcome:
        """Return what `collect` makes of the rows of a statement, which need not all be in memory at once.

        Raises:
            Unavailable: the file cannot be read.
        """
        reader = self._open_reader()
        try:
            # A cursor that is left before its last row would hold its snapshot, and with it the write-ahead log.
            with closing(reader.execute(statement, parameters)) as rows:
                return collect(rows)
        except sqlite3.Error as error:
            raise unavailable(error) from error

    async def tend_log(self) -> None:
        """Keep the write-ahead log small, in a thread of its own: no change waits for it."""
        try:
            await asyncio.to_thread(self.log.tend)
        except sqlite3.Error as error:
            raise unavailable(error) from error

    def _open_reader(self) -> sqlite3.Connection:
        if self._reader is None:
            raise RuntimeError(OUTSIDE_CONTEXT)
        return self._reader


def commit(connection: sqlite3.Connection, changes: list[Work[Any]], place: FilePlace | None = None) -> list[Any]:
    """Apply changes in one transaction; return what each returns, or the `VestibuleError` that it refuses by.

    Raises:
        Unavailable: the transaction was rolled back.
    """
    outcomes: list[Any] = []
    try:
        connection.execute("BEGIN IMMEDIATE")
        for change in changes:
            try:
                outcomes.append(change(connection))
            except VestibuleError as refusal:
                outcomes.append(refusal)
        if place is not None:
            # SQLite writes on into a file that has no name any more, and what was answered is gone with the process.
            place.check()
        connection.execute("COMMIT")
    except Exception as error:
        log = structlog.get_logger("vestibule.store")
        log.error("store_write_failed", error=getattr(error, "sqlite_errorname", type(error).__name__))
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            log.error("store_rollback_failed")
        raise unavailable(error) from error
    return outcomes


def open_connection(path: Path, prepare: Prepare) -> sqlite3.Connection:
    """Open the file, created readable by its owner only if missing; the caller closes it.

    Raises:
        sqlite3.Error: it is not a database, or cannot be opened.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        remove_write_ahead_log(path)
    # Before the first connection, since the files beside it get the mode that it has then.
    path.touch(mode=0o600)
    path.chmod(0o600)
    connection = sqlite3.connect(path, timeout=LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    for pragma in PRAGMAS:
        connection.execute(pragma)
    prepare(connection)
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # the first read makes the write-ahead log
    return connection


def _truncate_log(connection: sqlite3.Connection) -> None:
    try:
        (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        raise unavailable(error) from error
    if is_busy:
        raise Unavailable("database", "The log of the store is in use. Nothing was lost.")


def unavailable(error: Exception) -> Unavailable:
    """Return the error for the caller."""
    reason = REASONS.get(getattr(error, "sqlite_errorname", type(error).__name__), "it failed")
    return Unavailable("database", f"The store is unavailable: {reason}. Nothing was written.")


def prepare(connection: sqlite3.Connection, keep_versions: int) -> None:
    """Create missing tables and indexes, and the triggers that keep the history of entries.

    Raises:
        sqlite3.DatabaseError: the file has the tables of another version of Vestibule.
    """
    if _schema_of(connection) != VERSION_OF_SCHEMA:
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = _schema_of(connection)
            if version in (0, 1):  # another process may have made or changed them meanwhile
                for statement in (ADDED_IN_2,) if version else TABLES:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {VERSION_OF_SCHEMA}")
            elif version != VERSION_OF_SCHEMA:
                raise sqlite3.DatabaseError(f"the file has schema version {version}, not {VERSION_OF_SCHEMA}")
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
    connection.execute(END_HISTORY)
    if keep_versions > 1:
        connection.execute(KEEP_EARLIER.format(earlier=keep_versions - 1, reserved=RESERVED))


def _schema_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
