"""What a store is. To add one, add one module to `stores/` that offers a `STORE`; nothing else names it."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, Self

from vestibule.contracts.conditions import ALWAYS, Condition
from vestibule.contracts.entries import ChangeKind, Entry, KeyPage, Revision
from vestibule.contracts.errors import PreconditionFailed, TooLarge, Unavailable
from vestibule.database_service.settings import DatabaseSettings

# What one batch may hold in the memory of the service, in characters as they are kept.
MAX_READ_CHARS = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Write:
    """A value to keep, until when, on which condition, and the id of the token that asks."""

    key: str
    value: str
    expires_at: datetime | None = None
    condition: Condition = ALWAYS
    author: str | None = None


@dataclass(frozen=True, slots=True)
class OperationNote:
    """An entry that is kept together with others, and only where there is none under its key.

    `text` makes its value from the versions that the others get, in their order.
    """

    key: str
    text: Callable[[Sequence[int]], str]
    expires_at: datetime

    def expect_new(self, version: int | None, index: int) -> None:
        """Hold it against the version that there is under its key, None where there is no entry.

        Raises:
            PreconditionFailed: there is one; the error has `index`.
        """
        if version is not None:
            raise PreconditionFailed(version, index=index)

    def as_write(self, versions: Sequence[int]) -> Write:
        """Return what is to be kept where the others get `versions`."""
        return Write(self.key, self.text(versions), self.expires_at)


@dataclass(frozen=True, slots=True)
class KeyChange:
    """Something that happened to an entry, and the position right after it."""

    key: str
    version: int
    kind: ChangeKind
    position: str


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Changes in the order that they happened, and the position to go on from."""

    changes: list[KeyChange]
    position: str


class PositionLost(Exception):
    """What happened right after a position is not known any more, or it never was one of this store."""


