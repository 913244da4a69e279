"""Files that only their owner may read, replaced atomically, and files that are read again when they change."""

import fcntl
import math
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

CHECK_EVERY_S = 1.0
Content = TypeVar("Content")
_Stamp = tuple[int, ...]


def write_private(path: Path, content: bytes) -> None:
    """Write `content` to `path`, mode 0600; it is on disk when this returns.

    Raises:
        OSError: it could not be written; the previous content is still there.
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
    # The content is on disk, but its name only once the folder is; a power failure could lose it.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def change_alone(path: Path) -> Iterator[None]:
    """Lock `path` against changes by other processes, so that none overwrites the change of another.

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


def remove_write_ahead_log(path: Path) -> None:
    """Remove what SQLite keeps beside the file `path`, which is gone or about to be replaced.

    A process that has them open keeps its own; applied to another file, they would destroy it.
    """
    for suffix in ("-wal", "-shm"):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)


class FileMoved(OSError):
    """A file that is open was renamed or removed: what is written now is lost."""


class FilePlace:
    """Where files were when they were opened. A process may write a file for long after it was renamed or removed."""

    def __init__(self, *paths: Path) -> None:
        """Note which files are in `paths` now."""
        self._paths = [str(path) for path in paths]
        self._opened = self._read()

    def is_kept(self) -> bool:
        """Say whether the same files are there now."""
        found = self._read()
        return found is not None and found == self._opened

    def check(self) -> None:
        """Raise `FileMoved` unless the same files are there now."""
        if not self.is_kept():
            raise FileMoved

    def _read(self) -> list[tuple[int, int]] | None:
        try:
            return [(found.st_dev, found.st_ino) for found in map(os.stat, self._paths)]
        except OSError:
            return None


class WatchedFile(Generic[Content]):
    """The content of a file, at most a second behind it.

    The size is compared too: while a file is written in place, the empty and the full file may have the same time of
    change. Threads share an instance without a lock, which a forked process could inherit locked: content and stamp are
    replaced together, so a race causes one more read at most.
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
        large_bytes: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read the file, unless `initial` is its content until the first check.

        `on_broken` gets each error of the type `broken` that `read` raises later, once for each state of the file.
        `when_missing` returns the content of a missing file; without it, `read` is called. With `must_settle` a change
        is read when two checks in a row find the same state, since an editor may be writing the file. `is_broken` says
        whether the last change could not be read. A changed file of more than `large_bytes` is read in a thread, and
        its previous content stays until then; the first time the caller waits. `on_broken` is called in that thread.

        Raises:
            Exception: what `read` raises.
        """
        self.path = path
        self._read = read
        self._broken = broken
        self._on_broken = on_broken
        self._when_missing = when_missing
        self._must_settle = must_settle
        self.is_broken = False
        self._large_bytes = large_bytes
        self._clock = clock
        self._loading: threading.Thread | None = None
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
        """Return the content; check the file if the last check is a second ago."""
        if (now := self._clock()) - self._checked_at >= CHECK_EVERY_S:
            self._checked_at = now
            return self.reload()
        return self._state[1]

    def reload(self) -> Content:
        """Check the file now, and return its content."""
        stamp = self._read_stamp()
        has_settled, self._last_stamp = stamp == self._last_stamp, stamp
        known_stamp, content = self._state
        if stamp == known_stamp or (self._must_settle and not has_settled):
            return content
        if stamp is None or stamp[-1] <= self._large_bytes or known_stamp == ():
            self._load(stamp)
        elif self._loading is None or not self._loading.is_alive():
            self._loading = threading.Thread(target=self._load, args=(stamp,), name="file-reader", daemon=True)
            self._loading.start()
        return self._state[1]

    def _load(self, stamp: _Stamp | None) -> None:
        try:
            content = self._read_content(stamp)
        except self._broken as error:
            self._state, self.is_broken = (stamp, self._state[1]), True
            self._on_broken(error)
        else:
            self._state, self.is_broken = (stamp, content), False

    def _read_content(self, stamp: _Stamp | None) -> Content:
        if stamp is None and self._when_missing is not None:
            return self._when_missing()
        return self._read(self.path)

    def _read_stamp(self) -> _Stamp | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size
