"""`vestibule keyring`: lists, rotates, checks and retires encryption keys, and rotates the secret of the services."""

import os
import time
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestibule.cli.frame.confirmation import Yes, ask_back
from vestibule.cli.frame.exit_codes import ExitCode
from vestibule.cli.frame.installation import Installation, use_files
from vestibule.cli.frame.noun import Noun
from vestibule.cli.frame.problems import CommandFailed, failing_on
from vestibule.cli.frame.server_choice import base_port
from vestibule.cli.options import Duration, duration_option, echo, expect_instance
from vestibule.cli.terminal.table import Column
from vestibule.cli.terminal.times import duration

if TYPE_CHECKING:
    from vestibule.contracts.entries import ReencryptionPage
    from vestibule.encryption import Key, KeyRing

# Running services notice a change of the key ring or the secret within a second; until then they use the previous one.
KEY_SETTLED_AFTER_S, SECRET_SETTLED_AFTER_S = 5.0, 3.0
PURPOSES = ("data", "token", "fingerprint")
AT_ONCE = Duration()
DATABASE_OFFSET = 1

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
        "--database-service",
        envvar="VESTIBULE_DATABASE_SERVICE_URL",
        help="Address of the database service. By default that of `vestibule up` on this machine.",
    ),
]

LIST = (
    Column("KEY", lambda one: one["id"]),
    Column("PURPOSE", lambda one: one["purpose"]),
    Column("STATE", lambda one: one["state"]),
    Column("ACTIVE FROM", lambda one: one["active_from"]),
    Column("CREATED", lambda one: one["created_at"]),
)
COUNTS = (Column("KEY", lambda one: one[0]), Column("VALUES", lambda one: one[1], is_right=True))

keyring = Noun(
    "vestibule keyring list",
    "vestibule keyring rotate",
    "vestibule keyring rewrap",
    "vestibule keyring check",
    "vestibule keyring retire ID --yes",
)


class RotationStep(StrEnum):
    """The steps of a rotation, in order; after each one every service needs the new file."""

    ADD = "add"
    USE = "use"
    DROP = "drop"


def _complete_old_keys(ctx: typer.Context, incomplete: str) -> list[str]:
    from vestibule.encryption import read_key_ring

    try:
        ring = read_key_ring(ctx.params.get("ring_file") or Path(ctx.params["data_dir"]) / "keys" / "keyring.json")
        return [key.id for key in ring.keys if key.id.startswith(incomplete) and ring.state_of(key).value == "old"]
    except Exception:  # noqa: BLE001 - a shell would show what is printed in the middle of the line
        return []


@keyring.verb("list", "vestibule keyring list", "vestibule keyring list --keyring-file ring.json --json")
@use_files
def list_keys(place: Installation, ring_file: RingFile = None) -> None:
    """List the keys, without their secrets."""
    ring = _read_ring(place, ring_file)
    rows = [_row(ring, key) for key in ring.keys]
    place.output.rows(sorted(rows, key=lambda row: PURPOSES.index(row["purpose"])), LIST, "No keys.", document=rows)


@keyring.verb(
    "rotate",
    "vestibule keyring rotate",
    "vestibule keyring rotate --purpose token",
    "vestibule keyring rotate --keyring-file ring.json --delay 10m",
)
@use_files
def rotate(
    place: Installation,
    purpose: Annotated[str, typer.Option(help=f"Which kind of key: {', '.join(PURPOSES)}.")] = "data",
    delay: Annotated[
        timedelta,
        duration_option("--delay", help="Time until it becomes active, for a ring that is copied to other machines."),
    ] = AT_ONCE,
    ring_file: RingFile = None,
) -> None:
    """Add a new active key; older keys still decrypt.

    Running services notice within a second.
    """
    from vestibule.contracts.audit import Act
    from vestibule.encryption import KeyRingUnreadable, Purpose, add_key
    from vestibule.service_kit.audit.outbox import auditing

    if purpose not in PURPOSES:
        raise typer.BadParameter(f"must be one of {', '.join(PURPOSES)}", param_hint="--purpose")
    path = _ring_path(place, ring_file)
    with (
        failing_on(KeyRingUnreadable, OSError, exit_code=os.EX_CONFIG),
        auditing(place.data_dir, Act.KEY_ADDED, purpose),
    ):
        key = add_key(path, Purpose(purpose), datetime.now(UTC) + delay)
    becomes = f"becomes the active {purpose} key in {duration(delay)}" if delay else f"is now the active {purpose} key"
    made = {"id": key.id, "purpose": purpose, "active_from": key.active_from.isoformat()}
    place.output.done(made, f"Key {key.id} {becomes}.")
    if purpose == "data" and not place.output.as_json:
        echo("`vestibule keyring rewrap` re-encrypts the database with it.", err=True)


