"""Lines are written in batches by a thread; whoever logs is never held up, and what is lost is counted."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from vestibule.service_kit.logging import log_writer
from vestibule.service_kit.logging.log_sinks import LogFile, RotationRules
from vestibule.service_kit.logging.log_writer import LineWriter


class Paper:
    """A sink that keeps what it gets, and fails or stands still while it is told to."""

    most_bytes = 100

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.error: Exception | None = None
        self.goes_on = threading.Event()
        self.goes_on.set()

    def write(self, lines: bytes) -> None:
        self.goes_on.wait()
        if self.error is not None:
            raise self.error
        self.written.append(lines)

    def release(self) -> None:
        pass


def _gap(lines: int, reason: str) -> bytes:
    return f"lost {lines}: {reason}\n".encode()


@pytest.fixture
def paper() -> Paper:
    """A sink."""
    return Paper()


@pytest.fixture
def writer(paper: Paper) -> Any:
    """Its writer."""
    writer = LineWriter(paper, _gap)
    yield writer
    paper.goes_on.set()
    writer.close()


def test_lines_are_written_in_order_and_in_batches(paper: Paper, writer: LineWriter) -> None:
    """Lines that come soon after each other are written together, as far as the sink takes them at once."""
    for number in range(50):
        writer.put(b"%08d\n" % number)
    assert writer.flush()
    assert b"".join(b"%08d\n" % number for number in range(50)) == b"".join(paper.written)
    assert len(paper.written) < 10
    assert max(map(len, paper.written)) <= 100


def test_a_line_that_is_longer_than_a_batch_goes_alone(paper: Paper, writer: LineWriter) -> None:
    """It is not cut."""
    writer.put(b"short\n")
    writer.put(b"x" * 200 + b"\n")
    writer.flush()
    assert b"x" * 200 + b"\n" in paper.written


def test_an_urgent_line_waits_for_no_others(paper: Paper, wait_until: Any, monkeypatch: Any) -> None:
    """An error is written at once, with what came before it."""
    monkeypatch.setattr(log_writer, "COLLECT_S", 1_000)
    writer = LineWriter(paper, _gap)
    writer.put(b"first\n")
    writer.put(b"error\n", is_urgent=True)
    wait_until(lambda: [b"first\nerror\n"] == paper.written, what="the urgent line")


def test_lines_come_whoever_puts_them(paper: Paper, writer: LineWriter) -> None:
    """Several threads put lines at once, and none is lost."""
    threads = [
        threading.Thread(target=lambda n=n: [writer.put(b"%d %d\n" % (n, m)) for m in range(500)]) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.flush()
    expected = sorted(b"%d %d" % (n, m) for n in range(4) for m in range(500))
    assert expected == sorted(b"".join(paper.written).splitlines())


def test_what_is_lost_is_counted_and_told(paper: Paper, writer: LineWriter) -> None:
    """The lines of a failed write are counted; the next that succeeds begins with how many they were, once."""
    paper.error = OSError(28, "No space left on device")
    for _ in range(3):
        writer.put(b"lost\n")
        writer.flush()
    assert (3, "ENOSPC") == (writer.health.lost_lines, writer.health.failure)
    paper.error = None
    for _ in range(2):
        writer.put(b"kept\n")
        writer.flush()
    assert [b"lost 3: ENOSPC\nkept\n", b"kept\n"] == paper.written
    assert (3, None) == (writer.health.lost_lines, writer.health.failure)


def test_a_sink_that_stands_still_holds_nobody_up(paper: Paper) -> None:
    """Memory is bounded: beyond so many lines the rest is counted and dropped."""
    writer = LineWriter(paper, _gap, capacity=10)
    paper.goes_on.clear()
    for number in range(40):
        writer.put(b"%d\n" % number)
    assert not writer.flush(timeout_s=0.01)
    assert 19 <= writer.health.lost_lines <= 30
    assert "too slow" == writer.health.failure
    paper.goes_on.set()
    assert writer.flush()
    assert 40 == writer.health.lost_lines + b"".join(paper.written).count(b"\n") - sum(
        batch.count(b"lost") for batch in paper.written
    )


def test_after_the_end_a_line_is_written_all_the_same(paper: Paper, writer: LineWriter) -> None:
    """What is logged while a process ends is not lost."""
    for number in range(3):
        writer.put(b"%d\n" % number)
        writer.close()
    assert [b"0\n", b"1\n", b"2\n"] == paper.written


def test_a_forked_process_writes_its_own_lines(tmp_path: Path) -> None:
    """It neither writes the parent's lines again nor waits for the parent's thread."""
    path = tmp_path / "app.log"
    writer = LineWriter(LogFile(path, RotationRules(10_000, 0, 1, 0)), _gap)
    writer.put(b"parent, before\n")
    child = os.fork()
    if child == 0:
        writer.put(b"child\n")
        os._exit(0 if writer.flush(60) else 1)
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    writer.put(b"parent, after\n")
    writer.close()
    assert [b"child", b"parent, after", b"parent, before"] == sorted(path.read_bytes().splitlines())
