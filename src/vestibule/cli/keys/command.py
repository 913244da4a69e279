"""`vestibule keys`: lists, rotates, checks and retires the keys of values, tasks, tokens and fingerprints."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from vestibule.cli.http_client import DEFAULT_DATABASE_URL, AsJson, fail

if TYPE_CHECKING:
    from vestibule.encryption import Key, KeyRing

EXIT_BAD_SETTINGS = 78  # EX_CONFIG of sysexits.h
# Running services take up to a second to notice a rotation; until then they may encrypt with the previous key.
SETTLED_AFTER_S = 5.0
PURPOSES = ("data", "token", "fingerprint")

app = typer.Typer(help="List, rotate, check and retire the encryption keys.", no_args_is_help=True)

DataDir = Annotated[Path, typer.Option(envvar="VESTIBULE_DATA_DIR", help="The data directory of the services.")]
RingFile = Annotated[
    Path | None,
    typer.Option("--keyring-file", envvar="VESTIBULE_KEYRING_FILE", help="The key ring, if not in the data directory."),
]
SecretFile = Annotated[
    Path | None,
    typer.Option(
        "--secret-file",
        envvar="VESTIBULE_SERVICE_SECRET_FILE",
        help="The services' secret, if not in the data directory.",
    ),
]
DatabaseUrl = Annotated[
    str,
    typer.Option(
        "--database-service", envvar="VESTIBULE_DATABASE_SERVICE_URL", help="Address of the database service."
    ),
]


@app.command("list")
def list_keys(data_dir: DataDir = Path("var"), ring_file: RingFile = None, as_json: AsJson = False) -> None:
    """List the keys, without their secrets."""
    ring = _read(data_dir, ring_file)
    rows = [_row(ring, key) for key in ring.keys]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    for row in sorted(rows, key=lambda row: PURPOSES.index(row["purpose"])):
        typer.echo(f"{row['id']}  {row['purpose']:11}  {row['state']:7}  since {row['active_from'][:19]}")


@app.command()
def rotate(
    purpose: Annotated[str, typer.Option(help=f"Which kind of key: {', '.join(PURPOSES)}.")] = "data",
    delay_s: Annotated[
        int, typer.Option(min=0, help="Seconds until it takes over, for a ring that is copied to other machines.")
    ] = 0,
    data_dir: DataDir = Path("var"),
    ring_file: RingFile = None,
    as_json: AsJson = False,
) -> None:
    """Add a new active key; older keys still decrypt. Running services notice within a second."""
    from vestibule.encryption import KeyRingUnreadable, Purpose, add_key

    if purpose not in PURPOSES:
        raise typer.BadParameter(f"one of {', '.join(PURPOSES)}", param_hint="--purpose")
    try:
        key = add_key(_path(data_dir, ring_file), Purpose(purpose), datetime.now(UTC) + timedelta(seconds=delay_s))
    except (KeyRingUnreadable, OSError) as error:
        _refuse(error)
    if as_json:
        typer.echo(json.dumps({"id": key.id, "purpose": purpose, "active_from": key.active_from.isoformat()}))
        return
    typer.echo(f"Key {key.id} is the active {purpose} key {f'in {delay_s} seconds' if delay_s else 'now'}.")
    if purpose == "data":
        typer.echo("`vestibule keys rewrap` re-encrypts the database with it.", err=True)


@app.command()
def rewrap(
    data_dir: DataDir = Path("var"),
    secret_file: SecretFile = None,
    database_url: DatabaseUrl = DEFAULT_DATABASE_URL,
    as_json: AsJson = False,
) -> None:
    """Re-encrypt stored values with the active key, while the services run."""
    from vestibule.cli.keys.reencrypt import count_encryption_keys

    total = count_encryption_keys("POST", "/reencrypt", database_url, _secret(data_dir, secret_file))
    if as_json:
        typer.echo(total.model_dump_json(include={"entries", "reencrypted", "not_opened"}))
    else:
        typer.echo(f"{total.reencrypted:,} values of {total.entries:,} entries were re-encrypted.")
    _warn_unreadable(total.not_opened)


@app.command()
def check(
    data_dir: DataDir = Path("var"),
    ring_file: RingFile = None,
    secret_file: SecretFile = None,
    database_url: DatabaseUrl = DEFAULT_DATABASE_URL,
    as_json: AsJson = False,
) -> None:
    """Check the key ring, its file permissions, and that it decrypts every value in the database."""
    from vestibule.cli.keys.reencrypt import count_encryption_keys

    _read(data_dir, ring_file)
    path = _path(data_dir, ring_file)
    if path.stat().st_mode & 0o077:
        typer.echo(f"vestibule: others than its owner can read or change {path}", err=True)
    total = count_encryption_keys("GET", "/encryption-keys", database_url, _secret(data_dir, secret_file))
    if as_json:
        typer.echo(total.model_dump_json(include={"entries", "by_key", "not_opened"}))
    else:
        typer.echo(f"{sum(total.by_key.values()):,} values of {total.entries:,} entries open.")
        for key_id, count in sorted(total.by_key.items()):
            typer.echo(f"  {key_id}  {count:,}")
    _warn_unreadable(total.not_opened)


@app.command()
def retire(
    key_id: Annotated[str, typer.Argument(help="The id that `vestibule keys list` shows.")],
    force: Annotated[
        bool,
        typer.Option("--force", help="Even if something is encrypted with it, which is then lost."),
    ] = False,
    data_dir: DataDir = Path("var"),
    ring_file: RingFile = None,
    secret_file: SecretFile = None,
    database_url: DatabaseUrl = DEFAULT_DATABASE_URL,
    redis_url: Annotated[
        str, typer.Option(envvar="VESTIBULE_REDIS_URL", help="Redis; that of the data directory if not given.")
    ] = "",
) -> None:
    """Destroy an old key. Refused while anything in the database or the queue is encrypted with it."""
    from vestibule.encryption import KeyRefused, KeyRingUnreadable, Purpose, find_old_key, retire_key

    path = _path(data_dir, ring_file)
    try:
        ring = _read(data_dir, ring_file)
        key = find_old_key(ring, key_id)
        if not force:
            _expect_unneeded(ring, key)
        if not force and key.purpose is Purpose.DATA:
            _expect_unused(key, data_dir, _secret(data_dir, secret_file), database_url, redis_url)
        retire_key(path, key_id)
    except KeyRefused as error:
        fail(str(error))
    except (KeyRingUnreadable, OSError) as error:
        _refuse(error)
    typer.echo(f"Key {key_id} is retired; what it encrypted can no longer be decrypted.")


def _expect_unneeded(ring: "KeyRing", key: "Key") -> None:
    lost = {
        "token": "tokens made with it, wherever they were kept, could not be revealed any more",
        "fingerprint": "values that were seen in its time could not be recognised any more",
    }
    if key.purpose in lost:
        fail(f"{lost[key.purpose]}; --force retires it")
    if (datetime.now(UTC) - ring.active(key.purpose).active_from).total_seconds() < SETTLED_AFTER_S:
        fail(f"the rotation is too fresh; try again in {SETTLED_AFTER_S:g} seconds")


def _expect_unused(key: "Key", data_dir: Path, authorization: str, database_url: str, redis_url: str) -> None:
    from vestibule.cli.keys.reencrypt import count_encryption_keys, count_in_queue

    # The queue first: a value that is read for a task goes from the database into it.
    if queued := count_in_queue(data_dir, redis_url)[key.id]:
        fail(f"{queued:,} tasks or results in the queue are encrypted with it; results stay for minutes, at most a day")
    if kept := count_encryption_keys("GET", "/encryption-keys", database_url, authorization).by_key.get(key.id, 0):
        fail(f"{kept:,} values in the database are encrypted with it; `vestibule keys rewrap` re-encrypts them")


def _row(ring: "KeyRing", key: "Key") -> dict[str, str]:
    return {
        "id": key.id,
        "purpose": key.purpose.value,
        "state": ring.state_of(key).value,
        "created_at": key.created_at.isoformat(),
        "active_from": key.active_from.isoformat(),
    }


def _path(data_dir: Path, ring_file: Path | None) -> Path:
    return ring_file or data_dir / "keys" / "keyring.json"


def _secret(data_dir: Path, secret_file: Path | None) -> str:
    from vestibule.service_kit.auth.service_secret import ServiceSecret, ServiceSecretMissing

    try:
        return ServiceSecret.read(secret_file or data_dir / "keys" / "service_secret").authorization
    except ServiceSecretMissing as error:
        _refuse(error)


def _read(data_dir: Path, ring_file: Path | None) -> "KeyRing":
    from vestibule.encryption import KeyRingUnreadable, read_key_ring

    try:
        return read_key_ring(_path(data_dir, ring_file))
    except KeyRingUnreadable as error:
        _refuse(error)


def _warn_unreadable(reasons: list[str]) -> None:
    if reasons:
        for reason in sorted(set(reasons)):
            typer.echo(f"  {reasons.count(reason):,} values: {reason}", err=True)
        fail(f"{len(reasons):,} values do not open")


def _refuse(error: Exception) -> NoReturn:
    typer.echo(f"vestibule: {error}", err=True)
    raise typer.Exit(EXIT_BAD_SETTINGS)
