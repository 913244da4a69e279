"""One SQLite file in WAL mode with group commit.

A commit costs a disk flush however many changes it has, so one thread applies all pending changes in one transaction.
Each caller is answered after the flush; under load a flush serves hundreds of callers.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import structlog

from vestibule.contracts.errors import Unavailable, VestibuleError
from vestibule.runtime.writer_thread import WriterThread

MAX_BATCH = 1000
# The limit of waiting changes; the store is unavailable for more, since its disk hangs.
MAX_WAITING = 50_000
LOCK_TIMEOUT_S = 0.5

PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit is on disk, not on its way there
    "PRAGMA temp_store = MEMORY",
    "PRAGMA secure_delete = ON",  # what was deleted or overwritten cannot be read from the file
)

OUTSIDE_CONTEXT = "a store is used inside its own context"
REASONS = {"SQLITE_FULL": "the disk is full", "SQLITE_BUSY": "it is locked", "SQLITE_READONLY": "it is read-only"}

Outcome = TypeVar("Outcome")
Row = tuple[Any, ...]
Work = Callable[[sqlite3.Connection], Outcome]
Prepare = Callable[[sqlite3.Connection], None]


class Change(NamedTuple):
    """Work for the next transaction, and the future of its outcome."""

    work: Work[Any]
    outcome: "asyncio.Future[Any]"


class SqliteFile:
    """A file with the tables of several parts, whose changes share commits. Use it as a context manager."""

    def __init__(self, path: Path, prepare: Prepare) -> None:
        """Take the path; `prepare` creates missing tables each time that the file is opened.

        Other parts create their tables in the file by a change of their own.
        """
        self._path = path
        self._prepare = prepare
        self._writer: WriterThread[Change] | None = None
        self._reader: sqlite3.Connection | None = None
        self._on_commit: Callable[[int], None] = _ignore

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        connection = await asyncio.to_thread(open_connection, self._path, self._prepare)
        # WAL readers never wait for the writer and a row is read in microseconds, so reads stay on the event loop.
        self._reader = await asyncio.to_thread(open_connection, self._path, self._prepare)
        commit = _GroupCommit(connection, loop, self._on_commit)
        self._writer = WriterThread(
            "sqlite-writer",
            commit.run,
            capacity=MAX_WAITING,
            max_batch=MAX_BATCH,
            on_drop=lambda _count: None,  # `change` raises for each
        )
        self._connection = connection
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # From here on a change is refused: its connection is closed.
        reader, self._reader = self._reader, None
        if self._writer is not None and await asyncio.to_thread(self._writer.close):
            self._connection.close()
        if reader is not None:
            reader.close()

    def observe_commits(self, on_commit: Callable[[int], None]) -> None:
        """Have `on_commit` called after each commit with the number of changes; call it before the file is opened."""
        self._on_commit = on_commit

    async def change(self, work: Work[Outcome]) -> Outcome:
        """Do `work` in the next transaction and return its outcome once it is on disk.

        `work` runs in the writer's thread, between what others change. It refuses by an error of `contracts.errors`,
        and before it changes anything: such a refusal disturbs nothing else in the transaction. Any other error undoes
        the whole transaction.

        Raises:
            Unavailable: the transaction was rolled back, or too many changes wait for the disk.
        """
        if self._reader is None or self._writer is None:
            raise RuntimeError(OUTSIDE_CONTEXT)
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        if not self._writer.put(Change(work, outcome)):
            raise Unavailable("database", "The store is unavailable: too many writes wait. Nothing was written.")
        return await outcome

    def query(self, statement: str, parameters: Mapping[str, object]) -> list[Row]:
        """Return the rows of a statement that changes nothing; it sees every change that was answered.

        Raises:
            Unavailable: the file cannot be read.
        """
        return self.examine(statement, parameters, list)

    def examine(
        self, statement: str, parameters: Mapping[str, object], collect: Callable[[sqlite3.Cursor], Outcome]
    ) -> Outcome:
        """Return what `collect` makes of the rows of a statement, which need not all be in memory at once.

        Raises:
            Unavailable: the file cannot be read.
        """
        reader = self._open_reader()
        try:
            return collect(reader.execute(statement, parameters))
        except sqlite3.Error as error:
            raise unavailable(error) from error

    def _open_reader(self) -> sqlite3.Connection:
        if self._reader is None:
            raise RuntimeError(OUTSIDE_CONTEXT)
        return self._reader


class _GroupCommit:
    """The work of the writer thread: all waiting changes go into one transaction."""

    def __init__(
        self, connection: sqlite3.Connection, loop: asyncio.AbstractEventLoop, on_commit: Callable[[int], None]
    ) -> None:
        self._on_commit = on_commit
        self._connection = connection
        self._loop = loop
        self._log = structlog.get_logger("vestibule.store")

    def run(self, changes: list[Change]) -> None:
        """Commit the changes of one batch and answer their callers."""
        if changes:
            self._commit(changes)

    def _commit(self, changes: list[Change]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes = [_apply(change, self._connection) for change in changes]
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - if this thread ended, every later change would wait forever
            self._roll_back()
            self._log.error("store_write_failed", error=getattr(error, "sqlite_errorname", type(error).__name__))
            failure = unavailable(error)
            self._loop.call_soon_threadsafe(_fail, changes, failure)
        else:
            self._loop.call_soon_threadsafe(_answer, changes, outcomes)
            self._on_commit(len(changes))

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._log.error("store_rollback_failed")


def open_connection(path: Path, prepare: Prepare) -> sqlite3.Connection:
    """Open the file, created readable by its owner only if missing; the caller closes it.

    Raises:
        sqlite3.Error: it is not a database, or cannot be opened.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Before the first connection, since the files beside it get the mode that it has then.
    path.touch(mode=0o600)
    path.chmod(0o600)
    connection = sqlite3.connect(path, timeout=LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    for pragma in PRAGMAS:
        connection.execute(pragma)
    prepare(connection)
    return connection


def unavailable(error: Exception) -> Unavailable:
    """Return the error for the caller."""
    reason = REASONS.get(getattr(error, "sqlite_errorname", ""), "it failed")
    return Unavailable("database", f"The store is unavailable: {reason}. Nothing was written.")


def _ignore(_changes: int) -> None:
    """Ignore a commit."""


def _apply(change: Change, connection: sqlite3.Connection) -> Any:
    try:
        return change.work(connection)
    except VestibuleError as refusal:
        return refusal


def _answer(changes: list[Change], outcomes: list[Any]) -> None:
    for change, outcome in zip(changes, outcomes, strict=True):
        if change.outcome.done():  # the caller may be cancelled; the change is committed all the same
            continue
        if isinstance(outcome, VestibuleError):
            change.outcome.set_exception(outcome)
        else:
            change.outcome.set_result(outcome)


def _fail(changes: list[Change], failure: Unavailable) -> None:
    for change in changes:
        if not change.outcome.done():
            change.outcome.set_exception(failure)
