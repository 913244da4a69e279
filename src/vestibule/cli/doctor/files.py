"""Checks of the data directory: its files, the keys, the tokens, the policy and the settings."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vestibule.cli.doctor.examination import Diagnosis, ExaminedSystem, check, error, ok, warning

LEAST_FREE_BYTES, ENOUGH_FREE_BYTES = 100 * 2**20, 2**30
# Files move between these, and a move is atomic within a file system only.
FOLDERS = ("error_reports", "keys", "logs", "redis", "run")


@check("settings")
def check_settings(installation: ExaminedSystem) -> Iterator[Diagnosis]:
    """Validate all settings, and name variables that are none."""
    from vestibule.cli.configuration.command import find_mistakes
    from vestibule.cli.setting_names import unknown_settings

    for mistake in (mistakes := list(find_mistakes())):
        yield error(mistake, "Correct the variable; `vestibule config` says what each means.")
    for variable, nearest in unknown_settings(installation.environment):
        yield warning(f"{variable} is no setting", f"Set {nearest} instead." if nearest else "Remove it.")
    if not mistakes:
        yield ok("every setting is valid")


@check("data directory")
def check_data_directory(installation: ExaminedSystem) -> Iterator[Diagnosis]:
    """Look at the folders: writable, private, with space, and in one file system."""
    path = installation.data_dir
    if not path.exists():
        parent = next(folder for folder in path.absolute().parents if folder.exists())
        if os.access(parent, os.W_OK):
            yield ok(f"{path} does not exist yet; the first start creates it")
        else:
            yield error(f"{path} cannot be created in {parent}", "Choose another with VESTIBULE_DATA_DIR.")
        return
    yield from _writability(path)
    yield from _privacy(path)
    yield from _space(path)
    devices = {(path / name).stat().st_dev for name in FOLDERS if (path / name).exists()} | {path.stat().st_dev}
    if len(devices) > 1:
        folders = ", ".join(name for name in FOLDERS if (path / name).exists())
        remedy = "Mount the data directory as a whole."
        yield warning(f"{folders} are in {len(devices)} file systems, between which no file moves at once", remedy)


def _writability(path: Path) -> Iterator[Diagnosis]:
    for folder in (path, *(path / name for name in FOLDERS)):
        if not folder.exists():
            continue
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as failure:
            remedy = (
                f"Give the user that runs the services, {os.getuid()}, the folder: `chown -R {os.getuid()} {path}`."
            )
            yield error(f"{folder} cannot be written ({failure.strerror})", remedy)
            return
    yield ok(f"{path} can be written")


def _privacy(path: Path) -> Iterator[Diagnosis]:
    keys = path / "keys"
    mode = stat.S_IMODE(keys.stat().st_mode) if keys.exists() else 0
    if mode & 0o077:
        yield error(f"other users can look into {keys} (mode {mode:o})", f"`chmod 700 {keys}`")
    owners = {one.stat().st_uid for one in (path, keys) if one.exists()}
    if owners - {os.getuid()} and os.getuid():
        remedy = "Run the services and this command as the owner of the data directory."
        yield warning(f"{path} belongs to the user {min(owners - {os.getuid()})}, not to {os.getuid()}", remedy)


def _space(path: Path) -> Iterator[Diagnosis]:
    free = shutil.disk_usage(path).free
    said = f"{free / 2**30:.1f} GiB are free for {path}"
    if free < LEAST_FREE_BYTES:
        yield error(said, "Make room: without it nothing is accepted any more.")
    elif free < ENOUGH_FREE_BYTES:
        yield warning(said, "Make room, or keep logs, versions and alerts for fewer days (`vestibule config`).")
    else:
        yield ok(said)


@check("service secret")
def check_service_secret(installation: ExaminedSystem) -> Iterator[Diagnosis]:
    """Read the secret that authenticates the services to each other."""
    from vestibule.service_kit.auth.service_secret import ServiceSecretMissing, read_secrets

    given = installation.setting("SERVICE_SECRET_FILE")
    path = Path(given) if given else installation.data_dir / "keys" / "service_secret"
    if not given and not path.exists():
        yield from _missing(installation, path, "the service secret")
        return
    try:
        read_secrets(path)
    except ServiceSecretMissing as failure:
        yield error(str(failure), "Restore it from its backup; all services need the same one.")
        return
    yield from _exposure(path)
    yield ok(f"the service secret {path} can be read")


@check("key ring")
def check_key_ring(installation: ExaminedSystem) -> Iterator[Diagnosis]:
    """Read the keys, and look whether they can decrypt what the store has."""
    from vestibule.encryption import KeyRingUnreadable, Purpose, read_key_ring

    given = installation.setting("KEYRING_FILE")
    path = Path(given) if given else installation.data_dir / "keys" / "keyring.json"
    if not given and not path.exists():
        yield from _missing(installation, path, "the key ring")
        return
    try:
        ring = read_key_ring(path)
        ring.active(Purpose.DATA)
    except KeyRingUnreadable as failure:
        yield error(str(failure), "Restore it from its backup: without it the values are lost.")
        return
    yield from _exposure(path)
    if missing := _keys_of_store(installation) - {key.id for key in ring.usable(Purpose.DATA)}:
        said = f"values are encrypted with keys that {path} does not have: {', '.join(sorted(missing))}"
        yield error(said, "Restore the key ring that was there when they were written.")
    else:
        yield ok(f"the key ring {path} can be read and has the keys of the newest values")


def _keys_of_store(installation: ExaminedSystem) -> set[str]:
    """Return the ids of the keys of the newest values in a store of SQLite."""
    from vestibule.cli.doctor.store import newest_values
    from vestibule.database_service.entries.encrypted_store import decode_ciphertext
    from vestibule.encryption import DecryptionFailed, key_id_of

    found = set()
    for text in newest_values(installation):
        try:
            found.add(key_id_of(decode_ciphertext(text)))
        except (DecryptionFailed, ValueError):
            continue
    return found


@check("tokens")
def check_tokens(installation: ExaminedSystem) -> Iterator[Diagnosis]:
    """Read the files of callers' tokens; those in the database are listed by `vestibule token list`."""
    from vestibule.service_kit.auth.token_file import InvalidTokenFile, read_records

    given = installation.setting("MOUNTED_TOKEN_FILE")
    paths = [installation.data_dir / "keys" / "tokens.json", *([Path(given)] if given else [])]
    for path in paths:
        if not path.exists():
            if str(path) == given:
                yield error(f"the token file {path} is missing", "Mount it, or unset VESTIBULE_MOUNTED_TOKEN_FILE.")
            continue
        try:
            number = len(read_records(path))
        except (InvalidTokenFile, OSError) as failure:
            yield error(f"the token file {path} cannot be read ({type(failure).__name__})", "Restore its backup.")
            continue
        yield from _exposure(path)
        yield ok(f"{number} tokens in {path}")


