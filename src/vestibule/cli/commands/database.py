"""`vestibule db`: checks, migrates, exports and imports the store; backs up and restores the file of SQLite."""

import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from vestibule.cli.options import (
    DATA_DIR,
    AsJson,
    DataDir,
    echo,
    exit_on,
    expect_instance,
    fail,
    overwrite,
    show,
    show_progress,
)

if TYPE_CHECKING:
    from vestibule.database_service.entries.store import Store, StoreKind
    from vestibule.database_service.settings import DatabaseSettings

    OpeningStore = AbstractAsyncContextManager[Store]

STANDARD = Path("-")
MOST_COUNTED = 1000

app = typer.Typer(
    help="Check, migrate, export and import the database; back up and restore SQLite.", no_args_is_help=True
)


@app.command()
def check(data_dir: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Check the integrity of the store, safe while the system runs. Exit code 1 if it is damaged."""
    import asyncio

    from vestibule.database_service.entries.store import StoreRefused
    from vestibule.database_service.maintenance import backup as database_backup

    kind, settings = _store_kind()
    with exit_on(StoreRefused, database_backup.DatabaseFileError):
        if kind.administration is None:
            path = _sqlite_path(data_dir)
            checked, faults = str(path), database_backup.check(path)
        else:
            checked, faults = f"The {kind.scheme} store", asyncio.run(kind.administration().check(settings))
    show({"file": checked, "faults": faults}, as_json, "\n".join(faults) or f"{checked} is sound.")
    if faults:
        raise typer.Exit(1)


@app.command()
def migrate() -> None:
    """Create or migrate the tables of the store (PostgreSQL, DynamoDB)."""
    import asyncio

    from vestibule.database_service.entries.store import StoreRefused

    kind, settings = _store_kind()
    if kind.administration is None:
        fail(f"`{kind.scheme}:` needs no migration")
    with exit_on(StoreRefused):
        is_changed = asyncio.run(kind.administration().migrate(settings))
    echo("The store is up to date now." if is_changed else "The store was up to date.")


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="The file to create; it must not exist.")],
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Copy the database while the system runs. Values stay encrypted: back up the key ring too."""
    from vestibule.database_service.maintenance import backup as database_backup

    with exit_on(database_backup.DatabaseFileError):
        database_backup.back_up(_sqlite_path(data_dir), target, _show_pages)
    echo(f"{target} is written.")


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="A file created by `vestibule db backup`.")],
    replace: Annotated[bool, typer.Option("--replace", help="Replace the existing database.")] = False,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Restore the database from a backup; stop the system first."""
    from vestibule.database_service.maintenance import backup as database_backup

    path = _sqlite_path(data_dir)
    if path.exists() and not replace:
        fail(f"{path} exists; --replace overwrites it")
    with exit_on(database_backup.DatabaseFileError):
        database_backup.restore(source, path, _show_pages)
    echo(f"{path} is restored from {source}.")


@app.command()
def adopt(data_dir: DataDir = DATA_DIR) -> None:
    """Take the databases as they are: the next start creates those that are gone, without what they had.

    A start refuses a database that is gone, empty or another one than before. Nothing is deleted.
    """
    from vestibule.alerts import AlertSettings
    from vestibule.database_service.entries.store_identity import mark_of
    from vestibule.runtime.starts import DatabaseMark

    _kind, settings = _store_kind(expect_instance(data_dir))
    alert_mark = DatabaseMark.beside(AlertSettings(data_dir=data_dir).alert_record_path)
    marks = (mark_of(settings), alert_mark, DatabaseMark.beside(data_dir / "tasks.db"))
    with exit_on(OSError):
        removed = [mark.path.name for mark in marks if mark is not None and mark.remove()]
    echo("The next start takes the databases as they are." if removed else "No database was created here.")


@app.command()
def export(
    target: Annotated[Path, typer.Argument(help="The file to create; `-` is standard output.")] = STANDARD,
    plain: Annotated[
        bool,
        typer.Option("--plain", help="Decrypt the values, for another key ring. Anyone with the file can read them."),
    ] = False,
    drained: Annotated[
        bool, typer.Option("--drained", help="Refuse while tasks are unfinished: they are not exported.")
    ] = False,
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Export every entry as a line of JSON, with its version and expiry, while the system runs."""
    import asyncio

    from vestibule.encryption import KeyRingUnreadable
    from vestibule.runtime.starts import StartRefused

    if plain:
        echo("vestibule: the values are not encrypted: anyone with the file can read them", err=True)
    if target != STANDARD and target.exists():
        fail(f"{target} exists")
    kind, settings = _store_kind(data_dir)
    if kind.scheme == "sqlite" and not settings.sqlite_path.exists():
        fail(f"{settings.sqlite_path} does not exist; set --data-dir")
    with exit_on(OSError, StartRefused):
        unfinished = asyncio.run(_count_unfinished(_open_store(data_dir, is_encrypted=True)))
    if unfinished:
        many = f"{unfinished} tasks" if unfinished < MOST_COUNTED else f"{unfinished} tasks or more"
        if drained:
            fail(f"{many} are unfinished; nothing is exported")
        echo(f"vestibule: {many} are unfinished and are not exported", err=True)
    with exit_on(OSError, StartRefused, KeyRingUnreadable):
        asyncio.run(_export(_open_store(data_dir, is_encrypted=not plain), target, is_encrypted=not plain))


