"""Ships the decision log of a data directory to the database service, in batches.

One process does it, which holds a lock on the folder: the kernel frees it with the process. How far a file was shipped
is recorded with its decisions in one transaction, so a batch counts once, whatever ends in between. A file is known by
the digest of its first line: one that was removed and made again is another.
"""

import asyncio
import fcntl
import hashlib
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Protocol

import structlog

from vestibule.contracts.decisions import COUNTS_KEPT_DAYS, MAX_BATCH, CleanCount, DecisionBatch, DecisionRecord
from vestibule.contracts.errors import Unavailable
from vestibule.policy.decision_log import decision_files, parse_line
from vestibule.runtime.background import Backoff, in_background

SHIP_EVERY_S = 0.4
# The database service is asked for all positions this often: after a restore from a backup they are earlier.
ASK_EVERY_S = 300.0
BACKOFF = Backoff(first_s=0.5, longest_s=5.0)
CHUNK_BYTES = 256 * 1024
# The bytes of the first line that name a file: time and id of a decision are among them.
NAMING_BYTES = 200
LOCK = ".shipper.lock"


class DecisionReceiver(Protocol):
    """Records batches; raises `Unavailable` where it does not confirm."""

    async def ship(self, batch: DecisionBatch) -> int:
        """Record a batch if it goes on where its file was recorded to; return how far the file is recorded."""
        ...

    async def positions(self, files: Sequence[str]) -> Mapping[str, int]:
        """Return how far each of the files was recorded."""
        ...


@dataclass(slots=True)
class _File:
    """A file of the decision log. `shipped` is the position that it was recorded to, once that is known."""

    path: Path
    name: str
    size: int
    stamp: tuple[int, int, int]
    shipped: int | None = None


@dataclass(frozen=True, slots=True)
class _Piece:
    """Lines of a file, with how many of them are invalid."""

    batch: DecisionBatch
    invalid: int


class DecisionShipper:
    """Ships what processes on this data directory record."""

    def __init__(self, directory: Path, keep_days: int, receiver: DecisionReceiver) -> None:
        self._directory = directory
        self._keep_days = min(keep_days, COUNTS_KEPT_DAYS)
        self._receiver = receiver
        self._files: dict[Path, _File] = {}
        self._ask_at = 0.0
        self._log = structlog.get_logger("vestibule.decisions")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ship in the background while the context is open."""
        async with in_background(self.run()):
            yield

    async def run(self) -> None:
        """Ship until cancelled, while no other process does."""
        failures = 0
        while True:
            try:
                with _alone(self._directory) as is_alone:
                    if is_alone:
                        self._files.clear()
                        self._ask_at = 0.0
                        while True:
                            await self.ship()
                            failures = 0
                            await asyncio.sleep(SHIP_EVERY_S)
            except Exception as error:  # noqa: BLE001 - without the loop nothing is shipped until a restart
                failures += 1
                if failures == 1:
                    self._log_failure(error)
                await asyncio.sleep(BACKOFF.delay_s(failures))
            else:
                await asyncio.sleep(SHIP_EVERY_S)

    async def ship(self) -> int:
        """Ship what is there by now; return how many decisions it was.

        Raises:
            Unavailable: the database service does not confirm; a later call goes on from there.
        """
        await asyncio.to_thread(self._look)
        if time.monotonic() >= self._ask_at:
            known = await self._receiver.positions([one.name for one in self._files.values()])
            for file in self._files.values():
                file.shipped = known.get(file.name, 0)
            self._ask_at = time.monotonic() + ASK_EVERY_S
        return sum([await self._ship_file(file) for file in list(self._files.values())])

    async def _ship_file(self, file: _File) -> int:
        if file.shipped is None:
            file.shipped = (await self._receiver.positions([file.name])).get(file.name, 0)
        count = 0
        while file.shipped < file.size:
            piece = await asyncio.to_thread(_read_piece, file, file.shipped)
            if piece is None:
                break  # the last line is being written
            began = time.monotonic()
            file.shipped = await self._receiver.ship(piece.batch)
            count += len(piece.batch.decisions)
            if piece.invalid and file.shipped == piece.batch.end:
                self._log.warning("decision_lines_invalid", lines=piece.invalid, file=file.path.name)
            # What piled up is not to take the database service from others.
            await asyncio.sleep(time.monotonic() - began)
        return count

    def _look(self) -> None:
        """Note which files there are and how long they are."""
        oldest = datetime.now(UTC).date() - timedelta(days=self._keep_days)
        found: dict[Path, _File] = {}
        for path, day in decision_files(self._directory):
            if day >= oldest and (file := self._look_at(path, day)) is not None:
                found[path] = file
        self._files = found

    def _look_at(self, path: Path, day: date) -> _File | None:
        try:
            status = path.stat()
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            known = self._files.get(path)
            if known is not None and known.stamp == stamp:
                return known
            with path.open("rb") as content:
                start = content.read(NAMING_BYTES)
        except OSError:
            return None  # removed meanwhile
        first, end, _ = start.partition(b"\n")
        if not end and len(start) < NAMING_BYTES:
            return None  # the first line is being written
        name = f"{day}-{hashlib.sha256(first).hexdigest()[:16]}"
        shipped = known.shipped if known is not None and known.name == name else None
        return _File(path, name, status.st_size, stamp, shipped)

    def _log_failure(self, error: Exception) -> None:
        if isinstance(error, (Unavailable, OSError)):
            self._log.warning("decisions_not_shipped", error=type(error).__name__)
        else:
            self._log.error("decisions_not_shipped", error=type(error).__name__, exc_info=error)


@contextmanager
def _alone(directory: Path) -> Iterator[bool]:
    """Hold the lock of the folder while the context is open; False where another process has it."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_alone = True
        except BlockingIOError:
            is_alone = False
        yield is_alone
    finally:
        os.close(descriptor)


def _read_piece(file: _File, start: int) -> _Piece | None:
    """Return whole lines from `start`, as many as fit into a batch; None if there is no whole one yet."""
    with file.path.open("rb") as content:
        content.seek(start)
        chunk = content.read(CHUNK_BYTES)
        if b"\n" not in chunk:
            chunk += content.readline()  # a line of an earlier revision, which listed every finding
    lines = chunk[: chunk.rfind(b"\n") + 1].splitlines(keepends=True)[:MAX_BATCH]
    if not lines:
        return None
    decisions: list[DecisionRecord] = []
    clean: list[CleanCount] = []
    for line in lines:
        match parse_line(line):
            case DecisionRecord() as record:
                decisions.append(record)
            case CleanCount() as counted:
                clean.append(counted)
    end = start + sum(map(len, lines))
    batch = DecisionBatch(file=file.name, start=start, end=end, decisions=decisions, clean=clean)
    return _Piece(batch, len(lines) - len(decisions) - len(clean))