@check("policy")
def check_policy(installation: ExaminedSystem) -> Iterator[Diagnosis]:
    """Read the policy as the services do."""
    from vestibule.client_service.settings import ClientSettings
    from vestibule.policy import InvalidPolicy
    from vestibule.processor_adapters.settings import open_policy

    try:
        policy = open_policy(ClientSettings(data_dir=installation.data_dir)).current
    except InvalidPolicy as failure:
        line = f", line {failure.line}" if failure.line else ""
        yield error(f"{failure.path}{line}: {failure.reason}", "Correct it; `vestibule policy check` checks it.")
        return
    except ValueError:
        yield error("the settings of the policy are invalid", "`vestibule policy check` says why.")
        return
    if policy.is_dry_run:
        yield warning(
            "the policy is a dry run: nothing is blocked or changed", "Remove `dry_run = true` when it is right."
        )
    else:
        where = policy.path.name if policy.path is not None and policy.path.exists() else "no file; the built-in one"
        yield ok(f"the policy ({where}) has {len(policy.rules)} rules")


def _missing(installation: ExaminedSystem, path: Path, what: str) -> Iterator[Diagnosis]:
    if (installation.data_dir / "vestibule.db").exists():
        yield error(f"{what} {path} is missing, and there is data", "Restore it from its backup.")
    else:
        yield ok(f"{what} does not exist yet; the first start creates it")


def _exposure(path: Path) -> Iterator[Diagnosis]:
    mode = stat.S_IMODE(path.stat().st_mode)
    # A mounted secret is often readable for a group.
    if mode & 0o007:
        yield error(f"every user can read {path} (mode {mode:o})", f"`chmod 600 {path}`")
