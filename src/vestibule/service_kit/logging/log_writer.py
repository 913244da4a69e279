"""Writes log lines in batches in a separate thread, so that logging never blocks."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from errno import errorcode
from typing import Protocol

from vestibule.runtime.writer_thread import WriterThread

# A line waits this long for others.
COLLECT_S = 0.05
# The limit of waiting lines while the disk hangs: no request waits for it, and memory does not grow.
MOST_WAITING = 20_000
FLUSHED_WITHIN_S = 2.0
# After a failure the writer retries this often even if nothing is logged, so that it notices the recovery.
RETRY_EVERY_S = 1.0
TOO_SLOW = "too slow"


class Sink(Protocol):
    """The destination of lines; one thread writes to it at a time."""

    most_bytes: int

    def write(self, lines: bytes) -> None:
        """Append whole lines, all of them or none.

        Raises:
            OSError: they could not be written.
            ValueError: what takes them was closed.
        """
        ...

    def release(self) -> None:
        """Close what was opened; the next write opens it again."""
        ...


@dataclass(frozen=True, slots=True)
class WriterHealth:
    """The number of lines lost since the start, and the current error, if any."""

    lost_lines: int
    failure: str | None


# Makes the line that reports lost lines, from their number and the reason.
GapLine = Callable[[int, str], bytes]


class LineWriter:
    """Writes lines from any thread to one sink. Lines that cannot be written are counted and dropped."""

    def __init__(self, sink: Sink, gap_line: GapLine, capacity: int = MOST_WAITING) -> None:
        self._sink = sink
        self._gap_line = gap_line
        # Lines that the sink refused; the thread counts what did not fit into its queue.
        self._refused = self._unreported = 0
        self._failure: str | None = None
        # A signal handler may take it while the thread that it interrupts holds it.
        self._counting = threading.RLock()
        self._writer: WriterThread[bytes] = WriterThread(
            "log-writer",
            self._write,
            capacity=capacity,
            max_batch=capacity,
            collect_s=COLLECT_S,
            idle_s=lambda: RETRY_EVERY_S if self._failure else None,
            on_drop=lambda count: self._note_gap(count, TOO_SLOW),
            on_close=sink.release,
            after_fork=self._revive,
        )
        # Has a line written soon, with `is_urgent` at once, from any thread, and never blocks.
        self.put = self._writer.put

    @property
    def health(self) -> WriterHealth:
        """The current health; any thread may ask at any time."""
        return WriterHealth(self._refused + self._writer.dropped, self._failure)

    def flush(self, timeout_s: float = FLUSHED_WITHIN_S) -> bool:
        """Wait until all lines put before are written or lost; return whether that took less than `timeout_s`."""
        return self._writer.flush(timeout_s)

    def close(self) -> None:
        """Write what waits and end the thread. A later line starts another."""
        self._writer.close(FLUSHED_WITHIN_S)

    def _revive(self) -> None:
        self._counting = threading.RLock()
        self._sink.release()

    def _write(self, lines: list[bytes]) -> None:
        if not lines and self._failure:
            self._write_batch([])
        for batch in _batches(lines, self._sink.most_bytes):
            self._write_batch(batch)

    def _write_batch(self, lines: list[bytes]) -> None:
        unreported = self._unreported
        try:
            reported = [self._gap_line(unreported, self._failure or "")] if unreported else []
            self._sink.write(b"".join([*reported, *lines]))
        except Exception as error:  # noqa: BLE001 - a line about it would be lost too
            number = error.errno if isinstance(error, OSError) else None
            self._refused += len(lines)
            self._note_gap(len(lines), errorcode.get(number or 0, type(error).__name__))
        else:
            with self._counting:
                self._unreported -= unreported
                self._failure = self._failure if self._unreported else None

    def _note_gap(self, count: int, failure: str) -> None:
        with self._counting:
            self._unreported += count
            self._failure = failure


def _batches(lines: list[bytes], most_bytes: int) -> Iterator[list[bytes]]:
    """Yield the lines in batches of at most so many bytes; a line that is longer goes alone."""
    batch: list[bytes] = []
    size = 0
    for line in lines:
        if batch and size + len(line) > most_bytes:
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield batch
