"""The secret that services share to authenticate each other: up to two at a time, so that it can be rotated."""

import hmac
import secrets as randomness
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
from fastapi import Request
from starlette.types import Scope

from vestibule.contracts.identity import OPERATOR, SYSTEM_TENANT
from vestibule.contracts.scopes import ALL_SCOPES
from vestibule.runtime.files import WatchedFile, change_alone, write_private
from vestibule.service_kit.auth.authentication import Caller, Credentials, credentials_of, digest_of

LEAST_SECRET_CHARS = 32
MOST_SECRETS = 2
SECRET_BYTES = 32

# The token id of calls between services; no token has it.
SERVICE = "service"

_SERVICE_CALLER = Caller(
    SERVICE, "a Vestibule service", frozenset({ALL_SCOPES, OPERATOR}), SYSTEM_TENANT, is_service=True
)


class ServiceSecretMissing(Exception):
    """The secret cannot be read, so this service cannot authenticate its peers."""


@dataclass(frozen=True, slots=True)
class KnownSecrets:
    """The header value that a service sends to its peers, and the digests of all secrets that it accepts."""

    authorization: str
    digests: list[str]


class ServiceSecret:
    """Authenticates this service to its peers, and its peers to this service.

    The first secret of the file is sent, and each of them is accepted. A change to the file takes effect within a
    second; an invalid file changes nothing.
    """

    def __init__(self, current: Callable[[], KnownSecrets], file: WatchedFile[KnownSecrets] | None = None) -> None:
        """Take what returns the secrets as they are now, and the file that they come from, if any."""
        self.current = current
        self.file = file

    @classmethod
    def fixed(cls, secret: str) -> "ServiceSecret":
        """Return one secret that never changes."""
        known = _known([secret])
        return cls(lambda: known)

    @classmethod
    def read(cls, path: Path, clock: Callable[[], float] = time.monotonic) -> "ServiceSecret":
        """Return the secrets in the file `path`, one a line.

        Raises:
            ServiceSecretMissing: the file is missing or unreadable, or a secret is too short.
        """
        file = WatchedFile(path, _read_known, broken=ServiceSecretMissing, on_broken=_log_unreadable, clock=clock)
        return cls(file.current, file)

    def find(self, credentials: Credentials) -> Caller | None:
        """Return the service that shows one of the secrets, compared in constant time, or None."""
        is_known = False
        for known in self.current().digests:
            is_known |= hmac.compare_digest(known, credentials.digest)
        return _SERVICE_CALLER if is_known else None

    @property
    def tenants(self) -> frozenset[str]:
        """No tenant: services have none."""
        return frozenset()

    def is_peer(self, scope: Scope) -> bool:
        """Say whether the head of a request shows one of the secrets."""
        credentials = credentials_of(Request(scope))
        return credentials is not None and self.find(credentials) is not None


def read_secrets(path: Path, what: str = "service secret") -> list[str]:
    """Return the secrets in the file `path`; the first is the one to use. `what` they are stands in errors.

    Raises:
        ServiceSecretMissing: the file is missing or unreadable, or a secret is too short, or there are too many.
    """
    try:
        secrets = path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        kind = type(error).__name__
        raise ServiceSecretMissing(f"cannot read the {what} {path} ({kind}); restore its backup") from None
    if not secrets or any(len(secret) < LEAST_SECRET_CHARS for secret in secrets):
        raise ServiceSecretMissing(f"the {what} {path} has fewer than {LEAST_SECRET_CHARS} characters")
    if len(secrets) > MOST_SECRETS:
        raise ServiceSecretMissing(f"{path} has more than {MOST_SECRETS} secrets")
    return secrets


def add_secret(path: Path) -> None:
    """Add a second secret, which is accepted and not sent yet; if there are two, do nothing.

    Raises:
        ServiceSecretMissing: there is no first secret.
        OSError: the file cannot be written.
    """
    with change_alone(path):
        secrets = read_secrets(path)
        if len(secrets) < MOST_SECRETS:
            _write(path, [*secrets, randomness.token_urlsafe(SECRET_BYTES)])


def use_secret(path: Path) -> None:
    """Send the second secret from now on; the first is still accepted.

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
    """Remove the secret that is no longer sent.

    Raises:
        ServiceSecretMissing: there is none.
        OSError: the file cannot be written.
    """
    with change_alone(path):
        _write(path, read_secrets(path)[:1])


def _write(path: Path, secrets: list[str]) -> None:
    write_private(path, "".join(f"{secret}\n" for secret in secrets).encode())


def _read_known(path: Path) -> KnownSecrets:
    return _known(read_secrets(path))


def _known(secrets: list[str]) -> KnownSecrets:
    return KnownSecrets(f"Bearer {secrets[0]}", [digest_of(secret) for secret in secrets])


def _log_unreadable(error: Exception) -> None:
    structlog.get_logger("vestibule.service_secret").error("service_secret_unreadable", reason=str(error))
