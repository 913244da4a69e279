"""The SQLite store under what happens to files: crashes, locks, full disks, read-only disks."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vestibule.contracts.errors import Unavailable
from vestibule.database_service.entries.sqlite import database
from vestibule.database_service.entries.store import Write
from vestibule.database_service.entries.stores.sqlite import SqliteStore
from vestibule.runtime.starts import StartRefused

MARKER = "Zq7MARKERx9"
WRITE_AND_DIE = """
import asyncio, os, signal, sys
from pathlib import Path
from vestibule.database_service.entries.store import Write
from vestibule.database_service.entries.stores.sqlite import SqliteStore

async def main():
    async with SqliteStore(Path(sys.argv[1])) as store:
        await asyncio.gather(*(store.write(Write(f"k{number}", str(number))) for number in range(300)))
        await store.delete("k0")
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
FILL_UP = """
import asyncio, resource, sys
from pathlib import Path
from vestibule.contracts.errors import Unavailable
from vestibule.database_service.entries.store import Write
from vestibule.database_service.entries.stores.sqlite import SqliteStore

async def main():
    async with SqliteStore(Path(sys.argv[1])) as store:
        await store.write(Write("before", "x"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        try:
            await store.write(Write("large", "x" * 500_000))
        except Unavailable as error:
            print(error.part)
        print(await store.read("large"), (await store.read("before")).value)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(await store.write(Write("large", "x" * 500_000)))

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The place of the database, where nothing is yet."""
    return tmp_path / "data" / "vestibule.db"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of half a MiB, where the tests may make one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a file system needs privileges")
    yield folder
    subprocess.run(["umount", str(folder)], check=True, capture_output=True)


def _commits(path: Path) -> int:
    """Return how many commits are in the write-ahead log. Source: SQLite, "WAL-mode File Format", frame headers."""
    log = path.with_name(f"{path.name}-wal").read_bytes()
    frame_bytes = 24 + int.from_bytes(log[8:12], "big")
    return sum(log[at + 4 : at + 8] != b"\0" * 4 for at in range(32, len(log), frame_bytes))


def _replace(path: Path) -> None:
    """Rename the file, and put another in its place."""
    path.rename(path.with_name("aside.db"))
    shutil.copyfile(path.with_name("other.db"), path)


async def _keys(path: Path) -> list[str]:
    """Open the store and return its keys."""
    async with SqliteStore(path) as store:
        return (await store.keys("", 1000, None)).keys


async def test_a_reopened_file_has_everything(path: Path) -> None:
    """Values, versions and deletions all survive a restart."""
    async with SqliteStore(path) as store:
        await asyncio.gather(*(store.write(Write(f"k{number:03}", str(number))) for number in range(200)))
        await store.write(Write("k000", "again"))
        await store.delete("k001")
    async with SqliteStore(path) as store:
        read = {key: await store.read(key) for key in (await store.keys("", 1000, None)).keys}
        assert 199 == len(read)
        assert {"again"} | {str(number) for number in range(2, 200)} == {
            entry.value for entry in read.values() if entry
        }
        assert [3, 2] == [await store.write(Write("k000", "x")), await store.write(Write("k001", "x"))]


def test_what_was_answered_survives_a_kill(path: Path) -> None:
    """A process that is killed right after its answers leaves everything that it answered."""
    ended = subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(path)], timeout=60, check=False)
    assert -9 == ended.returncode
    assert {f"k{number}" for number in range(1, 300)} == set(asyncio.run(_keys(path)))


async def test_writes_that_wait_share_a_commit(path: Path) -> None:
    """500 writes at once cost a few flushes of the disk, not 500."""
    async with SqliteStore(path) as store:
        await store.write(Write("first", "x"))
        before = _commits(path)
        await asyncio.gather(*(store.write(Write(f"k{number % 100}", "v")) for number in range(500)))
        assert 1 <= _commits(path) - before <= 50


async def test_every_commit_is_flushed(path: Path) -> None:
    """The connection that writes flushes at each commit, and keeps a write-ahead log for its readers."""
    connection = database.open_connection(path, lambda _: None)
    try:
        assert 2 == connection.execute("PRAGMA synchronous").fetchone()[0]
        assert "wal" == connection.execute("PRAGMA journal_mode").fetchone()[0]
    finally:
        connection.close()