class Store(Protocol):
    """Keeps entries. An answer to a change means that it is on disk. Use it as an async context manager.

    An entry that has expired is no entry, for whoever reads, lists, deletes or states a condition. Conditions are
    judged where the change is made: of two changes that expect the same version, one happens.

    Every method raises `Unavailable` where the store cannot answer for certain.
    """

    async def __aenter__(self) -> Self:
        """Open the store."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish what is under way and close the store."""
        ...

    async def write(
        self,
        key: str,
        value: str,
        *,
        expires_at: datetime | None = None,
        condition: Condition = ALWAYS,
        author: str | None = None,
    ) -> int:
        """Keep `value` under `key` and return its version: 1 at first, one more each time.

        Raises:
            PreconditionFailed: the entry is not what `condition` says.
        """
        ...

    async def write_many(self, writes: Sequence[Write], note: OperationNote | None = None) -> list[int]:
        """Keep all of `writes`, of different keys, and `note` with them, or nothing, and return their versions.

        Raises:
            PreconditionFailed: an entry is not what the condition of its write says; `index` says which. That of a note
                which is there already follows those of the writes.
        """
        ...

    async def read(self, key: str) -> Entry | None:
        """Return the entry under `key`, or None where there is none."""
        ...

    async def read_many(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return the entries under `keys` as they are at one moment, in that order, and None where there is none.

        Raises:
            TooLarge: together they have more than `MAX_READ_CHARS`.
        """
        ...

    async def replace(self, key: str, value: str, version: int) -> bool:
        """Put `value` in place of what `version` is under `key`, now or in its history; False where there is no such.

        It is for another form of the same value, as when it is sealed with another key: it is no change for those who
        watch, and gives no version.
        """
        ...

    async def delete(self, key: str, *, condition: Condition = ALWAYS, author: str | None = None) -> bool:
        """Remove the entry under `key` with its history; False where there was none.

        What stays is that it was deleted, when and by whom, and its version, until it is purged.

        Raises:
            PreconditionFailed: the entry is not what `condition` says.
        """
        ...

    async def sweep(self, limit: int) -> int:
        """Remove at most `limit` values that have expired, with their history, and return how many there were."""
        ...

    async def put(self, entries: Sequence[Entry]) -> int:
        """Keep entries, of different keys, as they are elsewhere: with version and expiry; return how many were kept.

        What is known here in the same or a later version stays as it is, also if it was deleted.
        """
        ...

    async def history(self, key: str) -> list[Revision]:
        """Return what is known of `key`, the newest first: what is there, and the versions before it that are kept.

        As many are kept as `DatabaseSettings.keep_versions` says, the newest among them, but none of a key that begins
        with `RESERVED`: that is of the services. Where the entry was deleted or
        has expired, that is all there is; where it was purged or never was, nothing.
        """
        ...

    async def forget(self, key: str, version: int) -> bool:
        """Remove an earlier version of an entry from its history; False where there is no such."""
        ...

    async def purge(self, prefix: str, before: datetime, limit: int) -> int:
        """Remove at most `limit` traces of keys with `prefix` that ended before that time, and return how many.

        Versions of such a key begin at 1 again, and positions from before its end are lost to those who watch the
        prefix. The very last change of a store may stay, so that no position is given twice.
        """
        ...

    async def changes(self, prefix: str, after: str | None, limit: int) -> ChangePage:
        """Return what happened after a position to keys that start with `prefix`, looking at most at `limit` changes.

        Nothing that was answered before is ever shown at an earlier position later. Of several changes of one key only
        the last need be shown. None stands for now: no change, and the position to go on from. A page without changes
        whose position is not `after` is not the last.

        Raises:
            PositionLost: begin anew, with all that is there.
        """
        ...

    async def wait(self, position: str, timeout_s: float) -> None:
        """Return when something has happened after `position`, as soon as that is known, and at the latest in time."""
        ...

    async def keys(self, prefix: str, limit: int, after: str | None) -> KeyPage:
        """Return at most `limit` keys that start with `prefix` and come after `after`, in code point order."""
        ...


class WithoutTransfer:
    """What a store inherits that cannot take entries over from another."""

    async def put(self, entries: Sequence[Entry]) -> int:  # noqa: ARG002
        """Refuse."""
        raise Unavailable("database", "This store does not support importing entries.", retry_after_s=3600)


class WithoutHistory:
    """What a store inherits that keeps no history and cannot tell what happened."""

    async def history(self, key: str) -> list[Revision]:  # noqa: ARG002
        """Know nothing."""
        return []

    async def forget(self, key: str, version: int) -> bool:  # noqa: ARG002
        """Have nothing to forget."""
        return False

    async def purge(self, prefix: str, before: datetime, limit: int) -> int:  # noqa: ARG002
        """Leave everything as it is."""
        return 0

    async def changes(self, prefix: str, after: str | None, limit: int) -> ChangePage:  # noqa: ARG002
        """Refuse."""
        raise Unavailable("database", "This store does not support watching.", retry_after_s=3600)

    async def wait(self, position: str, timeout_s: float) -> None:  # noqa: ARG002
        """Wait for the time."""
        await asyncio.sleep(timeout_s)


def expect(write: Write, version: int | None, index: int | None = None) -> None:
    """Hold the condition of `write` against the version that the entry has, None where there is none.

    Raises:
        PreconditionFailed: it does not allow the write; the error says which of a batch it is by `index`.
    """
    if not write.condition.allows(version):
        raise PreconditionFailed(version, **({} if index is None else {"index": index}))


def hold(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Take entries into memory, by key.

    Raises:
        TooLarge: together they have more than `MAX_READ_CHARS`.
    """
    held: dict[str, Entry] = {}
    chars = 0
    for entry in entries:
        chars += len(entry.value)
        if chars > MAX_READ_CHARS:
            raise TooLarge("The values are too large for one response; read fewer keys at once.")
        held[entry.key] = entry
    return held


@dataclass(frozen=True, slots=True)
class StoreKind:
    """What a module of `stores/` offers: the scheme of its URLs, and how to build the store from the settings.

    A store on a server can also make what it needs there (`migrate`, which says whether it had to), and look whether
    all is as it should be (`check`, which says what is not). Both raise `StoreRefused` where they cannot.
    """

    scheme: str
    description: str
    build: Callable[[DatabaseSettings], Store]
    migrate: Callable[[DatabaseSettings], Coroutine[Any, Any, bool]] | None = None
    check: Callable[[DatabaseSettings], Coroutine[Any, Any, list[str]]] | None = None


class StoreRefused(Exception):
    """The server of a store cannot be used; says why."""
