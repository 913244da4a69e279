"""The secret that services share to authenticate each other: up to two at a time, so that it can be rotated."""

import hmac
import secrets as randomness
import time
from pathlib import Path

import structlog

from vestibule.runtime.private_file import change_alone, write_private
from vestibule.service_kit.auth.authentication import ALL_SCOPES, Caller, Credentials, digest_of

LEAST_SECRET_CHARS = 32
MOST_SECRETS = 2
SECRET_BYTES = 32
RELOAD_AFTER_S = 1.0

# What stands in place of a token's id where a service calls; no token has such a one.
SERVICE = "service"


class ServiceSecretMissing(Exception):
    """The secret cannot be read, so this service cannot authenticate its peers."""


class ServiceSecret:
    """Authenticates this service to its peers, and its peers to this service.

    The first secret of the file is the one that is sent, each of them is believed. A change to the file counts within
    a second; a broken one changes nothing.
    """

    def __init__(self, *secrets: str, path: Path | None = None) -> None:
        self._path = path
        self._take(secrets)
        self._stamp = self._file_stamp()
        self._looked_at = time.monotonic()

    @classmethod
    def read(cls, path: Path) -> "ServiceSecret":
        """Return the secrets in the file `path`, one a line.

        Raises:
            ServiceSecretMissing: there is none, it cannot be read, or one is too short to be a secret.
        """
        return cls(*read_secrets(path), path=path)

    @property
    def authorization(self) -> str:
        """The header value that a service sends to its peers now."""
        self._reload()
        return self._authorization

    def find(self, credentials: Credentials) -> Caller | None:
        """Return the service that shows one of the secrets, compared in constant time, or None."""
        self._reload()
        digest = digest_of(credentials.token)
        matches = [hmac.compare_digest(known, digest) for known in self._digests]
        return Caller(SERVICE, "a Vestibule service", frozenset({ALL_SCOPES})) if any(matches) else None

    def token_lookup(self) -> "ServiceSecret":
        """Return the token lookup of the services."""
        return self

    def _take(self, secrets: tuple[str, ...] | list[str]) -> None:
        self._authorization = f"Bearer {secrets[0]}"
        self._digests = [digest_of(secret) for secret in secrets]

    def _reload(self) -> None:
        now = time.monotonic()
        if self._path is None or now - self._looked_at < RELOAD_AFTER_S:
            return
        self._looked_at = now
        stamp = self._file_stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._take(read_secrets(self._path))
        except ServiceSecretMissing as error:
            structlog.get_logger("vestibule.service_secret").error("service_secret_unreadable", reason=str(error))

    def _file_stamp(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat() if self._path else None
        except OSError:
            return None
        return status and (status.st_mtime_ns, status.st_ino, status.st_size)


def read_secrets(path: Path) -> list[str]:
    """Return the secrets in the file `path`; the first is the one to send.

    Raises:
        ServiceSecretMissing: there is none, it cannot be read, or one is too short or one too many.
    """
    try:
        secrets = path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ServiceSecretMissing(f"cannot read the service secret {path} ({type(error).__name__})") from None
    if not secrets or any(len(secret) < LEAST_SECRET_CHARS for secret in secrets):
        raise ServiceSecretMissing(f"the service secret {path} has fewer than {LEAST_SECRET_CHARS} characters")
    if len(secrets) > MOST_SECRETS:
        raise ServiceSecretMissing(f"{path} has more than {MOST_SECRETS} service secrets")
    return secrets


def add_secret(path: Path) -> None:
    """Add a second secret, which is believed from now on and not sent yet; where there are two, do nothing.

    Raises:
        ServiceSecretMissing: there is none to follow.
        OSError: the file cannot be written.
    """
    with change_alone(path):
        secrets = read_secrets(path)
        if len(secrets) < MOST_SECRETS:
            _write(path, [*secrets, randomness.token_urlsafe(SECRET_BYTES)])


def use_secret(path: Path) -> None:
    """Have the second secret be sent; the first is still believed.

    Raises:
        ServiceSecretMissing: there is no second.
        OSError: the file cannot be written.
    """
    with change_alone(path):
        secrets = read_secrets(path)
        if len(secrets) < MOST_SECRETS:
            raise ServiceSecretMissing(f"{path} has no second secret to use; add one first")
        _write(path, secrets[::-1])


def drop_secret(path: Path) -> None:
    """Forget the secret that is not sent any more.

    Raises:
        ServiceSecretMissing: there is none.
        OSError: the file cannot be written.
    """
    with change_alone(path):
        _write(path, read_secrets(path)[:1])


def _write(path: Path, secrets: list[str]) -> None:
    write_private(path, "".join(f"{secret}\n" for secret in secrets).encode())
