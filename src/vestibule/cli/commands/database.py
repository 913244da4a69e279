"""`vestibule db`: checks, migrates, exports and imports the store; backs up and restores the file of SQLite."""

import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from vestibule.cli.frame.confirmation import Yes, ask_back
from vestibule.cli.frame.noun import Noun
from vestibule.cli.options import (
    DATA_DIR,
    AsJson,
    DataDir,
    echo,
    exit_on,
    expect_instance,
    fail,
    overwrite,
    show_progress,
)
from vestibule.cli.terminal.output import Output

if TYPE_CHECKING:
    from vestibule.database_service.entries.store import Store, StoreKind
    from vestibule.database_service.settings import DatabaseSettings

    OpeningStore = AbstractAsyncContextManager[Store]

STANDARD = Path("-")

db = Noun(
    "vestibule db check",
    "vestibule db backup before.db",
    "vestibule db export entries.jsonl",
)


@db.verb("check", "vestibule db check")
def check(data_dir: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Check the integrity of the store, safe while the system runs.

    Exit code 1 if it is damaged.
    """
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
    _print({"file": checked, "faults": faults}, as_json, "\n".join(faults) or f"{checked} is sound.")
    if faults:
        raise typer.Exit(1)


@db.verb("migrate", "vestibule db migrate")
def migrate(as_json: AsJson = False) -> None:
    """Create or migrate the tables of the store (PostgreSQL, DynamoDB)."""
    import asyncio

    from vestibule.database_service.entries.store import StoreRefused

    kind, settings = _store_kind()
    if kind.administration is None:
        fail(f"`{kind.scheme}:` needs no migration")
    with exit_on(StoreRefused):
        is_changed = asyncio.run(kind.administration().migrate(settings))
    sentence = "The store is up to date now." if is_changed else "The store was up to date."
    _print({"is_changed": is_changed}, as_json, sentence)


@db.verb("backup", "vestibule db backup before.db")
def backup(
    target: Annotated[Path, typer.Argument(help="The file to create; it must not exist.")],
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Copy the database while the system runs.

    Values stay encrypted: back up the key ring too.
    """
    from vestibule.contracts.audit import Act
    from vestibule.database_service.maintenance import backup as database_backup
    from vestibule.service_kit.audit.outbox import auditing

    path = _sqlite_path(data_dir)
    with exit_on(database_backup.DatabaseFileError, OSError), auditing(data_dir, Act.DATABASE_BACKED_UP):
        database_backup.back_up(path, target, _show_pages)
    _print({"file": str(target)}, as_json, f"{target} is written.")


@db.verb("restore", "vestibule db restore before.db --replace")
def restore(
    source: Annotated[Path, typer.Argument(help="A file created by `vestibule db backup`.")],
    replace: Annotated[bool, typer.Option("--replace", help="Replace the existing database.")] = False,
    data_dir: DataDir = DATA_DIR,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Restore the database from a backup; stop the system first."""
    from vestibule.contracts.audit import Act
    from vestibule.database_service.maintenance import backup as database_backup
    from vestibule.service_kit.audit.outbox import auditing

    path = _sqlite_path(data_dir)
    if path.exists() and not replace:
        fail(f"{path} exists; --replace overwrites it")
    if path.exists():
        ask_back(f"This replaces {path} and all that it has. Restore?", is_sure=yes)
    with exit_on(database_backup.DatabaseFileError, OSError), auditing(data_dir, Act.DATABASE_RESTORED):
        database_backup.restore(source, path, _show_pages)
    _print({"file": str(path), "source": str(source)}, as_json, f"{path} is restored from {source}.")


@db.verb("adopt", "vestibule db adopt")
def adopt(data_dir: DataDir = DATA_DIR, as_json: AsJson = False) -> None:
    """Take the databases as they are: the next start creates those that are gone, without what they had.

    A start refuses a database that is gone, empty or another one than before. Nothing is deleted.
    """
    from vestibule.alerts import AlertSettings
    from vestibule.contracts.audit import Act
    from vestibule.database_service.entries.ledger_claim import LedgerClaim
    from vestibule.database_service.entries.store_identity import mark_of
    from vestibule.runtime.starts import DatabaseMark
    from vestibule.service_kit.audit.outbox import auditing

    _kind, settings = _store_kind(expect_instance(data_dir))
    alert_mark = DatabaseMark.beside(AlertSettings(data_dir=data_dir).alert_record_path)
    marks = (mark_of(settings), alert_mark)
    with exit_on(OSError), auditing(data_dir, Act.DATABASE_ADOPTED):
        removed = [mark for mark in marks if mark is not None and mark.remove()]
        has_ledger = LedgerClaim(data_dir / "tasks.db").adopt()
    is_any = bool(removed) or has_ledger
    sentence = "The next start takes the databases as they are." if is_any else "No database was created here."
    _print({"is_adopted": is_any}, as_json, sentence)


@db.verb("export", "vestibule db export entries.jsonl", "vestibule db export --drained entries.jsonl")
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
    yes: Yes = False,
) -> None:
    """Export every entry as a line of JSON, with its version and expiry, while the system runs."""
    import asyncio

    from vestibule.contracts.audit import Act
    from vestibule.encryption import KeyRingUnreadable
    from vestibule.runtime.starts import StartRefused
    from vestibule.service_kit.audit.outbox import auditing

    if plain:
        echo("vestibule: the values are not encrypted: anyone with the file can read them", err=True)
        ask_back("This gives out every value of every tenant. Export?", is_sure=yes)
    if target != STANDARD and target.exists():
        fail(f"{target} exists")
    kind, settings = _store_kind(data_dir)
    if kind.scheme == "sqlite" and not settings.sqlite_path.exists():
        fail(f"{settings.sqlite_path} does not exist; set --data-dir")
    with exit_on(OSError, StartRefused):
        unfinished = asyncio.run(_count_unfinished(_open_store(data_dir, is_encrypted=True)))
    if unfinished:
        many = f"{unfinished} tasks"
        if drained:
            fail(f"{many} are unfinished; nothing is exported")
        echo(f"vestibule: {many} are unfinished and are not exported", err=True)
    with exit_on(OSError, StartRefused, KeyRingUnreadable), auditing(data_dir, Act.DATABASE_EXPORTED):
        asyncio.run(_export(_open_store(data_dir, is_encrypted=not plain), target, is_encrypted=not plain))


@db.verb("import", "vestibule db import entries.jsonl --data-dir new")
def import_file(
    source: Annotated[Path, typer.Argument(help="A file created by `vestibule db export`; `-` is standard input.")],
    data_dir: DataDir = DATA_DIR,
) -> None:
    """Import entries with their versions and expiries; an entry with the same or a later version stays.

    Encrypted values need the key ring that they were encrypted with. Imported values are not scanned.
    """
    import asyncio

    from vestibule.contracts.audit import Act
    from vestibule.contracts.errors import VestibuleError
    from vestibule.database_service.maintenance.backup import TransferRefused, parse_header
    from vestibule.encryption import KeyRingUnreadable
    from vestibule.runtime.starts import StartRefused
    from vestibule.service_kit.audit.outbox import auditing

    with (
        exit_on(TransferRefused, StartRefused, VestibuleError, KeyRingUnreadable, OSError),
        exit_on(UnicodeDecodeError, before="the file is no export: "),
        nullcontext(sys.stdin) if source == STANDARD else source.open(encoding="utf-8") as lines,
    ):
        header = parse_header(lines.readline())
        with auditing(data_dir, Act.DATABASE_IMPORTED):
            asyncio.run(_import(_open_store(data_dir, is_encrypted=header.encrypted), lines))


def _print(document: dict[str, object], as_json: bool, sentence: str) -> None:
    Output(as_json=as_json).done(document, sentence)


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
        return sum(count.tasks for count in await ledger.counts(None) if count.state in UNFINISHED)


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
