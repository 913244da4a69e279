"""`vestibule secrets`: creates the secrets of a deployment, for Podman and Kubernetes, or as files for compose."""

import base64
import hmac
import io
import os
import re
import secrets as randomness
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, TextIO

import typer

from vestibule.cli.frame.noun import Noun
from vestibule.cli.options import DEVELOPMENT_TOKEN, REFUSAL, echo, fail, split_list

SCOPES = ("add", "read", "keys", "delete", "run", "message", "scan", "alerts", "status")

CONSOLE_SECRET = "console_secret"  # noqa: S105 - the name of its file
# The form of each secret, from its first character; anything else is a placeholder.
SECRET_PATTERNS = {
    "keyring.json": re.compile(rb"\s*[\[{]"),
    "tokens.json": re.compile(rb"\s*[\[{]"),
    "receipt_key.pem": re.compile(rb"-----BEGIN PRIVATE KEY-----"),
    "redis_auth.conf": re.compile(rb"requirepass [0-9a-f]{64}\s*\Z"),
    "redis_password": re.compile(rb"[0-9a-f]{64}\s*\Z"),
    "postgres_password": re.compile(rb"[0-9a-f]{64}\s*\Z"),
    "service_secret": re.compile(rb"[A-Za-z0-9_-]{43}\s*\Z"),
    CONSOLE_SECRET: re.compile(rb"[A-Za-z0-9_-]{43}\s*\Z"),
}

# The secrets that each part reads; a part gets no other.
SERVICE_SECRETS = ("service_secret", "keyring.json")
PART_SECRETS = {
    "redis": ("redis_auth.conf", "redis_password"),
    "database": SERVICE_SECRETS,
    "business-logic": (*SERVICE_SECRETS, "tokens.json"),
    "client": (*SERVICE_SECRETS, "tokens.json", "receipt_key.pem", "redis_password"),
    "scheduler": (*SERVICE_SECRETS, "tokens.json", "redis_password"),
    "worker": (*SERVICE_SECRETS, "redis_password"),
    # It calls the others as each person who is signed in, never as a service.
    "console": (CONSOLE_SECRET,),
}

FOLDER = "secrets"
DEMO_LIFETIME = timedelta(hours=24)


class Format(StrEnum):
    """How the secrets are printed."""

    MANIFEST = "manifest"
    TAR = "tar"


secrets = Noun("vestibule secrets create --demo > secrets.yaml")


@secrets.verb("create", "vestibule secrets create > secrets.yaml", "vestibule secrets create --demo > secrets.yaml")
def create(
    name: Annotated[str, typer.Option(help="Name of the Secret that the services mount.")] = "vestibule-secrets",
    caller: Annotated[str, typer.Option(help="The name of the caller of the first token.")] = "first",
    scope: Annotated[str, typer.Option(help="The scopes of that token, separated by commas, or *.")] = ",".join(SCOPES),
    form: Annotated[
        Format, typer.Option("--format", help="Manifests, or an archive with a folder of files: ... | tar -x")
    ] = Format.MANIFEST,
    demo: Annotated[
        bool,
        typer.Option(
            "--demo",
            help=f"For a first try in the pod: the token is {DEVELOPMENT_TOKEN}, for 24 hours and from that host only.",
        ),
    ] = False,
) -> None:
    """Print two Secrets: NAME with keys and passwords for the services, and NAME-token with a caller's token.

    No service mounts the second: it is for you. Keep the output as safe as the data: with it everything can be
    decrypted. The archive has a folder `secrets`, with the token in the file `token`. A file of the output is made
    readable to you alone; one that git would take is refused.
    """
    _protect(sys.stdout)
    with tempfile.TemporaryDirectory() as folder:
        token, files = _make(Path(folder), "demo" if demo else caller, split_list(scope), is_demo=demo)
    if form is Format.TAR:
        sys.stdout.buffer.write(_archive(files, token))
        return
    echo(_manifest(name, files))
    echo("---")
    echo(_manifest(f"{name}-token", {"token": token}))


@secrets.verb("install", "vestibule secrets install --by-part /run/mounted-secrets /run/secrets/vestibule")
def install(
    source: Annotated[Path, typer.Argument(help="The folder where the Secret is mounted.", exists=True)],
    target: Annotated[Path, typer.Argument(help="The folder that the services read.")],
    by_part: Annotated[
        bool, typer.Option("--by-part", help="Make a folder for each part, with the secrets that it reads.")
    ] = False,
) -> None:
    """Copy the files of a mounted Secret to where the services read them, readable by this user only.

    Exit code 78 if one is missing, or a placeholder. With --by-part each part is left the reason instead, and says it
    at its start: Podman would begin an init container that fails again and again, and no other.
    """
    from vestibule.runtime.files import write_private

    try:
        contents = _read(source)
        if by_part:
            contents["tokens.json"] = _accept_from_host(contents["tokens.json"])
    except ValueError as error:
        if not by_part:
            fail(error, os.EX_CONFIG)
        echo(f"vestibule: {error}", err=True)
        for part in PART_SECRETS:
            write_private(target / part / REFUSAL, str(error).encode())
        # Redis has no other part to serve, and idles under a password that nobody knows.
        write_private(target / "redis" / "redis_auth.conf", _redis_auth(randomness.token_hex(32)).encode())
        return
    folders = {target / part: names for part, names in PART_SECRETS.items()} if by_part else {target: tuple(contents)}
    for folder, names in folders.items():
        for name in names:
            write_private(folder / name, contents[name])
        (folder / REFUSAL).unlink(missing_ok=True)


