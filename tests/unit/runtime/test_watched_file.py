"""A watched file follows every change, reads nothing twice, and keeps its content through a broken change."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from vestibule.runtime.files import WatchedFile


class Numbers:
    """Reads a number from a file; counts reads, keeps reported errors, and has a clock that only tests move."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.write_text("1")
        self.now = 0.0
        self.reads = 0
        self.reported: list[str] = []

    def watch(self, **options: Any) -> WatchedFile[int]:
        """Return the watched file."""
        return WatchedFile(
            self.path, self.read, broken=ValueError, on_broken=self._report, clock=lambda: self.now, **options
        )

    def read(self, path: Path) -> int:
        """Return the number in the file.

        Raises:
            ValueError: there is none.
        """
        self.reads += 1
        try:
            return int(path.read_text())
        except OSError:
            raise ValueError("no file") from None

    def _report(self, error: Exception) -> None:
        self.reported.append(str(error))


@pytest.fixture
def numbers(tmp_path: Path) -> Numbers:
    """A file with the number 1."""
    return Numbers(tmp_path / "number")


def test_a_change_counts_after_a_second(numbers: Numbers) -> None:
    """Before that the file is not checked; without a change it is not read again."""
    watched = numbers.watch()
    numbers.path.write_text("22")
    numbers.now = 0.99
    assert (1, 1) == (watched.current(), numbers.reads)
    for numbers.now in (1.0, 2.0, 3.0):
        assert 22 == watched.current()
    assert 2 == numbers.reads


def test_a_reload_does_not_wait(numbers: Numbers) -> None:
    """It checks at once, and the next regular check is a second later."""
    watched = numbers.watch()
    numbers.path.write_text("22")
    assert 22 == watched.reload()
    numbers.path.write_text("333")
    numbers.now = 0.5
    assert 22 == watched.current()


@pytest.mark.parametrize("broken", ["", "x", None])
def test_a_broken_change_is_reported_once(numbers: Numbers, broken: str | None) -> None:
    """The content stays until the file is good again; the next breakage is reported too."""
    watched = numbers.watch()
    for round_number in (1, 2):
        if broken is None:
            numbers.path.unlink()
        else:
            numbers.path.write_text(broken)
        assert [round_number] * 2 == [watched.reload(), watched.reload()]
        assert round_number == len(numbers.reported)
        numbers.path.write_text(str(round_number + 1))
        assert round_number + 1 == watched.reload()


def test_an_error_of_another_type_is_raised(numbers: Numbers) -> None:
    """It is a bug, and not reported as a broken file; the content stays."""
    watched = WatchedFile(numbers.path, numbers.read, broken=KeyError, on_broken=lambda _: None)
    numbers.path.write_text("x")
    with pytest.raises(ValueError, match="invalid literal"):
        watched.reload()
    numbers.path.write_text("22")
    assert 22 == watched.reload()


def test_a_broken_file_is_refused_at_first(numbers: Numbers) -> None:
    """There is no good content to keep, unless an initial one is given: that counts until the file is good."""
    numbers.path.write_text("x")
    with pytest.raises(ValueError, match="invalid literal"):
        numbers.watch()
    watched = numbers.watch(initial=0)
    assert [] == numbers.reported
    assert 0 == watched.current()
    assert 1 == len(numbers.reported)
    numbers.path.write_text("22")
    assert 22 == watched.reload()


def test_an_initial_content_is_replaced_by_the_first_check(numbers: Numbers) -> None:
    """The file is not read before it is used."""
    watched = numbers.watch(initial=0)
    assert 0 == numbers.reads
    assert 1 == watched.current()


def test_a_missing_file_can_have_a_content(numbers: Numbers) -> None:
    """It replaces the judgement of the reader, at first and later."""
    numbers.path.unlink()
    watched = numbers.watch(when_missing=lambda: -1)
    assert -1 == watched.current()
    numbers.path.write_text("22")
    assert 22 == watched.reload()
    numbers.path.unlink()
    assert (-1, []) == (watched.reload(), numbers.reported)


def test_a_file_that_is_written_in_place_is_read_again(numbers: Numbers) -> None:
    """The clock of a file system is coarse: the empty file and the full one may have one time of change."""
    watched = numbers.watch()
    for content, expected in (("", 1), ("22", 22)):
        numbers.path.write_text(content)
        os.utime(numbers.path, ns=(10**18, 10**18))
        assert expected == watched.reload()


def test_a_replaced_file_is_another_file(numbers: Numbers) -> None:
    """Size and time of change may be equal; the inode is not."""
    watched = numbers.watch()
    status = numbers.path.stat()
    other = numbers.path.with_suffix(".new")
    other.write_text("2")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(numbers.path)
    assert 2 == watched.reload()


def test_a_change_that_must_settle_counts_when_it_looks_the_same_twice(numbers: Numbers) -> None:
    """While an editor writes the file in steps, no step is read."""
    watched = numbers.watch(must_settle=True)
    for content in ("x", "22", "333"):
        numbers.path.write_text(content)
        assert 1 == watched.reload()
    assert (333, 2, []) == (watched.reload(), numbers.reads, numbers.reported)


def test_a_thread_that_was_overtaken_does_not_bring_old_content_back(numbers: Numbers) -> None:
    """A slow read of an earlier state ends after a read of the latest; the next check finds the latest again."""
    has_read, may_return = threading.Event(), threading.Event()

    def read_slowly(path: Path) -> int:
        number = numbers.read(path)
        if number == 22:
            has_read.set()
            assert may_return.wait(10)
        return number

    watched = WatchedFile(numbers.path, read_slowly, broken=ValueError, on_broken=lambda _: None)
    numbers.path.write_text("22")
    slow = threading.Thread(target=watched.reload)
    slow.start()
    assert has_read.wait(10)
    numbers.path.write_text("333")
    assert 333 == watched.reload()
    may_return.set()
    slow.join()
    assert 333 == watched.reload()


@pytest.mark.parametrize(("content", "known", "reported"), [("22", 22, []), ("two and more", 1, 1)])
def test_a_large_file_is_read_in_a_thread(numbers: Numbers, content: str, known: int, reported: object) -> None:
    """Its previous content stays until then, and whoever asks does not wait; a broken one is reported."""
    may_return = threading.Event()
    read = numbers.read

    def read_slowly(path: Path) -> int:
        assert may_return.wait(10)
        return read(path)

    numbers.read = read_slowly  # type: ignore[method-assign]
    watched = numbers.watch(large_bytes=1, initial=0)
    may_return.set()
    # The first time there is nothing to go on with.
    assert 1 == watched.current()
    may_return.clear()
    numbers.path.write_text(content)
    assert [1, 1] == [watched.reload(), watched.reload()]
    assert watched._loading is not None
    may_return.set()
    watched._loading.join(10)
    assert (known, 2) == (watched.reload(), numbers.reads)
    assert reported == (len(numbers.reported) or [])