@keyring.verb("rewrap", "vestibule keyring rewrap")
@use_files
def rewrap(place: Installation, secret_file: SecretFile = None, database_url: DatabaseUrl = "") -> None:
    """Re-encrypt stored values with the active key, while the services run."""
    from vestibule.contracts.audit import Act
    from vestibule.service_kit.audit.outbox import auditing

    authorization = _authorization(place, secret_file)
    with failing_on(OSError), auditing(place.data_dir, Act.VALUES_REENCRYPTED):
        total = _count("POST", "/reencrypt", database_url, authorization)
    counts = total.model_dump(mode="json", include={"entries", "reencrypted", "not_opened"})
    place.output.done(counts, f"{total.reencrypted:,} values of {total.entries:,} entries were re-encrypted.")
    _fail_if_unreadable(place, total.not_opened)


@keyring.verb("check", "vestibule keyring check")
@use_files
def check(
    place: Installation, ring_file: RingFile = None, secret_file: SecretFile = None, database_url: DatabaseUrl = ""
) -> None:
    """Check the key ring, its file permissions, and that it decrypts every value in the database."""
    _read_ring(place, ring_file)
    path = _ring_path(place, ring_file)
    if path.stat().st_mode & 0o077:
        echo(f"vestibule: other users can read or change {path}", err=True)
    total = _count("GET", "/encryption-keys", database_url, _authorization(place, secret_file))
    counts = total.model_dump(mode="json", include={"entries", "by_key", "not_opened"})
    rows = sorted(total.by_key.items())
    place.output.rows(rows, COUNTS, "Nothing is encrypted.", document=counts)
    if not place.output.as_json:
        echo(f"{sum(total.by_key.values()):,} values of {total.entries:,} entries can be decrypted.", err=True)
    _fail_if_unreadable(place, total.not_opened)


@keyring.verb("retire", "vestibule keyring retire ID --yes")
@use_files
def retire(
    place: Installation,
    key_id: Annotated[
        str, typer.Argument(help="The id that `vestibule keyring list` shows.", autocompletion=_complete_old_keys)
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Even if something is encrypted with it, which is then lost.")
    ] = False,
    ring_file: RingFile = None,
    secret_file: SecretFile = None,
    database_url: DatabaseUrl = "",
    redis_url: Annotated[
        str, typer.Option(envvar="VESTIBULE_REDIS_URL", help="Redis; that of the data directory if not given.")
    ] = "",
    yes: Yes = False,
) -> None:
    """Destroy an old key.

    Refused while anything in the database or the queue is encrypted with it.
    """
    from vestibule.contracts.audit import Act
    from vestibule.encryption import KeyRefused, KeyRingUnreadable, KeyUnknown, Purpose, find_old_key, retire_key
    from vestibule.service_kit.audit.outbox import auditing

    with failing_on(KeyRefused), failing_on(KeyRingUnreadable, OSError, exit_code=os.EX_CONFIG):
        ring = _read_ring(place, ring_file)
        with failing_on(KeyUnknown, exit_code=ExitCode.NOT_FOUND):
            key = find_old_key(ring, key_id)
        if not force:
            _expect_replaced(ring, key)
            if key.purpose is Purpose.DATA:
                _expect_unused(place, key, _authorization(place, secret_file), database_url, redis_url)
        ask_back(f"What the key {key_id} encrypted can then never be decrypted. Destroy it?", is_sure=yes)
        with auditing(place.data_dir, Act.KEY_RETIRED, key_id):
            retire_key(_ring_path(place, ring_file), key_id)
    retired = {"id": key_id, "purpose": key.purpose.value, "state": "retired"}
    place.output.done(retired, f"Key {key_id} is retired; what it encrypted can no longer be decrypted.")


