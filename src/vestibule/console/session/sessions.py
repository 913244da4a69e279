"""Sessions without a store: the token of a person, sealed in a cookie.

The cookie is encrypted with AES-256-GCM under a key that is derived from the console's secret (HKDF, RFC 5869), so that
every replica opens it and nobody else can read or make one. It names the instance, and ends by itself.
"""

import base64
import binascii
import hmac
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vestibule.runtime.files import WatchedFile
from vestibule.service_kit.auth.service_secret import ServiceSecretMissing, read_secrets

LIFETIME_S = 8 * 3600
# A browser keeps 4,096 bytes of a cookie.
MAX_COOKIE_CHARS = 3800
_NONCE_BYTES = 12
_INFO = b"vestibule/console/1/"


@dataclass(frozen=True, slots=True)
class UserSession:
    """A person who is signed in: the token, and what it was when they signed in. No text of it has the token."""

    token: str = field(repr=False)
    id: str
    expires_at: int
    token_id: str
    name: str
    tenant: str
    scopes: tuple[str, ...]

    def may(self, scope: str) -> bool:
        """Say whether the token had a scope at sign-in."""
        return scope in self.scopes


@dataclass(frozen=True, slots=True)
class _Keys:
    """What is derived from one secret."""

    sealing: AESGCM
    signing: bytes

    @classmethod
    def derive(cls, secret: str) -> "_Keys":
        sealing = HKDF(hashes.SHA256(), 32, None, _INFO + b"seal").derive(secret.encode())
        signing = HKDF(hashes.SHA256(), 32, None, _INFO + b"csrf").derive(secret.encode())
        return cls(AESGCM(sealing), signing)


class Sessions:
    """Seals and opens sessions. The first secret of the file seals; each opens, so that it can be rotated."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        """Read the secrets. Raises: ServiceSecretMissing, if the file is missing or unreadable."""
        self.file: WatchedFile[list[_Keys]] = WatchedFile(
            path, _read_keys, broken=ServiceSecretMissing, on_broken=_log_unreadable, clock=time.monotonic
        )
        self._clock = clock

    def begin(
        self, token: str, *, token_id: str, name: str, tenant: str, scopes: list[str], until: float
    ) -> UserSession:
        """Return a new session, which ends after eight hours, or when the token expires."""
        expires_at = int(min(until, self._clock() + LIFETIME_S))
        return UserSession(token, os.urandom(16).hex(), expires_at, token_id, name, tenant, tuple(scopes))

    def seal(self, session: UserSession) -> str:
        """Return the text of the cookie."""
        nonce = os.urandom(_NONCE_BYTES)
        content = json.dumps(asdict(session), separators=(",", ":")).encode()
        sealed = self.file.current()[0].sealing.encrypt(nonce, content, None)
        return base64.urlsafe_b64encode(nonce + sealed).decode("ascii").rstrip("=")

    def open(self, cookie: str) -> UserSession | None:
        """Return the session of a cookie, or None if it was not sealed here, was changed, or has ended."""
        if not cookie or len(cookie) > MAX_COOKIE_CHARS:
            return None
        try:
            raw = base64.urlsafe_b64decode(cookie + "=" * (-len(cookie) % 4))
        except (binascii.Error, ValueError):
            return None
        for keys in self.file.current():
            try:
                members = json.loads(keys.sealing.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], None))
            except (InvalidTag, ValueError):
                continue
            session = UserSession(**{**members, "scopes": tuple(members["scopes"])})
            return session if session.expires_at > self._clock() else None
        return None

    def csrf_token(self, session: UserSession) -> str:
        """Return what each action of a session has to send."""
        return _sign(self.file.current()[0].signing, session)

    def is_csrf_token(self, session: UserSession, given: str) -> bool:
        """Say whether an action comes from a page of this session, in constant time."""
        return any(
            hmac.compare_digest(_sign(keys.signing, session).encode(), given.encode("utf-8", "replace"))
            for keys in self.file.current()
        )


def _sign(key: bytes, session: UserSession) -> str:
    return hmac.new(key, session.id.encode(), "sha256").hexdigest()


def _read_keys(path: Path) -> list[_Keys]:
    return [_Keys.derive(secret) for secret in read_secrets(path, "console secret")]


def _log_unreadable(error: Exception) -> None:
    structlog.get_logger("vestibule.console").error("console_secret_unreadable", reason=str(error))
