"""The key ring: for each purpose one active key that encrypts, and older keys that still decrypt.

Its errors are those of all encryption. No message holds a key or content.
"""

import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Annotated, Protocol

from pydantic import AwareDatetime, Base64UrlBytes, BaseModel, ConfigDict, Field


class EncryptionError(Exception):
    """Base of the tree."""


class KeyRingUnreadable(EncryptionError):
    """The key ring cannot be read."""


class KeyRefused(EncryptionError):
    """No key has that id, or it is still the active one."""


class DecryptionFailed(EncryptionError):
    """Content cannot be decrypted; the message has the reason."""


class UnrecognizedToken(EncryptionError):
    """The text is no token of this tenant."""


class TokenKeyRetired(EncryptionError):
    """The key of the token was retired."""


SECRET_BYTES = 32
KEY_ID_BYTES = 4
_NOW = partial(datetime.now, UTC)


class Purpose(StrEnum):
    """The purpose of a key. The keys of different purposes are independent."""

    DATA = "data"
    TOKEN = "token"  # noqa: S105 - the name of a purpose
    FINGERPRINT = "fingerprint"


class KeyState(StrEnum):
    """The state of a key."""

    NEXT = "next"  # opens; seals from a later time on
    ACTIVE = "active"  # seals and opens
    OLD = "old"  # opens
    RETIRED = "retired"  # its secret is gone; only its id is known


class Key(BaseModel):
    """One key. A retired one has no secret any more."""

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
            KeyRingUnreadable: they do not make a ring.
        """
        self._clock = clock
        self.keys = tuple(sorted(keys, key=lambda key: key.active_from, reverse=True))
        self._by_id = {(key.purpose, key.id): key for key in self.keys}
        # Newest first, so that the first whose time has come is the active one.
        self._usable = {purpose: [key for key in self.keys if _is_usable(key, purpose)] for purpose in Purpose}
        if len({key.id for key in self.keys}) < len(self.keys):
            raise KeyRingUnreadable("the key ring has two keys of one id")
        if any(key.secret is not None and len(key.secret) != SECRET_BYTES for key in self.keys):
            raise KeyRingUnreadable(f"the key ring has a key that is not of {SECRET_BYTES} bytes")
        for purpose in Purpose:
            self.active(purpose)

    def active(self, purpose: Purpose) -> Key:
        """Return the key that encrypts now.

        Raises:
            KeyRingUnreadable: there is none, which a ring that was made by this program never comes to.
        """
        now = self._clock()
        for key in self._usable[purpose]:
            if key.active_from <= now:
                return key
        if self._usable[purpose]:
            # The first key had its time from the beginning: it is our clock that is behind, or was set back.
            return self._usable[purpose][-1]
        raise KeyRingUnreadable(f"the key ring has no active {purpose} key")

    def find(self, purpose: Purpose, key_id: str) -> Key | None:
        """Return the key of that id, be it retired, or None."""
        return self._by_id.get((purpose, key_id))

    def usable(self, purpose: Purpose) -> list[Key]:
        """Return the keys that can decrypt, newest first."""
        return list(self._usable[purpose])

    def state_of(self, key: Key) -> KeyState:
        """Say what `key` does at the moment."""
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
        """Return the ring after a look at its file: a key that is not known may have been added just now."""
        ...


def new_key(purpose: Purpose, active_from: datetime | None = None) -> Key:
    """Return a new random key of 256 bits, active from now or from the time given."""
    now = datetime.now(UTC)
    return Key.model_construct(
        id=secrets.token_hex(KEY_ID_BYTES),
        purpose=purpose,
        created_at=now,
        active_from=active_from or now,
        secret=secrets.token_bytes(SECRET_BYTES),
    )


def _is_usable(key: Key, purpose: Purpose) -> bool:
    return key.purpose is purpose and key.secret is not None
