"""`vestibule keys`: lists, rotates, checks and retires encryption keys, and rotates the secret of the services."""

import os
import time
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vestibule.cli.http_client import DEFAULT_DATABASE_URL
from vestibule.cli.options import DATA_DIR, AsJson, DataDir, echo, exit_on, expect_instance, fail, show

if TYPE_CHECKING:
    from vestibule.encryption import Key, KeyRing

# Running services notice a change of the key ring or the secret within a second; until then they use the previous one.
KEY_SETTLED_AFTER_S, SECRET_SETTLED_AFTER_S = 5.0, 3.0
PURPOSES = ("data", "token", "fingerprint")

app = typer.Typer(help="List, rotate, check and retire the encryption keys.", no_args_is_help=True)

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


class RotationStep(StrEnum):
    """The steps of a rotation, in order; after each one every service needs the new file."""

    ADD = "add"
    USE = "use"
    DROP = "drop"


@app.command("list")
def list_keys(data_dir: DataDir = DATA_DIR, ring_file: RingFile = None, as_json: AsJson = False) -> None:
    """List the keys, without their secrets."""
    ring = _read_ring(data_dir, ring_file)
    rows = [_row(ring, key) for key in ring.keys]
    lines = [
        f"{row['id']}  {row['purpose']:11}  {row['state']:7}  since {row['active_from'][:19]}"
        for row in sorted(rows, key=lambda row: PURPOSES.index(row["purpose"]))
    ]
    show(rows, as_json, "\n".join(lines))


@app.command()
def rotate(
    purpose: Annotated[str, typer.Option(help=f"Which kind of key: {', '.join(PURPOSES)}.")] = "data",
    delay_s: Annotated[
        int, typer.Option(min=0, help="Seconds until it becomes active, for a ring that is copied to other machines.")
    ] = 0,
    data_dir: DataDir = DATA_DIR,
    ring_file: RingFile = None,
    as_json: AsJson = False,
) -> None:
    """Add a new active key; older keys still decrypt. Running services notice within a second."""
    from vestibule.encryption import KeyRingUnreadable, Purpose, add_key

    if purpose not in PURPOSES:
        raise typer.BadParameter(f"one of {', '.join(PURPOSES)}", param_hint="--purpose")
    with exit_on(KeyRingUnreadable, OSError, exit_code=os.EX_CONFIG):
        key = add_key(_ring_path(data_dir, ring_file), Purpose(purpose), datetime.now(UTC) + timedelta(seconds=delay_s))
    when = f"becomes the active {purpose} key in {delay_s} seconds" if delay_s else f"is now the active {purpose} key"
    made = {"id": key.id, "purpose": purpose, "active_from": key.active_from.isoformat()}
    show(made, as_json, f"Key {key.id} {when}.")
    if purpose == "data" and not as_json:
        echo("`vestibule keys rewrap` re-encrypts the database with it.", err=True)


@app.command()
def rewrap(
    data_dir: DataDir = DATA_DIR,
    secret_file: SecretFile = None,
    database_url: DatabaseUrl = DEFAULT_DATABASE_URL,
    as_json: AsJson = False,
) -> None:
    """Re-encrypt stored values with the active key, while the services run."""
    from vestibule.cli.reencryption import count_encryption_keys

    total = count_encryption_keys("POST", "/reencrypt", database_url, _authorization(data_dir, secret_file))
    counts = total.model_dump(mode="json", include={"entries", "reencrypted", "not_opened"})
    show(counts, as_json, f"{total.reencrypted:,} values of {total.entries:,} entries were re-encrypted.")
    _fail_if_unreadable(total.not_opened)


@app.command()
def check(
    data_dir: DataDir = DATA_DIR,
    ring_file: RingFile = None,
    secret_file: SecretFile = None,
    database_url: DatabaseUrl = DEFAULT_DATABASE_URL,
    as_json: AsJson = False,
) -> None:
    """Check the key ring, its file permissions, and that it decrypts every value in the database."""
    from vestibule.cli.reencryption import count_encryption_keys

    _read_ring(data_dir, ring_file)
    path = _ring_path(data_dir, ring_file)
    if path.stat().st_mode & 0o077:
        echo(f"vestibule: other users can read or change {path}", err=True)
    total = count_encryption_keys("GET", "/encryption-keys", database_url, _authorization(data_dir, secret_file))
    lines = [f"{sum(total.by_key.values()):,} values of {total.entries:,} entries can be decrypted."]
    lines += [f"  {key_id}  {count:,}" for key_id, count in sorted(total.by_key.items())]
    counts = total.model_dump(mode="json", include={"entries", "by_key", "not_opened"})
    show(counts, as_json, "\n".join(lines))
    _fail_if_unreadable(total.not_opened)


