"""Files that only their owner may read, replaced atomically, and files that are read again when they change."""

import fcntl
import math
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar


def write_private(path: Path, content: bytes) -> None:
    """Put `content` into `path`, mode 0600, on disk before this returns.

    Raises:
        OSError: it could not be written; what was there before is still there.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


def _flush_folder(folder: Path) -> None:
    # The content is on disk by now, but its name is not until the folder is: a power cut could lose it.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def change_alone(path: Path) -> Iterator[None]:
    """Keep every other process from changing `path` meanwhile; of two changes at once the later would undo the earlier.

    Raises:
        OSError: the lock beside the file cannot be opened.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


CHECK_EVERY_S = 1.0

Content = TypeVar("Content")
_Stamp = tuple[int, ...]


class WatchedFile(Generic[Content]):
    """The content of a file, at most a second behind it.

    The size belongs to what is compared: where a file is written in place, the empty file and the full one may have the
    same time of change. Threads share an instance without a lock, which a forked process could inherit held: content
    is replaced together with its stamp, so a thread that was overtaken causes one more read.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[Path], Content],
        *,
        broken: type[Exception],
        on_broken: Callable[[Exception], None],
        when_missing: Callable[[], Content] | None = None,
        initial: Content | None = None,
        must_settle: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the file, unless `initial` counts until the first check.

        `on_broken` gets each error of the type `broken` that `read` raises later, once for each state of the file.
        A missing file is for `read` to judge, unless `when_missing` replaces it. With `must_settle` a change counts
        when two checks in a row find it the same: an editor may be writing the file.

        Raises:
            Exception: what `read` raises.
        """
        self._path = path
        self._read = read
        self._broken = broken
        self._on_broken = on_broken
        self._when_missing = when_missing
        self._must_settle = must_settle
        self._clock = clock
        self._last_stamp: _Stamp | None
        self._state: tuple[_Stamp | None, Content]
        if initial is not None:
            self._checked_at = -math.inf
            self._last_stamp = ()  # differs from the stamp of any file, and of a missing one
            self._state = (self._last_stamp, initial)
        else:
            self._checked_at = clock()
            # The stamp is taken first: a change during the read is found by the next check.
            self._last_stamp = self._read_stamp()
            self._state = (self._last_stamp, self._read_content(self._last_stamp))

    def current(self) -> Content:
        """Return the content; check the file where the last check is a second ago."""
        if self._clock() - self._checked_at >= CHECK_EVERY_S:
            return self.reload()
        return self._state[1]

    def reload(self) -> Content:
        """Check the file now, and return its content."""
        self._checked_at = self._clock()
        stamp = self._read_stamp()
        has_settled, self._last_stamp = stamp == self._last_stamp, stamp
        known_stamp, content = self._state
        if stamp == known_stamp or (self._must_settle and not has_settled):
            return content
        try:
            content = self._read_content(stamp)
        except self._broken as error:
            self._state = (stamp, content)
            self._on_broken(error)
        else:
            self._state = (stamp, content)
        return content

    def _read_content(self, stamp: _Stamp | None) -> Content:
        if stamp is None and self._when_missing is not None:
            return self._when_missing()
        return self._read(self._path)

    def _read_stamp(self) -> _Stamp | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size
