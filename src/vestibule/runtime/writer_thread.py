"""A thread that writes what other threads put into its queue, in batches and in order.

The queue is bounded: a writer that stands still takes neither memory nor the time of those who put items. What does not
fit is dropped, counted and logged. A signal handler may put items while the thread that it interrupts does the same.
"""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar
from weakref import WeakSet

import structlog

CAPACITY = 10_000
MAX_BATCH = 1_000
CLOSE_TIMEOUT_S = 5.0

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class _Marker:
    """A place in the queue; `passed` is set when all items before it are written."""

    is_last: bool = False
    passed: threading.Event = field(default_factory=threading.Event)


def _wait_forever() -> None:
    """Return the timeout of a writer that has nothing to do while its queue is empty."""


def _nothing() -> None:
    """Do nothing."""


class WriterThread(Generic[Item]):
    """A named daemon thread, started by the first item. After `close`, or a fork, the next item starts another."""

    def __init__(
        self,
        name: str,
        write: Callable[[list[Item]], None],
        *,
        capacity: int = CAPACITY,
        max_batch: int = MAX_BATCH,
        collect_s: float = 0.0,
        idle_s: Callable[[], float | None] = _wait_forever,
        on_drop: Callable[[int], None] | None = None,
        on_close: Callable[[], None] = _nothing,
        after_fork: Callable[[], None] = _nothing,
    ) -> None:
        """Take the parts; `write` and `on_close` run in the thread, one at a time.

        `write` gets at most `max_batch` items, and none after `idle_s()` seconds without an item. An exception of it
        is logged and does not end the thread. With `collect_s`, an item waits that long for others. `on_drop` gets the
        number of items that were dropped, the first of a series at once; without it they are logged. `after_fork`
        is called in a forked child, which starts with an empty queue: the items are the parent's to write.
        """
        self._name = name
        self._write = write
        self._capacity = capacity
        self._max_batch = max_batch
        self._collect_s = collect_s
        self._idle_s = idle_s
        self._on_drop = on_drop or self._log_drop
        self._on_close = on_close
        self._after_fork = after_fork
        self._dropped = self._unreported = 0
        self._is_dropping = self._is_running = False
        self._thread: threading.Thread | None = None
        self._reset()
        _writers.add(self)

    @property
    def dropped(self) -> int:
        """The number of items that did not fit into the queue since the start."""
        return self._dropped

    def start(self) -> None:
        """Start the thread if it does not run, for a writer that has work while its queue is empty."""
        with self._starting:
            if self._is_running:
                return
            self._is_running = True
            thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            try:
                thread.start()
                self._thread = thread
            except RuntimeError:  # the interpreter exits and starts no more threads
                self._is_running = False
        if not self._is_running:
            self._write_rest()

    def put(self, item: Item, *, is_urgent: bool = False) -> bool:
        """Have `item` written, if urgent without waiting for others. Return False if the queue is full: it is dropped.

        Never blocks.
        """
        if self._queue.qsize() >= self._capacity:
            self._drop()
            return False
        self._queue.put(item)
        if is_urgent:
            self._wakeups.put(None)
        if not self._is_running:
            self.start()
        return True

    def flush(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """Wait until all items put before are written; return whether that took less than `timeout_s` seconds."""
        marker = _Marker()
        self._put_marker(marker)
        return marker.passed.wait(timeout_s)

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """Write what waits and end the thread; return whether that took less than `timeout_s` seconds."""
        with self._starting:
            thread, self._thread = self._thread, None
        if thread is None:
            return True
        self._put_marker(_Marker(is_last=True))
        thread.join(timeout_s)
        if thread.is_alive():
            _log().error("writer_close_timed_out", writer=self._name, waiting=self._queue.qsize())
        return not thread.is_alive()

    def revive(self) -> None:
        """Start over in a process that was just forked: the thread, its locks and its items are the parent's."""
        self._reset()
        self._after_fork()

    def _reset(self) -> None:
        self._queue: SimpleQueue[Item | _Marker] = SimpleQueue()
        self._wakeups: SimpleQueue[None] = SimpleQueue()
        # A signal handler may take them while the thread that it interrupts holds them.
        self._starting, self._counting = threading.RLock(), threading.RLock()
        self._writing = threading.Lock()
        self._thread = None
        self._is_running = False

    def _put_marker(self, marker: _Marker) -> None:
        self._queue.put(marker)
        self._wakeups.put(None)
        if not self._is_running:
            self.start()

    def _run(self) -> None:
        is_last = False
        while not is_last:
            batch = self._next_batch()
            is_last = any(isinstance(one, _Marker) and one.is_last for one in batch)
            if is_last:
                # From here on an item starts another thread; this one writes what was put until now.
                self._is_running = False
            self._write_batch(batch)
        self._write_rest()
        with self._writing:
            self._call(self._on_close, 0)

    def _next_batch(self) -> "list[Item | _Marker]":
        try:
            first = self._queue.get(timeout=self._idle_s())
        except Empty:
            return []
        if self._collect_s:
            with suppress(Empty):
                self._wakeups.get(timeout=self._collect_s)
            # The items of these wakeups are in the queue already.
            _take(self._wakeups, self._wakeups.qsize())
        return [first, *_take(self._queue, self._max_batch - 1)]

    def _write_rest(self) -> None:
        while batch := _take(self._queue, self._max_batch):
            self._write_batch(batch)

    def _write_batch(self, batch: "list[Item | _Marker]") -> None:
        items = [one for one in batch if not isinstance(one, _Marker)]
        with self._writing:
            if self._is_dropping:
                self._report_drops()
            self._call(lambda: self._write(items), len(items))
        for one in batch:
            if isinstance(one, _Marker):
                one.passed.set()

    def _call(self, call: Callable[[], None], items: int) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - if this thread ended, all later items would wait for ever
            _log().error("writer_failed", writer=self._name, error=type(error).__name__, items=items, exc_info=error)

    def _drop(self) -> None:
        with self._counting:
            self._dropped += 1
            is_first, self._is_dropping = not self._is_dropping, True
            self._unreported += 0 if is_first else 1
        if is_first:
            self._on_drop(1)

    def _report_drops(self) -> None:
        with self._counting:
            count, self._unreported, self._is_dropping = self._unreported, 0, False
        if count:
            self._on_drop(count)

    def _log_drop(self, count: int) -> None:
        _log().error("writer_queue_full", writer=self._name, dropped=count)


Taken = TypeVar("Taken")


def _take(queue: "SimpleQueue[Taken]", most: int) -> list[Taken]:
    taken: list[Taken] = []
    with suppress(Empty):
        while len(taken) < most:
            taken.append(queue.get_nowait())
    return taken


def _log() -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.get_logger("vestibule.writer")
    return logger


_writers: "WeakSet[WriterThread[Any]]" = WeakSet()


def _revive_writers() -> None:
    for writer in list(_writers):
        writer.revive()


os.register_at_fork(after_in_child=_revive_writers)
