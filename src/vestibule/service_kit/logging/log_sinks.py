"""Where log lines go: `app.log`, which many processes append to, and a stream, as JSON or in columns on a terminal.

The file is rotated by size and age, and old files are removed. A writer holds the lock beside the file while it
writes: a batch is written as a whole, two processes never rotate at once, and a line that a full disk or a kill cut
off is removed.
"""

import fcntl
import os
import re
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from vestibule.service_kit.logging.log_line import decode_line, render_line

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
# A process that holds the lock for longer is frozen; the others continue without the lock.
_LOCKED_WITHIN_S = 1.0
_MOST_BYTES = 256 * 1024
_DAY_S = 86_400
# Named by time, or by number as other programs do.
_ROTATED = re.compile(r"\.(?:\d{8}T\d{6}\.\d{6}Z|\d+)")

_LEVELS = ("debug", "info", "warning", "error", "critical")


@dataclass(frozen=True, slots=True)
class RotationRules:
    """When the file is rotated, and how many rotated files are kept for how long; a time of 0 is unlimited."""

    max_bytes: int
    every_s: float
    backups: int
    keep_days: float

    def is_due(self, size: int, modified_at: float, now: float, incoming: int) -> bool:
        """Say whether a file of `size` bytes, last written to at `modified_at`, is full or too old for `incoming`."""
        if not size:
            return False
        is_old = bool(self.every_s) and modified_at // self.every_s < now // self.every_s
        return is_old or size + incoming > self.max_bytes


class LogFile:
    """A sink that appends to one file; one thread of a process writes to it at a time."""

    def __init__(self, path: Path, rules: RotationRules) -> None:
        self._path = path
        self._lock_path = path.with_name(f".{path.name}.lock")
        self._rules = rules
        self._file: int | None = None
        self._lock: int | None = None
        self.most_bytes = min(_MOST_BYTES, rules.max_bytes)

    def open(self) -> None:
        """Open the file, and remove the old ones.

        Raises:
            OSError: it cannot be opened.
        """
        self._current()
        remove_old(self._path, self._rules, time.time())

    def release(self) -> None:
        """Close the file; the next write opens it again. A lock that is shared over a fork excludes nothing."""
        _close(self._file)
        _close(self._lock)
        self._file = self._lock = None

    def write(self, lines: bytes) -> None:
        """Append `lines`, all or none.

        Raises:
            OSError: they could not be written.
        """
        with self._alone() as is_alone:
            file = self._current()
            if is_alone:
                file = self._rotated_if_due(file, len(lines))
            _append(file, lines, is_alone)

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        if self._lock is not None and not os.fstat(self._lock).st_nlink:
            _close(self._lock)  # removed with its folder; other processes lock a new one
            self._lock = None
        if self._lock is None:
            self._lock = _open(self._lock_path)
        is_alone = _lock_in_time(self._lock)
        try:
            yield is_alone
        finally:
            if is_alone:
                fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _current(self) -> int:
        """Return the current file: another process may have rotated the open one."""
        if self._file is not None and not _has_name(self._file, self._path):
            _close(self._file)
            self._file = None
        if self._file is None:
            self._file = _open(self._path)
        return self._file

    def _rotated_if_due(self, file: int, incoming: int) -> int:
        status, now = os.fstat(file), time.time()
        if not self._rules.is_due(status.st_size, status.st_mtime, now, incoming):
            return file
        stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        # A file that cannot be renamed grows, which is better than lost lines.
        with suppress(OSError):
            self._path.rename(self._path.with_name(f"{self._path.name}.{stamp}"))
            remove_old(self._path, self._rules, now)
        return self._current()


def rotated_files(path: Path) -> list[Path]:
    """Return the rotated files of `path`, the oldest first."""
    found: list[tuple[float, str, Path]] = []
    with suppress(OSError):
        for other in path.parent.iterdir():
            if other.name.startswith(path.name) and _ROTATED.fullmatch(other.name[len(path.name) :]):
                with suppress(FileNotFoundError):
                    found.append((other.stat().st_mtime, other.name, other))
    return [other for _, _, other in sorted(found)]


def remove_old(path: Path, rules: RotationRules, now: float) -> None:
    """Remove the rotated files of `path` that are too many or too old."""
    kept = rotated_files(path)
    for index, other in enumerate(reversed(kept)):
        with suppress(OSError):
            is_old = bool(rules.keep_days) and other.stat().st_mtime < now - rules.keep_days * _DAY_S
            if index >= rules.backups or is_old:
                other.unlink()


def _open(path: Path) -> int:
    try:
        return os.open(path, _FLAGS, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, _FLAGS, 0o600)


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        with suppress(OSError):
            os.close(descriptor)


def _has_name(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(file))
    except OSError:
        return False


def _lock_in_time(lock: int) -> bool:
    give_up_at = time.monotonic() + _LOCKED_WITHIN_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up_at:
                return False
            time.sleep(0.001)
        except OSError:  # a file system that knows no locks
            return False
        else:
            return True


def _append(file: int, lines: bytes, is_alone: bool) -> None:
    size = _size_without_torn_line(file) if is_alone else 0
    try:
        while lines:
            lines = lines[os.write(file, lines) :]
    except OSError:
        if is_alone:
            os.ftruncate(file, size)
        raise


def _size_without_torn_line(file: int) -> int:
    """Truncate the torn last line of a process that was killed while it wrote."""
    size = os.fstat(file).st_size
    if not size or os.pread(file, 1, size - 1) == b"\n":
        return size
    start = max(0, size - _MOST_BYTES)
    whole = start + os.pread(file, size - start, start).rfind(b"\n") + 1
    os.ftruncate(file, whole)
    return whole


class LogStream:
    """A sink that writes to a stream, which several processes may share."""

    # A pipe takes this much atomically; more could be interleaved with lines of another process.
    most_bytes = select.PIPE_BUF

    def __init__(self, stream: TextIO, *, has_colour: bool, least_level: str = "") -> None:
        """Take the stream; a terminal gets lines of `least_level` and above, and all if that is no level."""
        self._stream = stream
        self._hidden = frozenset(_LEVELS[: _LEVELS.index(least_level)] if least_level in _LEVELS else ())
        self._descriptor: int | None = None
        # A stream without a descriptor raises an error that is both of these.
        with suppress(OSError, ValueError):
            self._descriptor = stream.fileno()
        self._is_terminal = stream.isatty()
        self._has_colour = has_colour

    def release(self) -> None:
        """Do nothing: the stream belongs to the process."""

    def write(self, lines: bytes) -> None:
        """Write whole lines.

        Raises:
            OSError: they could not be written.
            ValueError: the stream was closed.
        """
        shown = self._rendered(lines) if self._is_terminal else lines
        if self._descriptor is None:
            self._stream.write(shown.decode())
            return
        while shown:
            try:
                shown = shown[os.write(self._descriptor, shown) :]
            except BlockingIOError:  # another process that shares it made it non-blocking
                select.select([], [self._descriptor], [])

    def _rendered(self, lines: bytes) -> bytes:
        rows = [decode_line(line) for line in lines.splitlines()]
        shown = [row for row in rows if row and row.get("level") not in self._hidden]
        return "".join(render_line(row, has_colour=self._has_colour) + "\n" for row in shown).encode()
