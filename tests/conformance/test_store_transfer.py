"""What is exported from any store is the same in any other it is imported into."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from servers.stores import with_server
from vestibule.database_service.entries.store import NoHistoryMixin, Store, StoreKind, Write
from vestibule.database_service.main import store_kinds
from vestibule.database_service.maintenance.backup import (
    ExportHeader,
    TransferRefused,
    export_entries,
    import_entries,
    parse_entries,
    parse_header,
)
from vestibule.database_service.settings import DatabaseSettings

# Stores that cannot import entries inherit `NoHistoryMixin`.
NOT_YET = {"dynamodb"}
KINDS = {name: kind for name, kind in store_kinds().items() if name not in NOT_YET}
PAIRS = [(one, other) for one in KINDS for other in KINDS]
FUTURE = datetime(2101, 1, 1, tzinfo=UTC)


Build = Callable[[str, Path], Store]


@pytest.fixture(name="build")
def _build(request: pytest.FixtureRequest) -> Build:
    """Builds a store of a kind for a folder."""
    return lambda name, folder: _built(with_server(KINDS[name], request), folder)


def _built(kind: StoreKind, folder: Path) -> Store:
    store = kind.build(DatabaseSettings(data_dir=folder, database_url=f"{kind.scheme}:"))
    assert not isinstance(store, NoHistoryMixin)
    return store


async def _lines(store: Store) -> list[str]:
    return [entry.model_dump_json(exclude_none=True) async for entry in export_entries(store)]


async def _import(store: Store, lines: list[str]) -> tuple[int, int]:
    return [counts async for counts in import_entries(store, parse_entries(lines))][-1]


@pytest.mark.parametrize(("source", "target"), PAIRS)
async def test_an_export_is_the_same_elsewhere(source: str, target: str, tmp_path: Path, build: Build) -> None:
    """Keys, values, versions and expiries are what they were, and go on from there."""
    async with build(source, tmp_path / "a") as one, build(target, tmp_path / "b") as other:
        for number in range(450):
            await one.write(
                Write(f"k{number} é\U0001f511", f"value\n{number}", expires_at=FUTURE if number % 2 else None)
            )
        for _ in range(6):
            await one.write(Write("often", "x" * 10))
        await one.delete("k0 é\U0001f511")
        lines = await _lines(one)
        assert (450, 450) == await _import(other, lines)
        assert lines == await _lines(other)
        assert 7 == await other.write(Write("often", "y"))
        assert (450, 0) == await _import(other, lines)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_newer_here_stays(kind: str, tmp_path: Path, build: Build) -> None:
    """An import overwrites neither a later version nor a deletion of the same one."""
    async with build(kind, tmp_path / "a") as one, build(kind, tmp_path / "b") as other:
        for key in ("same", "deleted", "older"):
            await one.write(Write(key, "from the export"))
        await one.write(Write("older", "from the export"))
        for key in ("same", "deleted", "older"):
            await other.write(Write(key, "here"))
        await other.delete("deleted")
        before = (await other.changes("", None, 1)).position
        assert (3, 1) == await _import(other, await _lines(one))
        read = [entry and entry.value for entry in await other.read_many(["same", "deleted", "older"])]
        assert ["here", None, "from the export"] == read
        # A watcher hears of what came, and of nothing else.
        page = await other.changes("", before, 100)
        assert [("older", 2)] == [(change.key, change.version) for change in page.changes]


@pytest.mark.parametrize("line", ["", "{}", '{"key":"a"}', "[]", '{"vestibule_export":1}', "\x00"])
def test_an_invalid_export_is_refused(line: str) -> None:
    """A file of another kind changes nothing, and the refusal says which line and nothing of it."""
    with pytest.raises(TransferRefused, match="line 1"):
        parse_header(line)
    with pytest.raises(TransferRefused, match="line 2"):
        list(parse_entries([line]))
    with pytest.raises(TransferRefused, match="format 9"):
        parse_header('{"vestibule_export":9,"encrypted":true}')
    assert parse_header(ExportHeader(encrypted=False).model_dump_json()) == ExportHeader(encrypted=False)
