"""What a SQLite file lost of its acknowledged commits is known at the next start."""

import asyncio
import shutil
from pathlib import Path

import pytest

from vestibule.database_service.entries.store import Write
from vestibule.database_service.entries.stores.sqlite import SqliteStore
from vestibule.runtime.starts import DatabaseMark


async def _killed(folder: Path, copy: Path, writes: int = 20) -> Path:
    """Return a copy of the data directory as a killed process leaves it, with a write-ahead log."""
    async with SqliteStore(folder / "vestibule.db") as store:
        for number in range(writes):
            await store.write(Write(f"k{number}", "x"))
        note = folder / ".vestibule.db.last"
        async with asyncio.timeout(20):
            while f'"entries": {writes}' not in note.read_text():  # noqa: ASYNC110 - nothing tells when it is written
                await asyncio.sleep(0.01)
        shutil.copytree(folder, copy)
    return copy / "vestibule.db"


async def _lost(path: Path) -> dict[str, int]:
    async with SqliteStore(path) as store:
        return dict(store.lost_commits())


@pytest.mark.parametrize("part", [0, 0.5, 0.9])
async def test_a_truncated_write_ahead_log_is_noticed(tmp_path: Path, part: float) -> None:
    """Once: the next commit is noted as the last."""
    path = await _killed(tmp_path / "a", tmp_path / "b")
    log = path.with_name("vestibule.db-wal")
    content = log.read_bytes()
    # The tables are in the first frames.
    kept = max(16 * 4200, int(len(content) * part))
    log.write_bytes(content[:kept])
    lost = await _lost(path)
    async with SqliteStore(path) as store:
        found = len((await store.keys("", 100, None)).keys)
        await store.write(Write("next", "x"))
    assert {"entries": 20 - found} == lost
    assert {} == await _lost(path)


async def test_what_is_complete_has_lost_nothing(tmp_path: Path) -> None:
    """Neither after a kill nor after a stop, nor with a note that is older than the file."""
    path = await _killed(tmp_path / "a", tmp_path / "b")
    assert {} == await _lost(path)
    assert {} == await _lost(tmp_path / "a" / "vestibule.db")
    older = path.with_name(".vestibule.db.last").read_bytes()
    async with SqliteStore(path) as store:
        await store.write(Write("later", "x"))
    path.with_name(".vestibule.db.last").write_bytes(older)
    assert {} == await _lost(path)


async def test_an_older_copy_is_noticed_unless_it_was_restored(tmp_path: Path) -> None:
    """The note goes with the mark, when the database is one that somebody chose."""
    path = await _killed(tmp_path / "a", tmp_path / "b", writes=3)
    async with SqliteStore(tmp_path / "a" / "vestibule.db") as store:
        await store.write(Write("later", "x"))
    shutil.copy(tmp_path / "a" / ".vestibule.db.last", path.with_name(".vestibule.db.last"))
    assert {"entries": 1} == await _lost(path)
    DatabaseMark.beside(path).remove()
    assert {} == await _lost(path)