def _read(source: Path) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    for name, pattern in SECRET_PATTERNS.items():
        path = source / name
        if not path.exists() and name == CONSOLE_SECRET and "service_secret" in contents:
            contents[name] = _derived_console_secret(contents["service_secret"])
            continue
        if not path.exists():
            raise ValueError(f"the secret has no {name}")
        content = _plain(path.read_bytes(), pattern)
        if content is None:
            raise _wrong_form(name)
        contents[name] = content
    return contents


def _derived_console_secret(service_secret: bytes) -> bytes:
    """Return a secret for the console's cookies, from which nobody gets back to that of the services.

    A Secret that was made before there was a console has none.
    """
    made = hmac.digest(service_secret.strip(), b"vestibule/console", "sha256")
    return base64.urlsafe_b64encode(made).rstrip(b"=")


def _wrong_form(name: str) -> ValueError:
    return ValueError(
        f"{name} of the secret is not in the form that `vestibule secrets create` prints; is it a placeholder?"
    )


def _plain(content: bytes, pattern: re.Pattern[bytes]) -> bytes | None:
    if pattern.match(content):
        return content
    # Podman before 4.4 mounts the entries of a Secret as they stand in the file.
    try:
        decoded = base64.b64decode(content, validate=True)
    except ValueError:
        return None
    return decoded if pattern.match(decoded) else None


def _protect(output: TextIO) -> None:
    """Let nobody else read the file that `output` is, and end the program where git would take that file."""
    try:
        descriptor = output.fileno()
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return
        with suppress(PermissionError):
            os.fchmod(descriptor, 0o600)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
    except OSError:  # no file, or a system without /proc
        return
    if any((folder / ".git").exists() for folder in path.parents) and not _is_ignored(path):
        fail(f"{path} would get into git with every key: add it to .gitignore, or write it elsewhere")


def _is_ignored(path: Path) -> bool:
    try:
        asked = subprocess.run(  # noqa: S603 - a fixed command
            ["git", "-C", path.parent, "check-ignore", "--quiet", path.name],  # noqa: S607 - the user's git
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError:
        return False
    return asked.returncode == 0


def _accept_from_host(content: bytes) -> bytes:
    """Return the tokens' file; a token for this host only is accepted from the host's address in Podman's network too.

    Whoever calls a published port on the host's loopback comes from the gateway. On a cluster that may be anybody.
    """
    from vestibule.service_kit.auth.token_file import accept_from

    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return content
    try:
        return accept_from(content, _gateways())
    except ValueError:
        raise _wrong_form("tokens.json") from None


def _gateways() -> list[str]:
    routes = [line.split() for line in Path("/proc/net/route").read_text().splitlines()[1:]]
    # Addresses stand there in the order of bytes of this machine.
    return [
        str(ip_address(int(gateway, 16).to_bytes(4, sys.byteorder)))
        for _device, destination, gateway, *_ in routes
        if destination == "00000000"
    ]


def _make(folder: Path, caller: str, scopes: list[str], *, is_demo: bool) -> tuple[str, dict[str, str]]:
    from vestibule.encryption import create_key_ring
    from vestibule.policy.receipts import ensure_receipt_key
    from vestibule.service_kit.auth.token_file import create_token

    create_key_ring(folder / "keyring.json")
    ensure_receipt_key(folder / "receipt_key.pem")
    lifetime, published = (DEMO_LIFETIME, DEVELOPMENT_TOKEN) if is_demo else (None, "")
    token, _ = create_token(folder / "tokens.json", caller, scopes, lifetime, published=published)
    files = {path.name: path.read_text() for path in sorted(folder.iterdir()) if not path.name.startswith(".")}
    # Letters and digits only: neither needs quoting in a URL or a configuration file.
    redis_password, postgres_password = randomness.token_hex(32), randomness.token_hex(32)
    return token, {
        **files,
        "service_secret": randomness.token_urlsafe(32),
        CONSOLE_SECRET: randomness.token_urlsafe(32),
        "redis_password": redis_password,
        "redis_auth.conf": _redis_auth(redis_password),
        "postgres_password": postgres_password,
    }


def _redis_auth(password: str) -> str:
    return f"requirepass {password}\n"


def _manifest(name: str, files: dict[str, str]) -> str:
    lines = [f"  {entry}: {base64.b64encode(content.encode()).decode()}" for entry, content in sorted(files.items())]
    return "\n".join(
        ["apiVersion: v1", "kind: Secret", "metadata:", f"  name: {name}", "type: Opaque", "data:", *lines]
    )


def _archive(files: dict[str, str], token: str) -> bytes:
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:

        def add(name: str, kind: bytes, mode: int, content: bytes = b"") -> None:
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.size, member.mtime = kind, mode, len(content), int(time.time())
            archive.addfile(member, io.BytesIO(content))

        # Every user can read the files, since containers have users of their own; only the owner can enter the folder.
        add(FOLDER, tarfile.DIRTYPE, 0o700)
        for entry, content in sorted(files.items()):
            add(f"{FOLDER}/{entry}", tarfile.REGTYPE, 0o644, content.encode())
        add(f"{FOLDER}/token", tarfile.REGTYPE, 0o600, token.encode())
    return buffer.getvalue()
