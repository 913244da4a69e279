"""Seals every value before a store sees it, and opens what the store gives back."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Self

import structlog

from vestibule.contracts.conditions import ALWAYS, Condition
from vestibule.contracts.entries import Entry, KeyPage, Revision
from vestibule.contracts.errors import Unavailable
from vestibule.contracts.identity import DEFAULT_TENANT
from vestibule.database_service.entries.store import ChangePage, OperationNote, PositionLost, Store, Write
from vestibule.database_service.entries.tenant_view import start_of
from vestibule.encryption import Cipher, DecryptionFailed, key_id_of

REALM = "database"
# No key of an entry is sealed for such a place.
POSITION = b"\0\0position"


class EncryptedStore:
    """A store over another, which keeps text that it cannot read.

    A value is sealed for its key: put under another key in the file, it does not open.
    """

    def __init__(self, store: Store, cipher: Cipher) -> None:
        self._store = store
        self._cipher = cipher

    async def __aenter__(self) -> Self:
        await self._store.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._store.__aexit__(kind, error, trace)

    async def write(
        self,
        key: str,
        value: str,
        *,
        expires_at: datetime | None = None,
        condition: Condition = ALWAYS,
        author: str | None = None,
    ) -> int:
        """Keep `value` under `key`; return its version once it is on disk."""
        encrypted = self._encrypt(key, value)
        return await self._store.write(key, encrypted, expires_at=expires_at, condition=condition, author=author)

    async def write_many(self, writes: Sequence[Write], note: OperationNote | None = None) -> list[int]:
        """Keep all of `writes` with `note` or nothing; return their versions once they are on disk."""
        encrypted = [replace(write, value=self._encrypt(write.key, write.value)) for write in writes]
        return await self._store.write_many(encrypted, note and self._encrypt_note(note))

    async def read(self, key: str) -> Entry | None:
        """Return the entry under `key`, or None.

        Raises:
            Unavailable: there is one, and it does not open.
        """
        kept = await self._store.read(key)
        return None if kept is None else self._decrypt(kept)

    async def read_many(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return the entries under `keys`, and None where there is none.

        Raises:
            Unavailable: one of them does not open.
        """
        return [None if kept is None else self._decrypt(kept) for kept in await self._store.read_many(keys)]

    async def replace(self, key: str, value: str, version: int) -> bool:
        """Put `value` in place of what `version` is, now or in the history; False where there is no such."""
        return await self._store.replace(key, self._encrypt(key, value), version)

    async def delete(self, key: str, *, condition: Condition = ALWAYS, author: str | None = None) -> bool:
        """Remove the entry under `key`; False where there was none."""
        return await self._store.delete(key, condition=condition, author=author)

    async def keys(self, prefix: str, limit: int, after: str | None) -> KeyPage:
        """Return at most `limit` keys with `prefix` that come after `after`."""
        return await self._store.keys(prefix, limit, after)

    async def sweep(self, limit: int) -> int:
        """Remove at most `limit` values that have expired."""
        return await self._store.sweep(limit)

    async def put(self, entries: Sequence[Entry]) -> int:
        """Keep entries as they are elsewhere; return how many were newer than what is here."""
        return await self._store.put(
            [entry.model_copy(update={"value": self._encrypt(entry.key, entry.value)}) for entry in entries]
        )

    async def history(self, key: str) -> list[Revision]:
        """Return what is known of `key`, the newest first.

        Raises:
            Unavailable: a value does not open.
        """
        return [self._decrypt_revision(key, kept) for kept in await self._store.history(key)]

    async def forget(self, key: str, version: int) -> bool:
        """Remove an earlier version of an entry from its history; False where there is no such."""
        return await self._store.forget(key, version)

    async def purge(self, prefix: str, before: datetime, limit: int) -> int:
        """Remove at most `limit` traces of keys with `prefix` that ended before that time."""
        return await self._store.purge(prefix, before, limit)

    async def changes(self, prefix: str, after: str | None, limit: int) -> ChangePage:
        """Return what happened after a position to keys that start with `prefix`.

        Positions are sealed too: the bare ones count what everybody does.
        """
        bare = None if after is None else self._open_position(after)
        page = await self._store.changes(prefix, bare, limit)
        changes = [replace(change, position=self._encrypt_position(change.position)) for change in page.changes]
        is_at_end = after is not None and page.position == bare
        return ChangePage(changes, after if after is not None and is_at_end else self._encrypt_position(page.position))

    async def wait(self, position: str, timeout_s: float) -> None:
        """Return when something has happened after `position`, and at the latest in time."""
        await self._store.wait(self._open_position(position), timeout_s)

    async def check_encryption(self, key: str) -> list[str]:
        """Return the ids of the keys that sealed the value under `key` and each of its earlier versions.

        Raises:
            DecryptionFailed: one of them does not open.
        """
        encrypted = await self._encrypted(key)
        for text in encrypted.values():
            self._open(key, text)
        return [key_id_of(_unwrap(text)) for text in encrypted.values()]

    async def reencrypt(self, key: str) -> int:
        """Seal what is under `key` with the active key, each version that another sealed; return how many it was.

        Raises:
            DecryptionFailed: one of them does not open.
        """
        reencrypted = 0
        for version, text in (await self._encrypted(key)).items():
            if not self._cipher.is_current(_unwrap(text)):
                # Where it was written anew meanwhile, it was sealed anew too.
                reencrypted += await self.replace(key, self._open(key, text), version)
        return reencrypted

    async def _encrypted(self, key: str) -> dict[int, str]:
        kept = await self._store.history(key)
        if not kept and (entry := await self._store.read(key)) is not None:
            return {entry.version: entry.value}
        return {revision.version: revision.value for revision in kept if revision.value is not None}

    def _decrypt_revision(self, key: str, kept: Revision) -> Revision:
        return kept if kept.value is None else kept.model_copy(update={"value": self._open_or_tell(key, kept.value)})

    def _decrypt(self, kept: Entry) -> Entry:
        return kept.model_copy(update={"value": self._open_or_tell(kept.key, kept.value)})

    def _open_or_tell(self, key: str, encrypted: str) -> str:
        try:
            return self._open(key, encrypted)
        except DecryptionFailed as error:
            structlog.get_logger("vestibule.store").error("value_not_decrypted", reason=str(error))
            raise Unavailable("database", "What is stored under that key cannot be opened.") from error

    def _encrypt_position(self, position: str) -> str:
        return base64.urlsafe_b64encode(self._cipher.encrypt(position.encode(), POSITION)).decode("ascii")

    def _open_position(self, encrypted: str) -> str:
        try:
            return self._cipher.decrypt(base64.urlsafe_b64decode(encrypted), POSITION).decode()
        except (DecryptionFailed, ValueError):
            raise PositionLost from None

    def _encrypt_note(self, note: OperationNote) -> OperationNote:
        return replace(note, text=lambda versions: self._encrypt(note.key, note.text(versions)))

    def _encrypt(self, key: str, value: str) -> str:
        return base64.b64encode(self._cipher.encrypt(value.encode(), _place(key))).decode("ascii")

    def _open(self, key: str, encrypted: str) -> str:
        return self._cipher.decrypt(_unwrap(encrypted), _place(key)).decode()


def _place(key: str) -> bytes:
    # In the default tenant as it was before there were others; no key begins with a NUL, so the two never meet.
    own = start_of(DEFAULT_TENANT)
    return key.removeprefix(own).encode() if key.startswith(own) else b"\0" + key.encode()


def _unwrap(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise DecryptionFailed("it is not sealed") from None
