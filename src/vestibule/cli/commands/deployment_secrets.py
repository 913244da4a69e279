"""`vestibule secrets`: creates the secrets of a deployment, for Podman and Kubernetes, or as files for compose."""

import base64
import binascii
import io
import re
import secrets as randomness
import sys
import tarfile
import tempfile
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from vestibule.cli.serve import EXIT_BAD_SETTINGS

SCOPES = ("add", "read", "keys", "delete", "run", "message", "scan", "alerts", "status")

# What each secret looks like from its first character on; anything else was left to be filled in.
SECRET_PATTERNS = {
    "keyring.json": re.compile(rb"\s*[\[{]"),
    "tokens.json": re.compile(rb"\s*[\[{]"),
    "receipt_key.pem": re.compile(rb"-----BEGIN PRIVATE KEY-----"),
    "redis_auth.conf": re.compile(rb"requirepass [0-9a-f]{64}\s*\Z"),
    "redis_password": re.compile(rb"[0-9a-f]{64}\s*\Z"),
    "postgres_password": re.compile(rb"[0-9a-f]{64}\s*\Z"),
    "service_secret": re.compile(rb"[A-Za-z0-9_-]{43}\s*\Z"),
}

FOLDER = "secrets"


class Format(StrEnum):
    """How the secrets are printed."""

    MANIFEST = "manifest"
    TAR = "tar"


app = typer.Typer(help="Create the secrets of a deployment.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Option(help="Name of the Secret that the services mount.")] = "vestibule-secrets",
    caller: Annotated[str, typer.Option(help="The name of the caller of the first token.")] = "first",
    scope: Annotated[str, typer.Option(help="The scopes of that token, separated by commas, or *.")] = ",".join(SCOPES),
    form: Annotated[
        Format, typer.Option("--format", help="Manifests, or an archive with a folder of files: ... | tar -x")
    ] = Format.MANIFEST,
) -> None:
    """Print two Secrets: NAME with keys and passwords for the services, and NAME-token with a caller's token.

    No service mounts the second: it is for you. Keep the file as safe as the data; whoever has it can open everything.
    As an archive it is a folder `secrets`, with the token in the file `token`.
    """
    scopes = [part.strip() for part in scope.split(",") if part.strip()]
    with tempfile.TemporaryDirectory() as folder:
        token, kept = _make(Path(folder), caller, scopes)
    if form is Format.TAR:
        sys.stdout.buffer.write(_archive(kept, token))
        return
    typer.echo(_manifest(name, kept))
    typer.echo("---")
    typer.echo(_manifest(f"{name}-token", {"token": token}))


@app.command()
def install(
    source: Annotated[Path, typer.Argument(help="The folder where the Secret is mounted.", exists=True)],
    target: Annotated[Path, typer.Argument(help="The folder that the services read.")],
) -> None:
    """Copy the files of a mounted Secret to where the services read them, readable by this user only.

    Refuses what is none of our making, such as a placeholder that nobody filled in.
    """
    from vestibule.runtime.files import write_private

    for name, pattern in SECRET_PATTERNS.items():
        path = source / name
        if not path.exists():
            _refuse(f"the secret has no {name}")
        content = _plain(path.read_bytes(), pattern)
        if content is None:
            _refuse(f"{name} of the secret is not what `vestibule secrets create` makes; is it a placeholder?")
        write_private(target / name, content)


def _plain(content: bytes, pattern: re.Pattern[bytes]) -> bytes | None:
    if pattern.match(content):
        return content
    # Podman before 4.4 mounts the entries of a Secret as they stand in the file.
    try:
        decoded = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        return None
    return decoded if pattern.match(decoded) else None


def _refuse(reason: str) -> NoReturn:
    typer.echo(f"vestibule: {reason}", err=True)
    raise typer.Exit(EXIT_BAD_SETTINGS)


def _make(folder: Path, caller: str, scopes: list[str]) -> tuple[str, dict[str, str]]:
    from vestibule.encryption import create_key_ring
    from vestibule.policy.receipts import ensure_receipt_key
    from vestibule.service_kit.auth.token_file import create_token

    create_key_ring(folder / "keyring.json")
    ensure_receipt_key(folder / "receipt_key.pem")
    token, _ = create_token(folder / "tokens.json", caller, scopes)
    files = {path.name: path.read_text() for path in sorted(folder.iterdir()) if not path.name.startswith(".")}
    # Letters and digits alone: both stand in a URL and in a configuration file without being quoted.
    redis_password, postgres_password = randomness.token_hex(32), randomness.token_hex(32)
    return token, {
        **files,
        "service_secret": randomness.token_urlsafe(32),
        "redis_password": redis_password,
        "redis_auth.conf": f"requirepass {redis_password}\n",
        "postgres_password": postgres_password,
    }


def _manifest(name: str, kept: dict[str, str]) -> str:
    lines = [f"  {entry}: {base64.b64encode(content.encode()).decode()}" for entry, content in sorted(kept.items())]
    return "\n".join(
        ["apiVersion: v1", "kind: Secret", "metadata:", f"  name: {name}", "type: Opaque", "data:", *lines]
    )


def _archive(kept: dict[str, str], token: str) -> bytes:
    # The files are open to every user, since containers have users of their own; the folder is closed to all others.
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(_member(FOLDER, tarfile.DIRTYPE, 0o700))
        for entry, content in sorted(kept.items()):
            archive.addfile(
                _member(f"{FOLDER}/{entry}", tarfile.REGTYPE, 0o644, len(content)), io.BytesIO(content.encode())
            )
        archive.addfile(_member(f"{FOLDER}/token", tarfile.REGTYPE, 0o600, len(token)), io.BytesIO(token.encode()))
    return buffer.getvalue()


def _member(name: str, kind: bytes, mode: int, size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.size, member.mtime = kind, mode, size, int(time.time())
    return member