@keyring.verb("secret", "vestibule keyring secret", "vestibule keyring secret --secret-file service_secret --step add")
@use_files
def secret(
    place: Installation,
    step: Annotated[
        list[RotationStep] | None,
        typer.Option(help="Only this step, for a file that is copied to other machines after each: add, use, drop."),
    ] = None,
    secret_file: SecretFile = None,
) -> None:
    """Rotate the services' secret while they run: add one that all accept, use it, drop the old one."""
    from vestibule.contracts.audit import Act
    from vestibule.service_kit.audit.outbox import auditing
    from vestibule.service_kit.auth.service_secret import ServiceSecretMissing, add_secret, drop_secret, use_secret

    path = _secret_path(place, secret_file)
    work = {RotationStep.ADD: add_secret, RotationStep.USE: use_secret, RotationStep.DROP: drop_secret}
    steps = step or list(RotationStep)
    with failing_on(ServiceSecretMissing, OSError), auditing(place.data_dir, Act.SECRET_ROTATED):
        for index, one in enumerate(steps):
            if index:
                time.sleep(SECRET_SETTLED_AFTER_S)
            work[one](path)
            if not place.output.as_json:
                echo(f"{one.value}: done")
    if place.output.as_json:
        place.output.document({"steps": steps})


def _count(method: str, path: str, database_url: str, authorization: str) -> "ReencryptionPage":
    from vestibule.cli.reencryption import count_encryption_keys

    address = database_url or f"http://127.0.0.1:{base_port() + DATABASE_OFFSET}"
    return count_encryption_keys(method, path, address, authorization)


def _expect_replaced(ring: "KeyRing", key: "Key") -> None:
    consequences = {
        "token": "existing value tokens made with it could no longer be revealed",
        "fingerprint": "values with a fingerprint made with it could no longer be recognized",
    }
    if key.purpose in consequences:
        raise CommandFailed(f"{consequences[key.purpose]}; --force retires it")
    if (datetime.now(UTC) - ring.active(key.purpose).active_from).total_seconds() < KEY_SETTLED_AFTER_S:
        raise CommandFailed(f"the key was rotated just now; try again in {KEY_SETTLED_AFTER_S:g} seconds")


def _expect_unused(place: Installation, key: "Key", authorization: str, database_url: str, redis_url: str) -> None:
    from vestibule.cli.reencryption import count_in_queue

    # The queue first: a value that a task reads moves from the database into it.
    if queued := count_in_queue(place.data_dir, redis_url)[key.id]:
        what = f"{queued:,} tasks or results in the queue are encrypted with it"
        raise CommandFailed(f"{what}; results stay for minutes, at most a day")
    if kept := _count("GET", "/encryption-keys", database_url, authorization).by_key.get(key.id, 0):
        what = f"{kept:,} values in the database are encrypted with it"
        raise CommandFailed(f"{what}; `vestibule keyring rewrap` re-encrypts them")


def _row(ring: "KeyRing", key: "Key") -> dict[str, Any]:
    return {
        "id": key.id,
        "purpose": key.purpose.value,
        "state": ring.state_of(key).value,
        "created_at": key.created_at,
        "active_from": key.active_from,
    }


def _ring_path(place: Installation, ring_file: Path | None) -> Path:
    return ring_file or expect_instance(place.data_dir) / "keys" / "keyring.json"


def _secret_path(place: Installation, secret_file: Path | None) -> Path:
    return secret_file or expect_instance(place.data_dir) / "keys" / "service_secret"


def _authorization(place: Installation, secret_file: Path | None) -> str:
    from vestibule.service_kit.auth.service_secret import ServiceSecret, ServiceSecretMissing

    with failing_on(ServiceSecretMissing, exit_code=os.EX_CONFIG):
        return ServiceSecret.read(_secret_path(place, secret_file)).current().authorization


def _read_ring(place: Installation, ring_file: Path | None) -> "KeyRing":
    from vestibule.encryption import KeyRingUnreadable, read_key_ring

    with failing_on(KeyRingUnreadable, exit_code=os.EX_CONFIG):
        return read_key_ring(_ring_path(place, ring_file))


def _fail_if_unreadable(place: Installation, reasons: list[str]) -> None:
    if not reasons:
        return
    for reason in sorted(set(reasons)):
        echo(f"  {reasons.count(reason):,} values: {reason}", err=True)
    what = f"{len(reasons):,} values cannot be decrypted"
    if place.output.as_json:
        # The counts, with the reasons, are the document already.
        echo(f"vestibule: {what}", err=True)
        raise typer.Exit(1)
    raise CommandFailed(what)
