"""The port of stores. To add a store, add one module to `stores/` that offers a `STORE`; nothing else names it."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, Self, TypeVar, runtime_checkable

from vestibule.contracts.entries import ALWAYS, ChangeKind, Condition, Entry, KeyPage, Revision
from vestibule.contracts.errors import InvalidInput, PreconditionFailed, TooLarge, Unavailable
from vestibule.database_service.settings import DatabaseSettings
from vestibule.runtime.starts import StartRefused

# The most that one batch may hold in memory, in characters as stored.
MAX_READ_CHARS = 16 * 1024 * 1024
# Takes the next change when a key is erased, so that no position is used twice; the key of no tenant.
LAST_ERASED = "~erased"
# No number of a change is longer than a 64-bit integer.
MAX_DIGITS = 18
Moment = TypeVar("Moment")


@dataclass(frozen=True, slots=True)
class Write:
    """A pair to write: stored key and value, expiry, condition, and the id of the token that writes it."""

    key: str
    value: str
    expires_at: datetime | None = None
    condition: Condition = ALWAYS
    author: str | None = None


@dataclass(frozen=True, slots=True)
class OperationNote:
    """An entry that is written together with others, and only if its key has none.

    `text` makes its value from the versions that the others get, in their order.
    """

    key: str
    text: Callable[[Sequence[int]], str]
    expires_at: datetime

    def check_absent(self, version: int | None, index: int) -> None:
        """Raise `PreconditionFailed` with `index` where its key has an entry, that is, where `version` is not None."""
        if version is not None:
            raise PreconditionFailed(version, index=index)

    def as_write(self, versions: Sequence[int]) -> Write:
        """Return the write of the note where the others get `versions`."""
        return Write(self.key, self.text(versions), self.expires_at)


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A change of an entry, and the position right after it."""

    key: str
    version: int
    kind: ChangeKind
    position: str


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Changes in order, and the position to continue from."""

    changes: list[KeyChange]
    position: str


class PositionLost(Exception):
    """The changes after a position are no longer known, or it is not a position of this store."""


class Store(Protocol):
    """Stores entries. An answer to a change means that it is on disk.

    An expired entry counts as absent for reads, lists, deletes and conditions. Conditions are checked in the
    transaction of the change: of two changes that expect the same version, one succeeds.

    Every method raises `Unavailable` where the store cannot answer for certain.
    """

    async def write(self, write: Write) -> int:
        """Write a pair and return its version: 1 at first, one more each time.

        Raises:
            PreconditionFailed: the entry does not meet the condition.
            TooLarge: the store does not accept a value of that size.
        """
        ...

    async def write_each(self, writes: Sequence[Write]) -> Sequence[int | BaseException]:
        """Write pairs in their order, each on its own, and return the version or the error of each."""
        ...

    async def write_many(self, writes: Sequence[Write], note: OperationNote | None = None) -> list[int]:
        """Write all of `writes`, of different keys, and `note` with them, or nothing, and return their versions.

        Raises:
            PreconditionFailed: an entry does not meet the condition of its write; `index` says which. The index of a
                note that exists already follows those of the writes.
            TooLarge: they are too many for one transaction of this store, or too large.
        """
        ...

    async def read(self, key: str) -> Entry | None:
        """Return the entry under `key`, or None where there is none."""
        ...

    async def read_many(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return the entries under `keys` as they are at one moment, in that order, and None where there is none.

        Raises:
            TooLarge: they have more than `MAX_READ_CHARS` together, or are too many for one read of this store.
        """
        ...

    async def replace(self, key: str, value: str, version: int) -> bool:
        """Replace the value of `version` under `key`, current or in the history; False where there is none.

        It is for another form of the same value, as for re-encryption: watchers see no change, and the version stays.
        """
        ...

    async def delete(self, key: str, *, condition: Condition = ALWAYS, author: str | None = None) -> bool:
        """Remove the entry under `key` with its history; False where there was none.

        A tombstone stays until it is purged: when and by whom it was deleted, and its version.

        Raises:
            PreconditionFailed: the entry does not meet `condition`.
        """
        ...

    async def sweep(self, limit: int) -> int:
        """Remove at most `limit` values that have expired, with their history, and return how many there were."""
        ...

    async def put(self, entries: Sequence[Entry]) -> int:
        """Store entries of another store, of different keys, with version and expiry; return how many were stored.

        A key that has the same or a later version here stays as it is, also if it was deleted.
        """
        ...

    async def history(self, key: str) -> list[Revision]:
        """Return the history of `key`, the newest version first.

        It has `DatabaseSettings.keep_versions` versions, the current one included. Keys that begin with `RESERVED`
        belong to services and have no history. A deleted or expired entry has its tombstone only; a key that was purged
        or never existed has nothing.
        """
        ...

    async def forget(self, key: str, version: int) -> bool:
        """Remove an earlier version of an entry from its history; False where there is none."""
        ...

    async def purge(self, prefix: str, before: datetime, limit: int) -> int:
        """Remove at most `limit` tombstones of keys with `prefix` that are older than that time, and return how many.

        Versions of such a key begin at 1 again, and watchers of the prefix lose positions from before the tombstone.
        The very last change of a store may stay, so that no position is used twice.
        """
        ...

    async def ended(self, prefix: str, limit: int, after: str | None) -> KeyPage:
        """Return deleted and swept keys that start with `prefix`, among at most `limit`, and the cursor of the rest."""
        ...

    async def erase(self, key: str) -> bool:
        """Remove all that is known of a key, its name included, at once; False where nothing is.

        Its versions begin at 1 again, and watchers of its tenant lose positions from before.
        """
        ...

    async def scrub(self) -> None:
        """Remove what deletions have left in the store's own files, such as a write-ahead log."""
        ...

    async def changes(self, prefix: str, after: str | None, limit: int) -> ChangePage:
        """Return the changes of keys that start with `prefix` among the `limit` changes after a position.

        A change never appears later at a position before one that was returned. Of several changes of one key only the
        last need appear. None stands for now: no changes, and the position to continue from. A page without changes
        whose position is not `after` is not the last.

        Raises:
            PositionLost: read all entries again.
        """
        ...

    async def wait(self, position: str, timeout_s: float) -> None:
        """Return as soon as a change after `position` is known, or at the timeout."""
        ...

    async def keys(self, prefix: str, limit: int, after: str | None) -> KeyPage:
        """Return at most `limit` keys that start with `prefix` and come after `after`, in code point order."""
        ...