async def test_the_files_are_their_owners_only(path: Path) -> None:
    """Neither the database nor the files beside it can be read by others, with the folder closed as well."""
    async with SqliteStore(path) as store:
        await store.write(Write("a", "b"))
        assert {0o600} == {file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
        assert 0o700 == path.parent.stat().st_mode & 0o777


async def test_what_was_deleted_is_gone_from_the_files(path: Path) -> None:
    """After a delete and an overwrite nothing of the values can be read from the disk of a stopped store."""
    async with SqliteStore(path) as store:
        await store.write(Write("a", f"{MARKER}-deleted"))
        await store.write(Write("b", f"{MARKER}-overwritten"))
        await store.delete("a")
        await store.write(Write("b", "new"))
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"new" in content
    assert MARKER.encode() not in content


async def test_a_locked_database_is_unavailable_and_heals(path: Path) -> None:
    """While somebody else holds the lock, writes are refused in time and reads go on; then both work again."""
    async with SqliteStore(path) as store:
        await store.write(Write("a", "before"))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        results = await asyncio.gather(
            *(store.write(Write("a", "meanwhile")) for _ in range(5)), return_exceptions=True
        )
        assert time.monotonic() - began < 3
        assert [True] * 5 == [isinstance(result, Unavailable) and result.part == "database" for result in results]
        entry = await store.read("a")
        assert entry is not None
        assert ("before", 1) == (entry.value, entry.version)
        other.execute("ROLLBACK")
        other.close()
        assert 2 == await store.write(Write("a", "after"))


async def test_a_full_database_is_unavailable_and_says_why(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that does not fit is refused whole; smaller ones and reads go on."""
    monkeypatch.setattr(database, "PRAGMAS", (*database.PRAGMAS, "PRAGMA max_page_count = 20"))
    async with SqliteStore(path) as store:
        await store.write(Write("a", "before"))
        with pytest.raises(Unavailable, match="the disk is full"):
            await store.write(Write("a", "x" * 200_000))
        entry = await store.read("a")
        assert entry is not None
        assert "before" == entry.value
        assert 2 == await store.write(Write("a", "after"))


async def test_a_full_disk_is_unavailable_and_heals(small_disk: Path) -> None:
    """On a real full disk nothing that was answered is lost, and when there is room again writes work."""
    ballast = small_disk / "ballast"
    async with SqliteStore(small_disk / "vestibule.db") as store:
        await store.write(Write("a", "before"))
        ballast.write_bytes(b"x" * 256 * 1024)
        with pytest.raises(Unavailable):
            await store.write(Write("b", "x" * 400_000))
        assert (await store.keys("", 10, None)).keys == ["a"]
        ballast.unlink()
        assert 2 == await store.write(Write("a", "after"))
    async with SqliteStore(small_disk / "vestibule.db") as store:
        entry = await store.read("a")
        assert entry is not None
        assert ("after", 2) == (entry.value, entry.version)


@pytest.mark.parametrize("suffix", ["", "-wal"])
async def test_nothing_is_written_into_a_file_that_is_gone(path: Path, suffix: str) -> None:
    """Nobody would find it. Reads go on; put back where it was, the file is written again."""
    file, aside = path.with_name(path.name + suffix), path.with_name("aside")
    async with SqliteStore(path) as store:
        assert 1 == await store.write(Write("a", "before"))
        file.rename(aside)
        assert not await store.is_in_place()
        with pytest.raises(Unavailable, match="its file was moved or removed"):
            await store.write(Write("a", "meanwhile"))
        entry = await store.read("a")
        assert entry is not None
        assert "before" == entry.value
        aside.rename(file)
        assert await store.is_in_place()
        assert 2 == await store.write(Write("a", "after"))


async def test_a_file_that_was_renamed_is_whole(path: Path) -> None:
    """Whatever was answered is in it when the service has ended, and what comes later is not."""
    async with SqliteStore(path.with_name("other.db")) as store:
        await store.write(Write("c", "x"))
    async with SqliteStore(path) as store:
        await store.write(Write("a", "before"))
        _replace(path)
        with pytest.raises(Unavailable):
            await store.write(Write("b", "meanwhile"))
    # The other file is as little the one that was opened, and the log of that one is not applied to it.
    assert [["a"], ["c"]] == [await _keys(path.with_name("aside.db")), await _keys(path)]


def test_a_write_that_breaks_off_half_way_is_undone(path: Path) -> None:
    """A file that may not grow any more makes the write fail whole; when it may again, the next succeeds."""
    command = [sys.executable, "-c", FILL_UP, str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ["database", "None x", "1"] == ended.stdout.splitlines()[-3:]


async def test_a_read_only_database_is_unavailable_for_writes(path: Path) -> None:
    """Reads go on, and the refusal says why."""
    async with SqliteStore(path) as store:
        await store.write(Write("a", "b"))
        await store.file.change(lambda connection: connection.execute("PRAGMA query_only = ON"))
        with pytest.raises(Unavailable, match="it is read-only"):
            await store.write(Write("a", "c"))
        entry = await store.read("a")
        assert entry is not None
        assert "b" == entry.value


async def test_a_value_that_cannot_be_stored_stops_no_later_write(path: Path) -> None:
    """Even what no service lets through, text without a UTF-8 form, leaves the store working."""
    async with SqliteStore(path) as store:
        with pytest.raises(Unavailable):
            await asyncio.wait_for(store.write(Write("a", "\ud800")), 5)
        assert 1 == await asyncio.wait_for(store.write(Write("a", "b")), 5)


def test_a_damaged_file_does_not_start(path: Path) -> None:
    """What is no database is reported at the start, and left as it is."""
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(StartRefused, match=r"not a database.*db adopt"):
        asyncio.run(_keys(path))
    assert b"this is no database" * 100 == path.read_bytes()


async def test_a_table_that_disappears_is_unavailable(path: Path) -> None:
    """Whatever somebody does to the file, the store answers by name, for reads and for writes."""
    async with SqliteStore(path) as store:
        await store.write(Write("a", "b"))
        other = sqlite3.connect(path)
        other.execute("DROP TABLE entries")
        other.close()
        with pytest.raises(Unavailable):
            await store.write(Write("a", "c"))
        with pytest.raises(Unavailable):
            await store.read("a")
        with pytest.raises(Unavailable):
            await store.keys("", 10, None)


async def test_closing_finishes_what_is_under_way(path: Path) -> None:
    """Writes that were taken before the store is closed are answered, and no thread and no file stay behind."""
    async with SqliteStore(path) as store:
        waiting = [asyncio.ensure_future(store.write(Write(f"k{number}", "v"))) for number in range(100)]
        await asyncio.sleep(0)
    assert [1] * 100 == await asyncio.wait_for(asyncio.gather(*waiting), 60)
    assert {path, path.with_name(".vestibule.db.last")} == set(path.parent.iterdir())


async def test_a_store_outside_its_context_says_so(path: Path) -> None:
    """A mistake in the wiring is named, not waited on for ever."""
    store = SqliteStore(path)
    with pytest.raises(RuntimeError, match="inside its own context"):
        await store.read("a")
    with pytest.raises(RuntimeError, match="inside its own context"):
        await asyncio.wait_for(store.write(Write("a", "b")), 60)
    async with store:
        await store.write(Write("a", "b"))
    with pytest.raises(RuntimeError, match="inside its own context"):
        await asyncio.wait_for(store.write(Write("a", "b")), 60)


async def test_a_page_of_keys_costs_the_same_wherever_it_begins(tmp_path: Path) -> None:
    """SQLite goes to its beginning at once; it does not walk there over all keys before it."""
    async with SqliteStore(tmp_path / "test.db") as store:
        for first in range(0, 5_000, 500):
            await store.write_many([Write(f"key-{number:05}", "") for number in range(first, first + 500)])
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        reader = store.file._open_reader()
        spent = []
        for after in (None, "key-02500", "key-04900"):
            steps = 0
            reader.set_progress_handler(count, 100)
            page = await store.keys("key-", 50, after)
            reader.set_progress_handler(None, 0)
            assert 50 == len(page.keys)
            spent.append(steps)
        assert max(spent) <= 2 * min(spent) + 2
