"""`vestibule db export` and `vestibule db import`: all entries as lines of JSON, from one store into another."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from vestibule.cli.database.command import DataDir
from vestibule.cli.http_client import fail

if TYPE_CHECKING:
    from vestibule.database_service.entries.store import Store

    OpeningStore = AbstractAsyncContextManager[Store]

STANDARD = Path("-")
MOST_COUNTED = 1000


def export(
    target: Annotated[Path, typer.Argument(help="The file to create; `-` is standard output.")] = STANDARD,
    plain: Annotated[
        bool,
        typer.Option("--plain", help="Decrypt the values, for another key ring. Anyone with the file can read them."),
    ] = False,
    drained: Annotated[
        bool, typer.Option("--drained", help="Refuse while tasks are unfinished: they are not exported.")
    ] = False,
    data_dir: DataDir = Path("var"),
) -> None:
    """Export every entry as a line of JSON, with its version and expiry, while the system runs."""
    if plain:
        typer.echo("vestibule: the values are written as they are; whoever has the file can read them", err=True)
    if target != STANDARD and target.exists():
        fail(f"{target} exists")
    if unfinished := asyncio.run(_count_unfinished(_store(data_dir, is_encrypted=True))):
        many = f"{unfinished} tasks" if unfinished < MOST_COUNTED else f"{unfinished} tasks or more"
        if drained:
            fail(f"{many} are unfinished; nothing is exported")
        typer.echo(f"vestibule: {many} are unfinished and do not go along", err=True)
    with nullcontext(sys.stdout) if target == STANDARD else target.open("x", encoding="utf-8") as sink:
        if target != STANDARD:
            target.chmod(0o600)
        asyncio.run(_export(_store(data_dir, is_encrypted=not plain), sink, is_encrypted=not plain))


def import_entries(
    source: Annotated[Path, typer.Argument(help="A file created by `vestibule db export`; `-` is standard input.")],
    data_dir: DataDir = Path("var"),
) -> None:
    """Import entries with their versions and expiries; an entry with the same or a later version stays.

    Encrypted values need the key ring that they were encrypted with. Imported values are not scanned.
    """
    from vestibule.contracts.errors import VestibuleError
    from vestibule.database_service.maintenance.backup import TransferRefused, parse_header

    with nullcontext(sys.stdin) if source == STANDARD else source.open(encoding="utf-8") as lines:
        try:
            header = parse_header(lines.readline())
            asyncio.run(_import(_store(data_dir, is_encrypted=header.encrypted), lines))
        except (TransferRefused, VestibuleError) as error:
            fail(str(error))


async def _count_unfinished(opening: "OpeningStore") -> int:
    from vestibule.contracts.tasks import UNFINISHED
    from vestibule.database_service.main import build_task_ledger

    async with opening as store:
        ledger = build_task_ledger(store)
        await ledger.prepare()
        found, _cursor = await ledger.page(None, sorted(UNFINISHED), MOST_COUNTED, None)
    return len(found)


async def _export(opening: "OpeningStore", sink: TextIO, is_encrypted: bool) -> None:
    from vestibule.database_service.maintenance.backup import ExportHeader, export_entries

    count = 0
    async with opening as store:
        sink.write(ExportHeader(encrypted=is_encrypted).model_dump_json() + "\n")
        async for entry in export_entries(store):
            sink.write(entry.model_dump_json(exclude_none=True) + "\n")
            count += 1
            _show(f"{count:,} entries", is_last=False)
    _show(f"{count:,} entries are exported", is_last=True)


async def _import(opening: "OpeningStore", lines: TextIO) -> None:
    from vestibule.database_service.maintenance.backup import import_entries, parse_entries

    counts = (0, 0)
    async with opening as store:
        async for page in import_entries(store, parse_entries(lines)):
            counts = page
            _show(f"{counts[0]:,} entries", is_last=False)
    _show(f"{counts[1]:,} of {counts[0]:,} entries are imported; the others were here", is_last=True)


@asynccontextmanager
async def _store(data_dir: Path, is_encrypted: bool) -> AsyncIterator["Store"]:
    from vestibule.database_service.entries.encrypted_store import REALM, EncryptedStore
    from vestibule.database_service.main import build_store
    from vestibule.database_service.settings import DatabaseSettings
    from vestibule.encryption import Cipher, KeyRingFile

    settings = DatabaseSettings(data_dir=data_dir)
    async with build_store(settings) as store:
        yield store if is_encrypted else EncryptedStore(store, Cipher(KeyRingFile(settings.key_ring_path), REALM))


def _show(text: str, is_last: bool) -> None:
    if is_last or sys.stderr.isatty():
        typer.echo(f"\r{text}", err=True, nl=is_last)
