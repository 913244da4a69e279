"""Encrypts every value before it reaches a store, and decrypts what the store returns."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from vestibule.contracts.entries import Entry, Revision
from vestibule.contracts.errors import Unavailable
from vestibule.database_service.entries.store import ChangePage, OperationNote, PositionLost, Store, Write
from vestibule.encryption import Cipher, DecryptionFailed, key_id_of
from vestibule.runtime.turns import in_slices

REALM = "database"
# The associated data of positions; no entry has it.
POSITION = b"\0\0position"


# Values that cannot be decrypted are logged once each, up to this many.
MAX_REPORTED = 1000


class ValueUnreadable(Unavailable):
    """A value cannot be decrypted; others can."""


class EncryptedStore:
    """A store over another, which keeps ciphertext only.

    A value is encrypted for its key: moved to another key in the file, it cannot be decrypted. A method that returns
    values raises `Unavailable` where one cannot be decrypted.
    """

    def __init__(self, store: Store, cipher: Cipher) -> None:
        self._store = store
        self._cipher = cipher
        self._reported: set[tuple[str, int]] = set()
        # These carry no value.
        self.delete, self.keys, self.sweep = store.delete, store.keys, store.sweep
        self.forget, self.purge = store.forget, store.purge
        self.ended, self.erase, self.scrub = store.ended, store.erase, store.scrub

    async def write(self, write: Write) -> int:
        """Write a pair; return its version once it is on disk."""
        value = self._encrypt(write.key, write.value)
        return await self._store.write(Write(write.key, value, write.expires_at, write.condition, write.author))

    async def write_each(self, writes: Sequence[Write]) -> Sequence[int | BaseException]:
        """Write pairs, each on its own; return the version or the error of each."""
        return await self._store.write_each([self._encrypted_write(write) for write in writes])

    async def write_many(self, writes: Sequence[Write], note: OperationNote | None = None) -> list[int]:
        """Write all of `writes` with `note` or nothing; return their versions once they are on disk."""
        encrypted = [self._encrypted_write(write) async for write in in_slices(writes)]
        return await self._store.write_many(encrypted, note and self._encrypt_note(note))

    async def read(self, key: str) -> Entry | None:
        """Return the entry under `key`, or None."""
        stored = await self._store.read(key)
        return None if stored is None else self._decrypt(stored)

    async def read_many(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return the entries under `keys`, and None where there is none."""
        found = await self._store.read_many(keys)
        return [None if stored is None else self._decrypt(stored) async for stored in in_slices(found)]

    async def read_readable(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return what `read_many` returns, and None for a value that cannot be decrypted, which is logged once."""
        found = await self._store.read_many(keys)
        return [None if stored is None else self._decrypt_or_skip(stored) async for stored in in_slices(found)]

    async def replace(self, key: str, value: str, version: int) -> bool:
        """Replace the value of a version, current or in the history; False where there is none."""
        return await self._store.replace(key, self._encrypt(key, value), version)

    async def put(self, entries: Sequence[Entry]) -> int:
        """Store entries with the versions of another store; return how many were newer than those here."""
        return await self._store.put(
            [entry.model_copy(update={"value": self._encrypt(entry.key, entry.value)}) for entry in entries]
        )

    async def history(self, key: str) -> list[Revision]:
        """Return the history of `key`, the newest version first."""
        return [self._decrypt_revision(key, stored) for stored in await self._store.history(key)]

    async def changes(self, prefix: str, after: str | None, limit: int) -> ChangePage:
        """Return what happened after a position to keys that start with `prefix`.

        Positions are encrypted too: the bare ones count the writes of all tenants.
        """
        bare = None if after is None else self._decrypt_position(after)
        page = await self._store.changes(prefix, bare, limit)
        changes = [replace(change, position=self._encrypt_position(change.position)) for change in page.changes]
        is_at_end = after is not None and page.position == bare
        return ChangePage(changes, after if after is not None and is_at_end else self._encrypt_position(page.position))

    async def wait(self, position: str, timeout_s: float) -> None:
        """Return as soon as a change after `position` is known, or at the timeout."""
        await self._store.wait(self._decrypt_position(position), timeout_s)

    async def read_versions(self, key: str) -> dict[int, str | None]:
        """Return the value under `key` and earlier ones by version, and None for one that cannot be decrypted."""
        versions: dict[int, str | None] = {}
        for version, text in (await self._encrypted(key)).items():
            try:
                versions[version] = self._decrypt_text(key, text)
            except DecryptionFailed:
                versions[version] = None
        return versions

    async def authors_of(self, key: str) -> dict[int, tuple[datetime, str | None]]:
        """Return when each version under `key` was written, and by which token; none without a history."""
        stored = await self._store.history(key)
        return {revision.version: (revision.at, revision.by) for revision in stored if revision.value is not None}

    async def check_encryption(self, key: str) -> list[str]:
        """Return the ids of the encryption keys of the value under `key` and of each of its earlier versions.

        Raises:
            DecryptionFailed: one of them cannot be decrypted.
        """
        encrypted = await self._encrypted(key)
        for text in encrypted.values():
            self._decrypt_text(key, text)
        return [key_id_of(decode_ciphertext(text)) for text in encrypted.values()]

    async def reencrypt(self, key: str) -> int:
        """Re-encrypt each version under `key` that uses an older encryption key; return how many there were.

        Raises:
            DecryptionFailed: one of them cannot be decrypted.
        """
        reencrypted = 0
        for version, text in (await self._encrypted(key)).items():
            if not self._cipher.is_current(decode_ciphertext(text)):
                # A version that was replaced meanwhile is encrypted with the active key already.
                reencrypted += await self.replace(key, self._decrypt_text(key, text), version)
        return reencrypted

    async def _encrypted(self, key: str) -> dict[int, str]:
        stored = await self._store.history(key)
        if not stored and (entry := await self._store.read(key)) is not None:
            return {entry.version: entry.value}
        return {revision.version: revision.value for revision in stored if revision.value is not None}

    def _decrypt_revision(self, key: str, stored: Revision) -> Revision:
        if stored.value is None:
            return stored
        return stored.model_copy(update={"value": self._decrypt_or_log(key, stored.value)})

    def _decrypt(self, stored: Entry) -> Entry:
        return stored.model_copy(update={"value": self._decrypt_or_log(stored.key, stored.value)})

    def _decrypt_or_skip(self, stored: Entry) -> Entry | None:
        try:
            return stored.model_copy(update={"value": self._decrypt_text(stored.key, stored.value)})
        except DecryptionFailed as error:
            place = stored.key, stored.version
            if place not in self._reported and len(self._reported) < MAX_REPORTED:
                self._reported.add(place)
                _log_failure(error)
            return None

    def _decrypt_or_log(self, key: str, encrypted: str) -> str:
        try:
            return self._decrypt_text(key, encrypted)
        except DecryptionFailed as error:
            _log_failure(error)
            raise ValueUnreadable("database", "The value of that key cannot be decrypted.") from error

    def _encrypt_position(self, position: str) -> str:
        return base64.urlsafe_b64encode(self._cipher.encrypt(position.encode(), POSITION)).decode("ascii")

    def _decrypt_position(self, encrypted: str) -> str:
        try:
            return self._cipher.decrypt(base64.urlsafe_b64decode(encrypted), POSITION).decode()
        except (DecryptionFailed, ValueError):
            raise PositionLost from None

    def _encrypt_note(self, note: OperationNote) -> OperationNote:
        return replace(note, text=lambda versions: self._encrypt(note.key, note.text(versions)))

    def _encrypted_write(self, write: Write) -> Write:
        return replace(write, value=self._encrypt(write.key, write.value))

    def _encrypt(self, key: str, value: str) -> str:
        return base64.b64encode(self._cipher.encrypt(value.encode(), key.encode())).decode("ascii")

    def _decrypt_text(self, key: str, encrypted: str) -> str:
        return self._cipher.decrypt(decode_ciphertext(encrypted), key.encode()).decode()


def _log_failure(error: DecryptionFailed) -> None:
    structlog.get_logger("vestibule.store").error("value_not_decrypted", reason=str(error))


def decode_ciphertext(text: str) -> bytes:
    """Return the bytes of a stored ciphertext.

    Raises:
        DecryptionFailed: it is not one.
    """
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise DecryptionFailed("it is not encrypted") from None
