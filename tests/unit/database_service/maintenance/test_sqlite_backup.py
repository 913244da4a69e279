"""Backups of a database during writes, and restores."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vestibule.cli.main import app as program
from vestibule.contracts.entries import Entry
from vestibule.database_service.entries.store import Write
from vestibule.database_service.entries.stores.sqlite import SqliteStore
from vestibule.database_service.maintenance.backup import DatabaseFileError, back_up, check, restore


def _ignore(_done: int, _total: int) -> None:
    """Ignore progress."""


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


async def test_a_backup_is_one_moment_of_a_running_store(tmp_path: Path) -> None:
    """While batches are written, each backup ends, is sound, is its owner's only, and holds whole batches only."""
    path = tmp_path / "vestibule.db"
    is_done = False
    progress: list[tuple[int, int]] = []

    async def write_on(store: SqliteStore) -> None:
        while not is_done:
            await asyncio.gather(*(store.write(Write(f"k{number}", "x" * 20_000)) for number in range(50)))

    async with SqliteStore(path) as store:
        await asyncio.gather(*(store.write(Write(f"k{number}", "x" * 200_000)) for number in range(50)))
        writing = asyncio.create_task(write_on(store))
        for number in range(5):
            target = tmp_path / f"backup-{number}.db"
            await asyncio.to_thread(back_up, path, target, lambda done, total: progress.append((done, total)))
            assert ([], 0o600) == (check(target), target.stat().st_mode & 0o777)
        is_done = True
        await writing
    for number in range(5):
        with sqlite3.connect(tmp_path / f"backup-{number}.db") as copy:
            assert 50 == copy.execute("SELECT count(*) FROM entries WHERE value IS NOT NULL").fetchone()[0]
        copy.close()
    assert all(done <= total for done, total in progress)
    assert 5 <= sum(done == total for done, total in progress)


async def test_a_backup_is_restored(tmp_path: Path) -> None:
    """After a restore the entries and versions are those of the backup, and nothing of later is left."""
    path, saved = tmp_path / "data" / "vestibule.db", tmp_path / "saved.db"
    async with SqliteStore(path) as store:
        await store.write(Write("a", "before"))
        back_up(path, saved, _ignore)
        await store.write(Write("a", "after"))
        await store.write(Write("b", "after"))
        with pytest.raises(DatabaseFileError, match="is in use"):
            restore(saved, path, _ignore)
        assert 3 == await store.write(Write("a", "still works"))
    restore(saved, path, _ignore)
    async with SqliteStore(path) as store:
        assert Entry(key="a", value="before", version=1) == await store.read("a")
        assert await store.read("b") is None
        assert 2 == await store.write(Write("a", "goes on"))


async def test_a_damaged_file_is_reported_and_can_be_replaced(tmp_path: Path) -> None:
    """What is no database is neither sound nor copied, and a backup takes its place."""
    path, saved = tmp_path / "vestibule.db", tmp_path / "saved.db"
    async with SqliteStore(path) as store:
        await store.write(Write("a", "x"))
        back_up(path, saved, _ignore)
    path.write_bytes(b"this is no database" * 1000)
    assert 1 == len(check(path))
    with pytest.raises(DatabaseFileError):
        back_up(path, tmp_path / "other.db", _ignore)
    assert {"vestibule.db", "saved.db"} == _names(tmp_path) - {".vestibule.db.last"}
    restore(saved, path, _ignore)
    assert [] == check(path)


async def test_a_backup_that_is_not_sound_replaces_nothing(tmp_path: Path) -> None:
    """The database that is there stays as it is."""
    path, saved = tmp_path / "vestibule.db", tmp_path / "saved.db"
    async with SqliteStore(path) as store:
        await store.write(Write("a", "x"))
    with sqlite3.connect(saved) as other:
        other.execute("CREATE TABLE something_else (a)")
    other.close()
    with pytest.raises(DatabaseFileError, match="is not sound"):
        restore(saved, path, _ignore)
    async with SqliteStore(path) as store:
        assert Entry(key="a", value="x", version=1) == await store.read("a")
    assert {"vestibule.db", "saved.db"} == _names(tmp_path) - {".vestibule.db.last"}


def test_nothing_is_overwritten_or_invented(tmp_path: Path) -> None:
    """A backup takes no file's place, and a database that does not exist is an error, not an empty one."""
    missing, there = tmp_path / "missing.db", tmp_path / "there.db"
    there.write_bytes(b"keep")
    with pytest.raises(DatabaseFileError, match="exists"):
        back_up(missing, there, _ignore)
    with pytest.raises(DatabaseFileError, match="does not exist"):
        check(missing)
    with pytest.raises(DatabaseFileError, match="does not exist"):
        back_up(missing, tmp_path / "new.db", _ignore)
    assert (b"keep", ["there.db"]) == (there.read_bytes(), [path.name for path in tmp_path.iterdir()])


def test_the_program_checks_backs_up_and_restores(tmp_path: Path) -> None:
    """`vestibule db` says what it did, overwrites nothing unasked, and ends with code 1 where it could not."""

    async def fill() -> None:
        async with SqliteStore(tmp_path / "vestibule.db") as store:
            await store.write(Write("a", "x"))

    def db(*words: str) -> tuple[int, str]:
        ended = CliRunner().invoke(program, ["db", *words, "--data-dir", str(tmp_path)])
        return ended.exit_code, ended.output

    saved = str(tmp_path / "saved.db")
    assert 1 == db("check")[0]
    asyncio.run(fill())
    assert (0, f"{tmp_path / 'vestibule.db'} is sound.\n") == db("check")
    assert [0, 1] == [db("backup", saved)[0], db("backup", saved)[0]]
    refused = db("restore", saved)
    assert (1, True) == (refused[0], "--replace" in refused[1])
    assert 0 == db("restore", saved, "--replace")[0]
    (tmp_path / "vestibule.db").write_bytes(b"this is no database" * 1000)
    assert 1 == db("check", "--json")[0]