class ManagedStore(Store, Protocol):
    """A store as its kind builds it: open inside its context, which ends when pending changes are finished."""

    async def __aenter__(self) -> Self:
        """Open the store."""
        ...

    async def __aexit__(self, *error: object) -> None:
        """Finish pending changes and close the store."""
        ...


@runtime_checkable
class HasFile(Protocol):
    """A store with a file, which may be renamed or removed while it is open."""

    async def is_in_place(self) -> bool:
        """Say whether the file is where it was opened."""
        ...

    def lost_commits(self) -> Mapping[str, int]:
        """Return how many numbers the file lacks of those that it had at its last commit, by table."""
        ...


@runtime_checkable
class SkipsUnreadable(Protocol):
    """A store with values that may be unreadable."""

    async def read_readable(self, keys: Sequence[str]) -> list[Entry | None]:
        """Return what `read_many` returns, and None for a value that cannot be read."""
        ...


class NoHistoryMixin:
    """For stores without history and change log, and without import, which needs them."""

    async def put(self, entries: Sequence[Entry]) -> int:  # noqa: ARG002
        """Refuse."""
        raise Unavailable("database", "This store does not support importing entries.", retry_after_s=3600)

    async def history(self, key: str) -> list[Revision]:  # noqa: ARG002
        """Return no history."""
        return []

    async def forget(self, key: str, version: int) -> bool:  # noqa: ARG002
        """Remove nothing: there is no history."""
        return False

    async def purge(self, prefix: str, before: datetime, limit: int) -> int:  # noqa: ARG002
        """Purge nothing."""
        return 0

    async def changes(self, prefix: str, after: str | None, limit: int) -> ChangePage:  # noqa: ARG002
        """Refuse."""
        raise Unavailable("database", "This store does not support watching.", retry_after_s=3600)

    async def wait(self, position: str, timeout_s: float) -> None:  # noqa: ARG002
        """Wait for the timeout."""
        await asyncio.sleep(timeout_s)