@app.command()
def retire(
    key_id: Annotated[str, typer.Argument(help="The id that `vestibule keys list` shows.")],
    force: Annotated[
        bool,
        typer.Option("--force", help="Even if something is encrypted with it, which is then lost."),
    ] = False,
    data_dir: DataDir = DATA_DIR,
    ring_file: RingFile = None,
    secret_file: SecretFile = None,
    database_url: DatabaseUrl = DEFAULT_DATABASE_URL,
    redis_url: Annotated[
        str, typer.Option(envvar="VESTIBULE_REDIS_URL", help="Redis; that of the data directory if not given.")
    ] = "",
) -> None:
    """Destroy an old key. Refused while anything in the database or the queue is encrypted with it."""
    from vestibule.encryption import KeyRefused, KeyRingUnreadable, Purpose, find_old_key, retire_key

    with exit_on(KeyRefused), exit_on(KeyRingUnreadable, OSError, exit_code=os.EX_CONFIG):
        ring = _read_ring(data_dir, ring_file)
        key = find_old_key(ring, key_id)
        if not force:
            _expect_replaced(ring, key)
            if key.purpose is Purpose.DATA:
                _expect_unused(key, data_dir, _authorization(data_dir, secret_file), database_url, redis_url)
        retire_key(_ring_path(data_dir, ring_file), key_id)
    echo(f"Key {key_id} is retired; what it encrypted can no longer be decrypted.")


@app.command()
def secret(
    step: Annotated[
        list[RotationStep] | None,
        typer.Option(help="Only this step, for a file that is copied to other machines after each: add, use, drop."),
    ] = None,
    data_dir: DataDir = DATA_DIR,
    secret_file: SecretFile = None,
) -> None:
    """Rotate the services' secret while they run: add one that all accept, use it, drop the old one."""
    from vestibule.service_kit.auth.service_secret import ServiceSecretMissing, add_secret, drop_secret, use_secret

    path = _secret_path(data_dir, secret_file)
    work = {RotationStep.ADD: add_secret, RotationStep.USE: use_secret, RotationStep.DROP: drop_secret}
    with exit_on(ServiceSecretMissing, OSError):
        for index, one in enumerate(step or RotationStep):
            if index:
                time.sleep(SECRET_SETTLED_AFTER_S)
            work[one](path)
            echo(f"{one.value}: done")


def _expect_replaced(ring: "KeyRing", key: "Key") -> None:
    consequences = {
        "token": "existing value tokens made with it could no longer be revealed",
        "fingerprint": "values with a fingerprint made with it could no longer be recognized",
    }
    if key.purpose in consequences:
        fail(f"{consequences[key.purpose]}; --force retires it")
    if (datetime.now(UTC) - ring.active(key.purpose).active_from).total_seconds() < KEY_SETTLED_AFTER_S:
        fail(f"the key was rotated just now; try again in {KEY_SETTLED_AFTER_S:g} seconds")


def _expect_unused(key: "Key", data_dir: Path, authorization: str, database_url: str, redis_url: str) -> None:
    from vestibule.cli.reencryption import count_encryption_keys, count_in_queue

    # The queue first: a value that a task reads moves from the database into it.
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


def _ring_path(data_dir: Path, ring_file: Path | None) -> Path:
    return ring_file or expect_instance(data_dir) / "keys" / "keyring.json"


def _secret_path(data_dir: Path, secret_file: Path | None) -> Path:
    return secret_file or expect_instance(data_dir) / "keys" / "service_secret"


def _authorization(data_dir: Path, secret_file: Path | None) -> str:
    from vestibule.service_kit.auth.service_secret import ServiceSecret, ServiceSecretMissing

    with exit_on(ServiceSecretMissing, exit_code=os.EX_CONFIG):
        return ServiceSecret.read(_secret_path(data_dir, secret_file)).current().authorization


def _read_ring(data_dir: Path, ring_file: Path | None) -> "KeyRing":
    from vestibule.encryption import KeyRingUnreadable, read_key_ring

    with exit_on(KeyRingUnreadable, exit_code=os.EX_CONFIG):
        return read_key_ring(_ring_path(data_dir, ring_file))


def _fail_if_unreadable(reasons: list[str]) -> None:
    if reasons:
        for reason in sorted(set(reasons)):
            echo(f"  {reasons.count(reason):,} values: {reason}", err=True)
        fail(f"{len(reasons):,} values cannot be decrypted")
