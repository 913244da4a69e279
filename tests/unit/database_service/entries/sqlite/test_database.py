"""The SQLite file with the tables of several parts: one commit for all, and no part affects another."""

import asyncio
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from vestibule.contracts.errors import TaskNotFound, Unavailable
from vestibule.database_service.entries.sqlite.database import SqliteFile
from vestibule.database_service.entries.store import Write
from vestibule.database_service.entries.stores.sqlite import SqliteStore
from vestibule.runtime.starts import StartRefused

COUNT = "SELECT count(*) FROM notes"


def make_notes(connection: sqlite3.Connection) -> None:
    """Make a table of this test's own."""
    connection.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT")


def note(connection: sqlite3.Connection) -> int | None:
    """Add a row and return its id."""
    return connection.execute("INSERT INTO notes (text) VALUES ('x')").lastrowid


def refuse(connection: sqlite3.Connection) -> int:
    """Refuse by a named error."""
    raise TaskNotFound("none")


async def test_another_part_shares_file_and_commits(tmp_path: Path) -> None:
    """Tables of another part live beside the entries, share their transactions, and survive a restart."""
    async with SqliteStore(tmp_path / "vestibule.db") as store:
        await store.file.change(make_notes)
        both = [
            store.file.change(note) if number % 2 else store.write(Write(f"k{number}", "v")) for number in range(100)
        ]
        await asyncio.gather(*both)
        assert [(50,)] == store.file.query(COUNT, {})
    async with SqliteStore(tmp_path / "vestibule.db") as store:
        assert [(50,)] == store.file.query(COUNT, {})
        assert 50 == len((await store.keys("", 100, None)).keys)


async def test_a_refusal_by_name_disturbs_nothing(tmp_path: Path) -> None:
    """Work that refuses before it changes anything fails alone; its error reaches the one who asked."""
    async with SqliteFile(tmp_path / "notes.db", make_notes) as file:
        outcomes = await asyncio.gather(
            file.change(note), file.change(refuse), file.change(note), return_exceptions=True
        )
        assert [1, TaskNotFound, 2] == [one if isinstance(one, int) else type(one) for one in outcomes]


async def test_work_that_breaks_undoes_the_transaction(tmp_path: Path) -> None:
    """An unexpected error rolls the transaction back, and the next works."""

    def break_off(connection: sqlite3.Connection) -> None:
        note(connection)
        raise ZeroDivisionError

    async with SqliteFile(tmp_path / "notes.db", make_notes) as file:
        with pytest.raises(Unavailable):
            await file.change(break_off)
        assert [(0,)] == file.query(COUNT, {})
        assert 1 == await file.change(note)


async def test_a_file_of_a_later_version_is_refused(tmp_path: Path) -> None:
    """The store opens no file whose tables it does not know, and changes nothing in it."""
    path = tmp_path / "vestibule.db"
    async with SqliteStore(path) as store:
        await store.write(Write("a", "x"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StartRefused, match="schema version 99"):
        async with SqliteStore(path):
            pass
    with closing(sqlite3.connect(path)) as connection:
        assert [("a",)] == connection.execute("SELECT key FROM entries").fetchall()


async def test_a_file_of_an_earlier_version_is_migrated(tmp_path: Path) -> None:
    """A file without the index of present keys gets it, and its entries are there."""
    path = tmp_path / "vestibule.db"
    async with SqliteStore(path) as store:
        await store.write(Write("a", "x"))
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("DROP INDEX entries_present; PRAGMA user_version = 1;")
    async with SqliteStore(path) as store:
        assert ["a"] == (await store.keys("", 10, None)).keys


async def test_a_list_of_keys_reads_none_that_have_ended(tmp_path: Path) -> None:
    """However many a caller has deleted or let expire, a page costs what it holds."""
    async with SqliteStore(tmp_path / "vestibule.db") as store:
        await store.write_each([Write(f"k{number:05}", "x", datetime.now(UTC)) for number in range(5_000)])
        await store.write(Write("z", "x"))
        while await store.sweep(1_000):
            pass
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        reader = store.file._open_reader()
        reader.set_progress_handler(count, 100)
        assert ["z"] == (await store.keys("", 10, None)).keys
        reader.set_progress_handler(None, 0)
        assert steps < 5


async def test_closing_waits_for_work_whose_caller_is_gone(tmp_path: Path) -> None:
    """A cancelled caller leaves its work to the thread; the connection stays open until that is done."""
    has_begun, may_end, is_done = threading.Event(), threading.Event(), threading.Event()

    def work(connection: sqlite3.Connection) -> None:
        has_begun.set()
        may_end.wait(10)
        connection.execute("SELECT 1").fetchone()
        is_done.set()

    async with SqliteFile(tmp_path / "a.db", lambda _connection: None) as file:
        task = asyncio.create_task(file.change(work))
        assert await asyncio.to_thread(has_begun.wait, 10)
        task.cancel()
        asyncio.get_running_loop().call_later(0.1, may_end.set)
    assert is_done.is_set()