class ChangeNotifier:
    """Notifies the current listeners of one event loop; without listeners a notification costs next to nothing."""

    def __init__(self) -> None:
        self._event: asyncio.Event | None = None

    def notify(self) -> None:
        """Wake all listeners."""
        if self._event is not None:
            self._event.set()
            self._event = None

    def listen(self) -> asyncio.Event:
        """Return the event that the next notification sets; take it before you check whether you need to wait."""
        if self._event is None:
            self._event = asyncio.Event()
        return self._event


async def wait_for(event: asyncio.Event, timeout_s: float) -> None:
    """Return when `event` is set, or after `timeout_s`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await event.wait()


def end_after(cursor: str, parse: Callable[[str], Moment]) -> tuple[Moment, str]:
    """Return the end and the key that a cursor of `ended` names, which is `TIME KEY`; times are exact.

    Raises:
        InvalidInput: it is not one.
    """
    at, _, key = cursor.partition(" ")
    try:
        return parse(at), key
    except (ValueError, OverflowError):
        raise invalid_cursor() from None


def page_of_ended(rows: Sequence[tuple[str, str]], prefix: str, limit: int) -> KeyPage:
    """Return the page of keys with `prefix` among the rows of at most `limit` ended keys, each with its time."""
    cursor = f"{rows[-1][1]} {rows[-1][0]}" if len(rows) == limit else None
    return KeyPage(keys=[key for key, _ in rows if key.startswith(prefix)], cursor=cursor)


def invalid_cursor() -> InvalidInput:
    """Return the error for a cursor that no page had."""
    return InvalidInput("The cursor is not valid; use the `cursor` of the previous page.")


def scope_of(key: str) -> str:
    """Return the prefix of all keys of the tenant that has `key`."""
    tenant, separator, _ = key.partition("/")
    return tenant + separator if separator else ""


def change_number_of(position: str, epoch: str, last: int) -> int:
    """Return the number of the change that `EPOCH-NUMBER` names.

    Raises:
        PositionLost: it is of another epoch, after the `last` change, or not a position.
    """
    of_epoch, _, number = position.partition("-")
    is_number = number.isascii() and number.isdecimal() and len(number) <= MAX_DIGITS
    if of_epoch != epoch or not is_number or int(number) > last:
        raise PositionLost
    return int(number)


def page_of_changes(rows: Sequence[Any], prefix: str, epoch: str, after: str) -> ChangePage:
    """Return the page of some rows, each (number, key, version, whether the entry ended, its expiry)."""
    changes = [
        KeyChange(key, version, _kind_of(has_ended, expires_at), f"{epoch}-{number}")
        for number, key, version, has_ended, expires_at in rows
        if key.startswith(prefix)
    ]
    return ChangePage(changes, f"{epoch}-{rows[-1][0]}" if rows else after)


def _kind_of(has_ended: bool, expires_at: object) -> ChangeKind:
    if not has_ended:
        return ChangeKind.WRITTEN
    return ChangeKind.DELETED if expires_at is None else ChangeKind.EXPIRED


def check_condition(write: Write, version: int | None, index: int | None = None) -> None:
    """Raise `PreconditionFailed` with `index` where an entry of that version does not meet the condition of `write`."""
    if not write.condition.allows(version):
        raise PreconditionFailed(version, **({} if index is None else {"index": index}))


def entries_by_key(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Return entries by key.

    Raises:
        TooLarge: they have more than `MAX_READ_CHARS` together.
    """
    held: dict[str, Entry] = {}
    chars = 0
    for entry in entries:
        chars += len(entry.value)
        if chars > MAX_READ_CHARS:
            raise TooLarge("The values are too large for one response; read fewer keys at once.")
        held[entry.key] = entry
    return held


class StoreAdministration(Protocol):
    """Functions for the command line over a store on a server; both raise `StoreRefused` where they cannot."""

    async def migrate(self, settings: DatabaseSettings) -> bool:
        """Create or migrate the tables; False where there is nothing to do."""
        ...

    async def check(self, settings: DatabaseSettings) -> list[str]:
        """Return the faults of the tables and of the server's settings."""
        ...


@dataclass(frozen=True, slots=True)
class StoreKind:
    """What a module of `stores/` offers: the scheme of its URLs, and how to build the store from the settings."""

    scheme: str
    description: str
    build: Callable[[DatabaseSettings], ManagedStore]
    administration: Callable[[], StoreAdministration] | None = None


class StoreRefused(StartRefused):
    """The server of a store cannot be used; says why."""
