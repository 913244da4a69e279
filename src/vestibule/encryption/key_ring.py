"""The key ring: for each purpose one active key that encrypts, and older keys that still decrypt.

Its errors are those of all encryption. No message holds a key or content.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Annotated, Protocol

from pydantic import AwareDatetime, Base64UrlBytes, BaseModel, ConfigDict, Field

SECRET_BYTES = 32
KEY_ID_BYTES = 4
_NOW = partial(datetime.now, UTC)


class EncryptionError(Exception):
    """Base of the tree."""


class KeyRingUnreadable(EncryptionError):
    """The key ring cannot be read."""


class KeyRefused(EncryptionError):
    """No key has that id, or the key is still active."""


class KeyUnknown(KeyRefused):
    """No key has that id."""


class DecryptionFailed(EncryptionError):
    """Content cannot be decrypted; the message has the reason."""


class DataKeyRetired(DecryptionFailed):
    """The key that encrypted the content was retired on purpose."""


class UnrecognizedToken(EncryptionError):
    """The text is not a token of this tenant."""


class TokenKeyRetired(EncryptionError):
    """The key of the token was retired."""


class Purpose(StrEnum):
    """The purpose of a key. The keys of different purposes are independent."""

    DATA = "data"
    TOKEN = "token"  # noqa: S105 - the name of a purpose
    FINGERPRINT = "fingerprint"


class KeyState(StrEnum):
    """The state of a key."""

    NEXT = "next"  # decrypts; encrypts from a later time on
    ACTIVE = "active"  # encrypts and decrypts
    OLD = "old"  # decrypts
    RETIRED = "retired"  # its secret is destroyed; only its id is known


class Key(BaseModel):
    """One key. A retired key has no secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
    purpose: Purpose
    created_at: AwareDatetime
    active_from: AwareDatetime
    retired_at: AwareDatetime | None = None
    secret: Annotated[Base64UrlBytes | None, Field(repr=False)] = None

    @property
    def material(self) -> bytes:
        """The secret.

        Raises:
            KeyRingUnreadable: the key was retired.
        """
        if self.secret is None:
            raise KeyRingUnreadable(f"key {self.id} was retired")
        return self.secret


class KeyRing:
    """An immutable set of keys; a change creates another ring."""

    def __init__(self, keys: Iterable[Key], clock: Callable[[], datetime] = _NOW) -> None:
        """Take the keys.

        Raises:
            KeyRingUnreadable: two have the same id, one has a wrong length, or a purpose has no active key.
        """
        self._clock = clock
        self.keys = tuple(sorted(keys, key=lambda key: key.active_from, reverse=True))
        self._by_id = {(key.purpose, key.id): key for key in self.keys}
        # Newest first: the first key that is due is the active one.
        self._usable = {
            purpose: [key for key in self.keys if key.purpose is purpose and key.secret is not None]
            for purpose in Purpose
        }
        if len({key.id for key in self.keys}) < len(self.keys):
            raise KeyRingUnreadable("two keys have the same id")
        if any(key.secret is not None and len(key.secret) != SECRET_BYTES for key in self.keys):
            raise KeyRingUnreadable(f"a key is not {SECRET_BYTES} bytes long")
        for purpose in Purpose:
            self.active(purpose)

    def active(self, purpose: Purpose) -> Key:
        """Return the key that encrypts now.

        Raises:
            KeyRingUnreadable: there is none; a ring that this program created always has one.
        """
        now = self._clock()
        for key in self._usable[purpose]:
            if key.active_from <= now:
                return key
        if self._usable[purpose]:
            # The first key is due from the start, so the clock is behind.
            return self._usable[purpose][-1]
        raise KeyRingUnreadable(f"the key ring has no active {purpose} key")

    def find(self, purpose: Purpose, key_id: str) -> Key | None:
        """Return the key of that id, also a retired one, or None."""
        return self._by_id.get((purpose, key_id))

    def usable(self, purpose: Purpose) -> list[Key]:
        """Return the keys that can decrypt, newest first."""
        return list(self._usable[purpose])

    def state_of(self, key: Key) -> KeyState:
        """Return the current state of `key`."""
        if key.retired_at is not None:
            return KeyState.RETIRED
        active = self.active(key.purpose)
        if key is active:
            return KeyState.ACTIVE
        return KeyState.NEXT if key.active_from > active.active_from else KeyState.OLD


class KeyRingSource(Protocol):
    """Provides the current key ring."""

    def current(self) -> KeyRing:
        """Return the ring, at most a second behind its file."""
        ...

    def reload(self) -> KeyRing:
        """Return the ring after checking its file, for a key that may have been added just now."""
        ...


def new_key(purpose: Purpose, active_from: datetime | None = None) -> Key:
    """Return a new random key of 256 bits, active from now or from the time given."""
    now, secret = datetime.now(UTC), secrets.token_bytes(SECRET_BYTES)
    return Key.model_construct(
        id=key_id_for(purpose, secret),
        purpose=purpose,
        created_at=now,
        active_from=active_from or now,
        secret=secret,
    )


def key_id_for(purpose: Purpose, secret: bytes) -> str:
    """Return the id of a key. It is the start of a digest, so that a changed secret does not match its id."""
    content = f"vestibule/key-id/1/{purpose}/".encode() + secret
    return hashlib.sha256(content).hexdigest()[: 2 * KEY_ID_BYTES]
