"""A writer thread writes batches in order, survives errors, never blocks a caller, and says what it drops."""

import os
import threading
from collections.abc import Iterator

import pytest
import structlog

from vestibule.runtime.writer_thread import WriterThread


class Sink:
    """Keeps the batches that it gets; it fails or hangs while it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.error: Exception | None = None
        self.continues = threading.Event()
        self.continues.set()
        self.entered = threading.Event()
        self.closed = 0

    def write(self, items: list[int]) -> None:
        self.entered.set()
        assert self.continues.wait(60)
        if self.error is not None:
            raise self.error
        self.batches.append(items)

    def close(self) -> None:
        self.closed += 1

    @property
    def items(self) -> list[int]:
        return [item for batch in self.batches for item in batch]


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A sink, which continues at the end."""
    sink = Sink()
    yield sink
    sink.continues.set()


def _hang(sink: Sink, writer: WriterThread[int]) -> None:
    """Have the writer take the item 0 and stand still with it."""
    sink.continues.clear()
    sink.entered.clear()
    writer.put(0)
    assert sink.entered.wait(60)


def test_waiting_items_are_written_in_order_and_in_batches(sink: Sink) -> None:
    """What waits is one batch, up to its limit; threads that put at once lose nothing."""
    writer: WriterThread[int] = WriterThread("test", sink.write, max_batch=4)
    _hang(sink, writer)
    for number in range(1, 11):
        assert writer.put(number)
    sink.continues.set()
    assert writer.close(60)
    assert [[0], [1, 2, 3, 4], [5, 6, 7, 8], [9, 10]] == [batch for batch in sink.batches if batch]
    threads = [threading.Thread(target=lambda: [writer.put(n) for n in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.flush(60)
    assert sorted([*range(11), *(4 * list(range(500)))]) == sorted(sink.items)


def test_a_full_queue_drops_and_logs_every_item(sink: Sink) -> None:
    """The first of a series is logged at once, the rest when the writer continues; the sum is exact."""
    writer: WriterThread[int] = WriterThread("test", sink.write, capacity=3)
    with structlog.testing.capture_logs() as lines:
        _hang(sink, writer)
        assert [True] * 3 + [False] * 5 == [writer.put(number) for number in range(1, 9)]
        assert [1] == [line["dropped"] for line in lines if line["event"] == "writer_queue_full"]
        sink.continues.set()
        assert writer.flush(60)
        _hang(sink, writer)
        assert [True] * 3 + [False] == [writer.put(number) for number in range(1, 5)]
        sink.continues.set()
        assert writer.close(60)
    reported = [(line["writer"], line["dropped"]) for line in lines if line["event"] == "writer_queue_full"]
    assert [("test", 1), ("test", 4), ("test", 1)] == reported
    assert (6, [0, 1, 2, 3, 0, 1, 2, 3]) == (writer.dropped, sink.items)


def test_an_exception_is_logged_and_does_not_end_the_thread(sink: Sink) -> None:
    """The items of the failed call are lost; the next are written, and `flush` returns."""
    writer: WriterThread[int] = WriterThread("test", sink.write)
    sink.error = ValueError("a defect")
    with structlog.testing.capture_logs() as lines:
        writer.put(1)
        assert writer.flush(60)
        sink.error = None
        writer.put(2)
        assert writer.close(60)
    failures = [(line["writer"], line["error"], line["items"]) for line in lines if line["event"] == "writer_failed"]
    assert ([("test", "ValueError", 1)], [2]) == (failures[:1], sink.items)


def test_a_writer_that_hangs_ends_neither_flush_nor_close_late(sink: Sink) -> None:
    """Both say that the deadline passed, and `close` logs what still waits."""
    writer: WriterThread[int] = WriterThread("test", sink.write)
    _hang(sink, writer)
    writer.put(1)
    assert not writer.flush(0.01)
    with structlog.testing.capture_logs() as lines:
        assert not writer.close(0.01)
    assert ["writer_close_timed_out"] == [line["event"] for line in lines]
    sink.continues.set()
    assert writer.flush(60)
    assert [0, 1] == sink.items


def test_after_close_an_item_starts_another_thread(sink: Sink) -> None:
    """Nothing is lost at the end; each thread closes what it opened."""
    writer: WriterThread[int] = WriterThread("test", sink.write, on_close=sink.close)
    assert writer.close(60)
    for number in range(3):
        writer.put(number)
        assert writer.close(60)
    assert ([0, 1, 2], 3) == (sink.items, sink.closed)


def test_without_items_the_writer_is_called_after_the_idle_time() -> None:
    """So it can retry, or do what is due."""
    called = threading.Event()

    def write(items: list[int]) -> None:
        if not items:
            called.set()

    writer: WriterThread[int] = WriterThread("test", write, idle_s=lambda: 0.01)
    writer.put(1)
    assert called.wait(60)
    assert writer.close(60)


def test_an_urgent_item_does_not_wait_for_others(sink: Sink) -> None:
    """It takes along what came before it."""
    writer: WriterThread[int] = WriterThread("test", sink.write, collect_s=1_000)
    writer.put(1)
    writer.put(2, is_urgent=True)
    assert sink.entered.wait(60)
    assert writer.close(60)
    assert [[1, 2]] == [batch for batch in sink.batches if batch]


def test_a_forked_process_starts_with_an_empty_queue(sink: Sink) -> None:
    """The child writes its own items, and the parent's are written once, by the parent."""
    forked: list[int] = []
    writer: WriterThread[int] = WriterThread("test", sink.write, after_fork=lambda: forked.append(1))
    _hang(sink, writer)
    writer.put(1)
    child = os.fork()
    if child == 0:
        sink.continues = threading.Event()
        sink.continues.set()
        writer.put(7)
        os._exit(0 if writer.flush(60) and (sink.items, forked) == ([7], [1]) else 1)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    sink.continues.set()
    assert writer.close(60)
    assert ([0, 1], []) == (sink.items, forked)
