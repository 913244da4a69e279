"""Writes log lines in batches in a separate thread, so that logging never blocks.

A line waits a few hundredths of a second for others. The queue is one that a signal handler may put into while the
thread that it interrupts does the same.
"""

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from errno import errorcode
from queue import Empty, SimpleQueue
from typing import Protocol

COLLECT_S = 0.05
# At most this many lines wait for a slow disk: no request waits for it, and memory is bounded.
MOST_WAITING = 20_000
FLUSHED_WITHIN_S = 2.0
# After a failure the write is retried this often, even if nothing is logged, so that recovery is noticed.
RETRY_EVERY_S = 1.0
TOO_SLOW = "too slow"


class Sink(Protocol):
    """The destination of lines; one thread writes to it at a time."""

    most_bytes: int

    def write(self, lines: bytes) -> None:
        """Append whole lines, all of them or none.

        Raises:
            OSError: they could not be written.
            ValueError: the stream was closed.
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


# Makes the line that reports lost lines, from their count and the reason.
GapLine = Callable[[int, str], bytes]
# An event is set when what was put before it is written; None ends the thread.
_Waiting = bytes | threading.Event | None


class LineWriter:
    """Writes lines from any thread to one sink. Lines that cannot be written are counted and dropped."""

    def __init__(self, sink: Sink, gap_line: GapLine) -> None:
        self._sink = sink
        self._gap_line = gap_line
        self._lost = self._unreported = 0
        self._failure: str | None = None
        self._reset()
        _revive_after_fork(self)

    @property
    def health(self) -> WriterHealth:
        """The current state; any thread may ask for it."""
        return WriterHealth(self._lost, self._failure)

    def put(self, line: bytes, *, is_urgent: bool = False) -> None:
        """Write `line` soon, or at once if it is urgent."""
        if self._lines.qsize() >= MOST_WAITING:
            self._lose(1, TOO_SLOW)
            return
        self._lines.put(line)
        if is_urgent:
            self._wakeups.put(None)
        if not self._is_running:
            self._start()

    def flush(self, timeout_s: float = FLUSHED_WITHIN_S) -> bool:
        """Wait until all that was put before is written, or was lost; say whether that took less than the timeout."""
        is_written = threading.Event()
        self._lines.put(is_written)
        self._wakeups.put(None)
        if not self._is_running:
            self._start()
        return is_written.wait(timeout_s)

    def close(self) -> None:
        """Flush, and end the thread. A line that comes later begins another."""
        if self.flush():
            self._lines.put(None)
            self._wakeups.put(None)

    def revive(self) -> None:
        """Be the writer of a process that was just forked: the thread, its locks and its lines are the parent's."""
        self._reset()
        self._sink.release()

    def _reset(self) -> None:
        self._lines: SimpleQueue[_Waiting] = SimpleQueue()
        self._wakeups: SimpleQueue[None] = SimpleQueue()
        # Those of a thread that a signal interrupts must not stop the handler of the signal.
        self._starting, self._counting = threading.RLock(), threading.RLock()
        self._writing = threading.Lock()
        self._is_running = False

    def _start(self) -> None:
        with self._starting:
            if self._is_running:
                return
            self._is_running = True
            try:
                threading.Thread(target=self._run, name="log-writer", daemon=True).start()
            except RuntimeError:  # the interpreter is about to end, and starts no more threads
                self._is_running = False
        if not self._is_running:
            self._write(_taken(self._lines))

    def _run(self) -> None:
        is_closing = False
        while not is_closing:
            try:
                first = self._lines.get(timeout=RETRY_EVERY_S if self._failure else None)
            except Empty:
                self._retry()
                continue
            if first is not None:
                with suppress(Empty):
                    self._wakeups.get(timeout=COLLECT_S)
            waiting = [first, *_taken(self._lines)]
            is_closing = None in waiting
            if is_closing:
                # From here on who puts a line begins another thread; this one takes what was put until now.
                self._is_running = False
                waiting += _taken(self._lines)
            self._write(waiting)
        with self._writing:
            self._sink.release()

    def _retry(self) -> None:
        with self._writing:
            self._write_batch([])

    def _write(self, waiting: list[_Waiting]) -> None:
        with self._writing:
            for batch in _batches([line for line in waiting if isinstance(line, bytes)], self._sink.most_bytes):
                self._write_batch(batch)
        for one in waiting:
            if isinstance(one, threading.Event):
                one.set()

    def _write_batch(self, lines: list[bytes]) -> None:
        unreported = self._unreported
        try:
            reported = [self._gap_line(unreported, self._failure or "")] if unreported else []
            self._sink.write(b"".join([*reported, *lines]))
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread goes on
            number = error.errno if isinstance(error, OSError) else None
            self._lose(len(lines), errorcode.get(number or 0, type(error).__name__))
        else:
            with self._counting:
                self._unreported -= unreported
                self._failure = self._failure if self._unreported else None

    def _lose(self, count: int, failure: str) -> None:
        with self._counting:
            self._lost += count
            self._unreported += count
            self._failure = failure


def _revive_after_fork(writer: LineWriter) -> None:
    # What is registered stays for good, and must not keep the writer.
    reference = weakref.ref(writer)

    def revive() -> None:
        forked = reference()
        if forked is not None:
            forked.revive()

    os.register_at_fork(after_in_child=revive)


def _taken(lines: "SimpleQueue[_Waiting]") -> list[_Waiting]:
    taken: list[_Waiting] = []
    with suppress(Empty):
        while len(taken) < MOST_WAITING:
            taken.append(lines.get_nowait())
    return taken


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