@app.command("import")
def import_file(
    source: Annotated[Path, typer.Argument(help="A file created by `vestibule db export`; `-` is standard input.")],
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Import entries with their versions and expiries; an entry with the same or a later version stays.

    Encrypted values need the key ring that they were encrypted with. Imported values are not scanned.
    """
    import asyncio

    from vestibule.contracts.errors import VestibuleError
    from vestibule.database_service.maintenance.backup import TransferRefused, parse_header
    from vestibule.encryption import KeyRingUnreadable
    from vestibule.runtime.starts import StartRefused

    with (
        exit_on(TransferRefused, StartRefused, VestibuleError, KeyRingUnreadable, OSError),
        exit_on(UnicodeDecodeError, before="the file is no export: "),
        nullcontext(sys.stdin) if source == STANDARD else source.open(encoding="utf-8") as lines,
    ):
        header = parse_header(lines.readline())
        asyncio.run(_import(_open_store(data_dir, is_encrypted=header.encrypted), lines))


def _store_kind(data_dir: Path = DATA_DIR) -> "tuple[StoreKind, DatabaseSettings]":
    from vestibule.database_service.main import find_store_kind
    from vestibule.database_service.settings import DatabaseSettings

    with exit_on(ValueError):
        settings = DatabaseSettings(data_dir=data_dir)
        return find_store_kind(settings), settings


def _sqlite_path(data_dir: Path) -> Path:
    from vestibule.database_service.settings import DatabaseSettings

    settings = DatabaseSettings(data_dir=data_dir)
    if not settings.database_url.startswith("sqlite:"):
        fail("VESTIBULE_DATABASE_URL names another store; use its own tools")
    return settings.sqlite_path


@asynccontextmanager
async def _open_store(data_dir: Path, *, is_encrypted: bool) -> AsyncIterator["Store"]:
    from vestibule.database_service.entries.encrypted_store import REALM, EncryptedStore
    from vestibule.database_service.main import build_store
    from vestibule.database_service.settings import DatabaseSettings
    from vestibule.encryption import Cipher, KeyRingFile

    settings = DatabaseSettings(data_dir=data_dir)
    # Before the store, which creates a database that no later key ring would match.
    cipher = None if is_encrypted else Cipher(KeyRingFile(settings.key_ring_path), REALM)
    async with build_store(settings) as store:
        yield EncryptedStore(store, cipher) if cipher else store


async def _count_unfinished(opening: "OpeningStore") -> int:
    from vestibule.contracts.tasks import UNFINISHED
    from vestibule.database_service.main import build_task_ledger

    async with opening as store:
        ledger = build_task_ledger(store)
        await ledger.prepare()
        found, _cursor = await ledger.page(None, sorted(UNFINISHED), MOST_COUNTED, None)
    return len(found)


async def _export(opening: "OpeningStore", target: Path, *, is_encrypted: bool) -> None:
    from vestibule.database_service.maintenance.backup import ExportHeader, export_entries

    count = 0
    async with opening as store:
        with nullcontext(sys.stdout) if target == STANDARD else _create(target) as sink:
            sink.write(ExportHeader(encrypted=is_encrypted).model_dump_json() + "\n")
            async for entry in export_entries(store):
                sink.write(entry.model_dump_json(exclude_none=True) + "\n")
                count += 1
                show_progress(f"{count:,} entries", is_last=False)
    overwrite(f"{count:,} entries are exported")


def _create(target: Path) -> TextIO:
    sink = target.open("x", encoding="utf-8")
    target.chmod(0o600)
    return sink


async def _import(opening: "OpeningStore", lines: TextIO) -> None:
    from vestibule.database_service.maintenance.backup import import_entries, parse_entries

    counts = (0, 0)
    async with opening as store:
        async for page in import_entries(store, parse_entries(lines)):
            counts = page
            show_progress(f"{counts[0]:,} entries", is_last=False)
    summary = f"{counts[1]:,} of {counts[0]:,} entries are imported; the others exist in the same or a later version"
    overwrite(summary)


def _show_pages(done: int, total: int) -> None:
    show_progress(f"{done:,} of {total:,} pages", is_last=done == total)
