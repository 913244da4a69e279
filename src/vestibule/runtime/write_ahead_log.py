"""Keeps the write-ahead log of a SQLite file small.

While a reader holds a snapshot SQLite cannot reuse the log, so it grows; by default it then keeps that size for ever.
Source: SQLite, "Write-Ahead Logging", "Avoiding Excessively Large WAL Files"; "PRAGMA journal_size_limit".
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import structlog

MIB = 1024 * 1024
# SQLite truncates the log to this when it starts it again. Each connection sets it: four times its usual size.
KEEP_BYTES = 16 * MIB
LIMIT_LOG = f"PRAGMA journal_size_limit = {KEEP_BYTES}"
BOUND_BYTES = 64 * MIB
EVERY_S = 5.0
# One failure may be the fault of a writer.
HELD_AFTER = 2


class WriteAheadLog:
    """The log of one file. `tend` truncates it, and learns whether a reader prevents that."""

    def __init__(self, path: Path, *, bound_bytes: int = BOUND_BYTES, clock: Callable[[], float] = time.monotonic):
        """Take the path of the database, and the size from which the log is truncated."""
        self.name = path.name
        self._path = path
        self._log_path = Path(f"{path}-wal")
        self._bound_bytes = bound_bytes
        self._clock = clock
        self._next_at_s = 0.0
        self._failures = 0

    @property
    def size_bytes(self) -> int:
        """The size of the log; 0 where there is none."""
        try:
            return self._log_path.stat().st_size
        except OSError:
            return 0

    def note(self) -> str | None:
        """Say that a reader makes the log grow; None while it is within its bound."""
        if self._failures < HELD_AFTER:
            return None
        return f"a reader holds the write-ahead log of {self.name}, which has {self.size_bytes // MIB} MiB"

    def tend(self) -> None:
        """Truncate the log where it is over its bound; call it often, in a thread in which no request waits.

        Raises:
            sqlite3.Error: the file cannot be read.
        """
        now_s = self._clock()
        if now_s < self._next_at_s:
            return
        self._next_at_s = now_s + EVERY_S
        size_bytes = self.size_bytes
        if size_bytes <= self._bound_bytes:
            self._failures = 0
            return
        self._truncate()
        log = structlog.get_logger("vestibule.store")
        if self.size_bytes <= self._bound_bytes:
            self._failures = 0
            log.info("wal_truncated", file=self.name, bytes=size_bytes)
            return
        self._failures += 1
        if self._failures == HELD_AFTER:
            log.warning("wal_held", file=self.name, bytes=size_bytes)

    def _truncate(self) -> None:
        # No request waits for it: without a timeout it gives way to a writer.
        with closing(sqlite3.connect(self._path, timeout=0, isolation_level=None)) as connection:
            # It blocks no one, and leaves nothing to copy to the next one, which blocks writers.
            _, frames, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if frames == copied:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
