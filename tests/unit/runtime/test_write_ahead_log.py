"""The write-ahead log of a SQLite file stays small, and a reader that makes it grow is named."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import pytest

from vestibule.alerts.store.database import open_database
from vestibule.database_service.entries.sqlite.database import open_connection
from vestibule.runtime.write_ahead_log import EVERY_S, KEEP_BYTES, WriteAheadLog

BOUND_BYTES = 1024 * 1024


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The place of the file."""
    return tmp_path / "vestibule.db"


@pytest.fixture
def writer(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that writes."""
    with closing(open_connection(path, lambda _connection: None)) as connection:
        connection.execute("CREATE TABLE texts (text TEXT)")
        yield connection


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Hold a snapshot of the file, as a program that is in the middle of a list does."""
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM texts").fetchone()
        yield


def _write(connection: sqlite3.Connection, mib: int) -> None:
    for _ in range(mib):
        connection.execute("INSERT INTO texts SELECT hex(randomblob(500000))")


def test_a_reader_that_holds_the_log_is_named_until_it_leaves(path: Path, writer: sqlite3.Connection) -> None:
    """While it reads the log grows and the note says so; then the log is truncated, although nobody writes."""
    log = WriteAheadLog(path, bound_bytes=BOUND_BYTES, clock=count(step=EVERY_S).__next__)
    _write(writer, 1)
    with _reading(path):
        _write(writer, 4)
        log.tend()
        assert log.note() is None
        log.tend()
        assert "a reader holds the write-ahead log of vestibule.db, which has 4 MiB" == log.note()
    log.tend()
    assert (None, 0) == (log.note(), log.size_bytes)
    log.tend()
    assert 6 == writer.execute("SELECT count(*) + 1 FROM texts").fetchone()[0]


def test_a_log_that_was_large_is_cut_by_sqlite_itself(path: Path, writer: sqlite3.Connection) -> None:
    """Each connection that writes sets the limit, so the log shrinks also in a process that truncates none."""
    with _reading(path):
        _write(writer, 24)
    log = WriteAheadLog(path)
    assert log.size_bytes > KEEP_BYTES
    _write(writer, 2)
    assert KEEP_BYTES == log.size_bytes
    with closing(open_database(path.with_name("alerts.db"))) as alerts:
        assert (KEEP_BYTES,) == alerts.execute("PRAGMA journal_size_limit").fetchone()
