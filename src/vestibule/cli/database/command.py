"""`vestibule db`: checks and migrates the store; backs up and restores the file of SQLite."""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vestibule.cli.http_client import AsJson, fail

if TYPE_CHECKING:
    from vestibule.database_service.entries.store import StoreKind
    from vestibule.database_service.maintenance.backup import OnProgress
    from vestibule.database_service.settings import DatabaseSettings

app = typer.Typer(
    help="Check, migrate, export and import the database; back up and restore SQLite.", no_args_is_help=True
)

DataDir = Annotated[Path, typer.Option(envvar="VESTIBULE_DATA_DIR", help="The data directory of the services.")]


@app.command()
def check(data_dir: DataDir = Path("var"), as_json: AsJson = False) -> None:
    """Check the integrity of the store, safe while the system runs. Exit code 1 if it is damaged."""
    checked, faults = _check_server() if _is_on_server() else _check_file(_path(data_dir))
    if as_json:
        typer.echo(json.dumps({"file": checked, "faults": faults}))
    else:
        typer.echo("\n".join(faults) if faults else f"{checked} is sound.")
    if faults:
        raise typer.Exit(1)


@app.command()
def migrate() -> None:
    """Create or migrate the tables of the store (PostgreSQL, DynamoDB)."""
    from vestibule.database_service.entries.store import StoreRefused

    kind, settings = _store_kind()
    if kind.administration is None:
        fail(f"`{kind.scheme}:` needs no migration")
    try:
        is_changed = asyncio.run(kind.administration().migrate(settings))
    except StoreRefused as error:
        fail(str(error))
    typer.echo("The store is up to date now." if is_changed else "The store was up to date.")


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="The file to create; it must not exist.")],
    data_dir: DataDir = Path("var"),
) -> None:
    """Copy the database while the system runs. Values stay encrypted: back up the key ring too."""
    from vestibule.database_service.maintenance import backup as database_backup

    try:
        database_backup.back_up(_path(data_dir), target, _progress())
    except database_backup.DatabaseFileError as error:
        fail(str(error))
    typer.echo(f"{target} is written.")


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="A file created by `vestibule db backup`.")],
    replace: Annotated[bool, typer.Option("--replace", help="Replace the existing database.")] = False,
    data_dir: DataDir = Path("var"),
) -> None:
    """Restore the database from a backup; stop the system first."""
    from vestibule.database_service.maintenance import backup as database_backup

    path = _path(data_dir)
    if path.exists() and not replace:
        fail(f"{path} exists; --replace overwrites it")
    try:
        database_backup.restore(source, path, _progress())
    except database_backup.DatabaseFileError as error:
        fail(str(error))
    typer.echo(f"{path} is restored from {source}.")


def _check_file(path: Path) -> tuple[str, list[str]]:
    from vestibule.database_service.maintenance import backup as database_backup

    try:
        return str(path), database_backup.check(path)
    except database_backup.DatabaseFileError as error:
        fail(str(error))


def _check_server() -> tuple[str, list[str]]:
    from vestibule.database_service.entries.store import StoreRefused

    kind, settings = _store_kind()
    if kind.administration is None:
        fail(f"`{kind.scheme}:` has nothing to check")
    try:
        return f"The {kind.scheme} store", asyncio.run(kind.administration().check(settings))
    except StoreRefused as error:
        fail(str(error))


def _is_on_server() -> bool:
    return _store_kind()[0].administration is not None


def _store_kind() -> "tuple[StoreKind, DatabaseSettings]":
    from vestibule.database_service.main import find_store_kind
    from vestibule.database_service.settings import DatabaseSettings
    from vestibule.service_kit.settings import describe_mistakes

    try:
        settings = DatabaseSettings()
        return find_store_kind(settings), settings
    except ValueError as error:
        fail(describe_mistakes(error))


def _path(data_dir: Path) -> Path:
    from vestibule.database_service.settings import DatabaseSettings

    settings = DatabaseSettings(data_dir=data_dir)
    if not settings.database_url.startswith("sqlite:"):
        fail("VESTIBULE_DATABASE_URL names another store; use its own tools")
    return settings.sqlite_path


def _progress() -> "OnProgress":
    is_watched = sys.stderr.isatty()

    def show_progress(done: int, total: int) -> None:
        if is_watched:
            typer.echo(f"\r{done:,} of {total:,} pages", err=True, nl=done == total)

    return show_progress
