"""Keys as folders, and versions of entries without their values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from vestibule.client.results.entries import Entry, Revision
from vestibule.console.views.formatting import number

SEPARATOR = "/"
# The last one that a key can have. A cursor of keys is a key that need not be there, in order of code points.
LAST_CHARACTER = "\U000e01ef"


@dataclass(slots=True)
class KeyFolder:
    """Keys that go on after a slash; `count` is of those that were read, and `has_more` says that there are others."""

    prefix: str
    name: str
    count: int = 0
    has_more: bool = False


class KeyLevel:
    """What is under a prefix, one level at a time: keys, and folders for those that go on after a slash."""

    def __init__(self, prefix: str, *, cursor: str | None = None) -> None:
        """Begin with nothing, after a cursor."""
        self.base = prefix[: prefix.rfind(SEPARATOR) + 1]
        self.cursor = cursor
        # Names and keys, in order.
        self.keys: list[tuple[str, str]] = []
        self._folders: dict[str, KeyFolder] = {}

    @property
    def folders(self) -> Sequence[KeyFolder]:
        """The folders, in order."""
        return list(self._folders.values())

    @property
    def size(self) -> int:
        """How many rows there are."""
        return len(self.keys) + len(self._folders)

    @property
    def above(self) -> Sequence[tuple[str, str]]:
        """The folders in the prefix: pairs of name and prefix."""
        names = self.base.split(SEPARATOR)[:-1]
        return [(name, SEPARATOR.join(names[: place + 1]) + SEPARATOR) for place, name in enumerate(names)]

    def add(self, keys: Sequence[str], cursor: str | None) -> None:
        """Add a page of keys in order; `cursor` is that of the next one, which passes over the rest of a folder."""
        last: KeyFolder | None = None
        for key in keys:
            name, slash, _ = key[len(self.base) :].partition(SEPARATOR)
            if slash:
                last = self._folders.setdefault(name, KeyFolder(f"{self.base}{name}{SEPARATOR}", name))
                last.count += 1
            else:
                last = None
                self.keys.append((name, key))
        self.cursor = cursor
        if cursor is not None and last is not None:
            last.has_more = True
            self.cursor = last.prefix + LAST_CHARACTER


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """A version of an entry: all that is known of it but the value."""

    version: int
    kind: str
    at: datetime | None
    by: str | None
    expires_at: datetime | None
    size: int | None
    changes: Sequence[str]


def versions_of(revisions: Sequence[Revision]) -> list[KnownVersion]:
    """Return the versions, the newest first, each with what it changed of the one before."""
    earlier = [*revisions[1:], None]
    return [
        KnownVersion(one.version, one.kind, one.at, one.by, one.expires_at, _size(one), _changes(before, one))
        for one, before in zip(revisions, earlier, strict=True)
    ]


def version_of(entry: Entry) -> KnownVersion:
    """Return the current version of an entry whose store keeps no others."""
    return KnownVersion(entry.version, "written", None, None, entry.expires_at, len(entry.value.encode()), [])


def _size(revision: Revision) -> int | None:
    return None if revision.value is None else len(revision.value.encode())


def _changes(before: Revision | None, after: Revision) -> list[str]:
    if before is None or before.value is None or after.value is None:
        return []
    changes = []
    difference = len(after.value.encode()) - len(before.value.encode())
    if after.value == before.value:
        changes.append("the same value")
    elif difference:
        changes.append(f"{number(abs(difference))} B {'longer' if difference > 0 else 'shorter'}")
    else:
        changes.append("another value of the same size")
    if after.by != before.by:
        changes.append("by another token")
    if (after.expires_at is None) != (before.expires_at is None):
        changes.append("expires now" if before.expires_at is None else "no longer expires")
    elif after.expires_at != before.expires_at:
        changes.append("another expiry")
    return changes
