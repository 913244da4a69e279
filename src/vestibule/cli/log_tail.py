"""Reads `app.log` and its rotated files, and follows it over rotations."""

import heapq
import itertools
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from vestibule.service_kit.logging.log_line import decode_line
from vestibule.service_kit.logging.log_sinks import rotated_files

POLL_S = 0.2
LEVELS = ("debug", "info", "warning", "error", "critical")
# Processes write in batches, so lines are out of order by as many as a batch has.
_REORDERED_LINES = 5_000
_BLOCK_BYTES = 256 * 1024

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter of log lines; None matches all. `since` is in UTC."""

    request_id: str | None = None
    level: str | None = None
    service: str | None = None
    since: datetime | None = None

    def fields_of(self, line: bytes) -> Fields | None:
        """Return the fields of `line`, or None if it does not match."""
        # Much cheaper than decoding every line, when few are of one request.
        if self.request_id is not None and os.fsencode(self.request_id) not in line:
            return None
        fields = decode_line(line)
        return fields if fields is not None and self._matches(fields) else None

    def _matches(self, fields: Fields) -> bool:
        # One call between services can be for several requests.
        batch = fields.get("requests")
        return (
            self.request_id in (None, fields.get("request_id"), *(batch if isinstance(batch, list) else ()))
            and self.service in (None, fields.get("service"))
            and (self.level is None or _rank(fields.get("level")) >= _rank(self.level))
            and (self.since is None or _time_of(fields) >= self.since.strftime("%Y-%m-%dT%H:%M:%S.%f"))
        )


class LogTail:
    """Reads the lines of a log in order of time, and follows it."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self._path = path
        self._wanted = wanted
        self._file: BinaryIO | None = None

    def kept(self) -> Iterator[Fields]:
        """Yield the lines that exist now."""
        since_s = self._wanted.since.timestamp() if self._wanted.since else 0.0
        older = [self._matching(_read(path)) for path in rotated_files(self._path) if _modified_at(path) >= since_s]
        self._file = _open(self._path)
        yield from _in_order(itertools.chain(*older, self._new_lines()))

    def last(self, count: int) -> list[Fields]:
        """Return the last `count` of the lines that exist now, read from the end."""
        self._file = _open(self._path)
        newest = _read_backwards(self._file, _seek_last_line(self._file)) if self._file else ()
        older = (line for path in reversed(rotated_files(self._path)) for line in _read_rotated_backwards(path))
        found = list(itertools.islice(self._matching(itertools.chain(newest, older)), count))
        # Lines of one moment stay in the order of the file.
        found.reverse()
        return sorted(found, key=_time_of)

    def follow(self) -> Iterator[Fields]:
        """Yield the lines that follow those already read, forever."""
        while True:
            yield from _in_order(self._next_lines())
            time.sleep(POLL_S)

    def _next_lines(self) -> Iterator[Fields]:
        while self._file is None or not _has_name(self._file, self._path):
            # It was rotated: first the rest of its lines, then those of each file that followed it.
            yield from self._new_lines()
            successor = self._successor()
            if successor is None:
                return
            if self._file is not None:
                self._file.close()
            self._file = successor
        yield from self._new_lines()

    def _successor(self) -> BinaryIO | None:
        """Open the file that followed the current one."""
        # In this order: a file that is rotated meanwhile is in the list as well.
        newest = _open(self._path)
        files = rotated_files(self._path)
        ours = [index for index, path in enumerate(files) if self._file is not None and _has_name(self._file, path)]
        if ours and ours[0] + 1 < len(files):
            if newest is not None:
                newest.close()
            return _open(files[ours[0] + 1])
        return newest

    def _new_lines(self) -> Iterator[Fields]:
        """Yield the complete lines from the current position; a line that is still being written is left for later."""
        if self._file is None:
            return
        if self._file.tell() > os.fstat(self._file.fileno()).st_size:
            self._file.seek(0, os.SEEK_END)
        position = self._file.tell()
        for line in self._file:
            if not line.endswith(b"\n"):
                self._file.seek(position)
                return
            position += len(line)
            yield from self._matching([line])

    def _matching(self, lines: Iterable[bytes]) -> Iterator[Fields]:
        return (fields for fields in map(self._wanted.fields_of, lines) if fields is not None)


def _in_order(lines: Iterable[Fields]) -> Iterator[Fields]:
    """Yield the lines in order of time, unless one is late by more than some thousands of lines."""
    waiting: list[tuple[str, int, Fields]] = []
    for number, line in enumerate(lines):
        heapq.heappush(waiting, (_time_of(line), number, line))
        if len(waiting) > _REORDERED_LINES:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def _open(path: Path) -> BinaryIO | None:
    with suppress(FileNotFoundError):
        return path.open("rb")
    return None


def _read(path: Path) -> Iterator[bytes]:
    file = _open(path)
    if file is not None:
        with file:
            yield from file


def _read_backwards(file: BinaryIO, end: int) -> Iterator[bytes]:
    """Yield the lines before the offset `end`, the last one first, without moving the file's position."""
    begun, position = b"", end
    while position:
        start = max(0, position - _BLOCK_BYTES)
        lines = (os.pread(file.fileno(), position - start, start) + begun).split(b"\n")
        position = start
        begun = lines.pop(0) if start else b""
        yield from reversed(lines)


def _read_rotated_backwards(path: Path) -> Iterator[bytes]:
    file = _open(path)
    if file is not None:
        with file:
            yield from _read_backwards(file, _seek_last_line(file))


def _seek_last_line(file: BinaryIO) -> int:
    """Move behind the last complete line, and return that offset."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - _BLOCK_BYTES)
    return file.seek(start + os.pread(file.fileno(), size - start, start).rfind(b"\n") + 1)


def _has_name(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _time_of(fields: Fields) -> str:
    return str(fields.get("timestamp", ""))


def _rank(level: object) -> int:
    return LEVELS.index(str(level)) if level in LEVELS else LEVELS.index("info")


def _modified_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
