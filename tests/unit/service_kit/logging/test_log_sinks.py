"""The log file: whole lines only, rotated by size and age, kept as long as is asked, never in anybody's way."""

import fcntl
import os
import pty
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from vestibule.service_kit.logging.log_line import encode_line
from vestibule.service_kit.logging.log_sinks import LogFile, LogStream, RotationRules, rotated_files

HOUR_S, DAY_S = 3600, 86_400
RULES = RotationRules(max_bytes=100, every_s=DAY_S, backups=3, keep_days=10)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log is."""
    return tmp_path / "logs" / "app.log"


def _age(path: Path, seconds: float) -> None:
    time = path.stat().st_mtime - seconds
    os.utime(path, (time, time))


def _contents(path: Path) -> list[bytes]:
    return [file.read_bytes() for file in [*rotated_files(path), path]]


def test_a_full_file_gives_way_to_the_next(path: Path) -> None:
    """A batch that does not fit goes into a new file: nothing is lost, none is larger than asked, all are private."""
    file = LogFile(path, RULES)
    for number in range(7):
        file.write(b"%039d\n" % number)
    assert b"".join(b"%039d\n" % number for number in range(7)) == b"".join(_contents(path))
    assert [80, 80, 80, 40] == [len(content) for content in _contents(path)]
    assert {0o600} == {other.stat().st_mode & 0o777 for other in path.parent.iterdir()}


def test_an_old_file_gives_way_to_the_next(path: Path) -> None:
    """What was last written to on an earlier day is rotated by the first line of the next."""
    file = LogFile(path, RULES)
    file.write(b"one\n")
    file.write(b"two\n")
    _age(path, DAY_S)
    file.write(b"three\n")
    assert [b"one\ntwo\n", b"three\n"] == _contents(path)


@pytest.mark.parametrize(
    ("modified_at", "now", "every_s", "is_due"),
    [
        (DAY_S - 1, DAY_S, DAY_S, True),
        (0, DAY_S - 1, DAY_S, False),
        (DAY_S, DAY_S - 1, DAY_S, False),
        (HOUR_S, 3 * HOUR_S, HOUR_S, True),
        (0, 100 * DAY_S, 0, False),
    ],
    ids=["a new day", "the same day", "the clock went back", "hours", "never"],
)
def test_age_counts_in_whole_periods(modified_at: float, now: float, every_s: float, is_due: bool) -> None:
    """Days end at midnight UTC; a clock that goes back rotates nothing."""
    rules = RotationRules(max_bytes=100, every_s=every_s, backups=3, keep_days=0)
    assert is_due == rules.is_due(10, modified_at, now, 10)


def test_an_empty_file_is_never_rotated() -> None:
    """A line that is longer than a file may be has one of its own."""
    assert not RULES.is_due(0, 0, 10 * DAY_S, 1_000)


def test_too_many_files_are_removed_the_oldest_first(path: Path) -> None:
    """As many are kept as the settings say, those of other programs' making counted and other files left alone."""
    path.parent.mkdir()
    for name in ("app.log.1", "app.log.old", "app.logbook", "redis.log"):
        (path.parent / name).write_bytes(b"other\n")
    _age(path.parent / "app.log.1", HOUR_S)
    file = LogFile(path, RULES)
    for number in range(12):
        file.write(b"%059d\n" % number)
    assert [b"%059d\n" % number for number in (8, 9, 10, 11)] == _contents(path)
    assert {"app.log.old", "app.logbook", "redis.log"} <= {other.name for other in path.parent.iterdir()}


def test_files_that_are_too_old_are_removed(path: Path) -> None:
    """At a rotation, and when a process opens the log."""
    file = LogFile(path, RULES)
    for number in range(3):
        file.write(b"%059d\n" % number)
    oldest, other = rotated_files(path)
    _age(oldest, 11 * DAY_S)
    file.write(b"%059d\n" % 3)
    assert oldest not in rotated_files(path)
    _age(other, 11 * DAY_S)
    LogFile(path, RULES).open()
    assert other not in rotated_files(path)


def test_what_another_process_rotated_is_followed(path: Path) -> None:
    """Lines go into the file that has the name now, wherever the one we had has gone; even with its whole folder."""
    file = LogFile(path, RULES)
    file.write(b"one\n")
    path.rename(path.with_name("app.log.7"))
    file.write(b"two\n")
    assert b"two\n" == path.read_bytes()
    path.parent.rename(path.parent.with_name("elsewhere"))
    file.write(b"three\n")
    assert b"three\n" == path.read_bytes()


def test_a_torn_line_is_taken_away(path: Path) -> None:
    """What a process left that was killed while it wrote stands in nobody's way."""
    file = LogFile(path, RULES)
    file.write(b"one\n")
    with path.open("ab") as torn:
        torn.write(b'{"timestamp":"20')
    file.write(b"two\n")
    assert b"one\ntwo\n" == path.read_bytes()
    path.write_bytes(b"nothing whole")
    file.write(b"three\n")
    assert b"three\n" == path.read_bytes()


@pytest.fixture
def file_size_limit() -> Iterator[Callable[[int], None]]:
    """Lets files grow up to a size only, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_batch_that_does_not_fit_on_the_disk_leaves_nothing(path: Path, file_size_limit: Any) -> None:
    """It is in the file as a whole or not at all; when there is room again, writing goes on."""
    file = LogFile(path, RULES)
    file.write(b"one\n")
    file_size_limit(10)
    with pytest.raises(OSError, match="too large"):
        file.write(b"x" * 5 + b"\n" + b"y" * 5 + b"\n")
    assert b"one\n" == path.read_bytes()
    file.write(b"two\n")
    assert b"one\ntwo\n" == path.read_bytes()


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    """Nobody can have the log written into another file."""
    path.parent.mkdir()
    (tmp_path / "victim").write_bytes(b"untouched")
    path.symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic link"):
        LogFile(path, RULES).write(b"one\n")
    assert b"untouched" == (tmp_path / "victim").read_bytes()


def test_who_is_frozen_with_the_lock_stops_nobody(path: Path) -> None:
    """After a second lines are written without it; only rotation waits."""
    file = LogFile(path, RULES)
    file.write(b"x" * 95 + b"\n")
    with path.with_name(".app.log.lock").open("rb") as frozen:
        fcntl.flock(frozen, fcntl.LOCK_EX)
        file.write(b"y" * 95 + b"\n")
    assert 192 == path.stat().st_size
    file.write(b"z\n")
    assert [192, 2] == [len(content) for content in _contents(path)]


def test_a_full_file_that_cannot_be_renamed_grows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is better than lines that are lost."""
    file = LogFile(path, RULES)
    file.write(b"x" * 95 + b"\n")

    def refuse(*_paths: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    file.write(b"y" * 95 + b"\n")
    assert 192 == path.stat().st_size


def test_a_terminal_shows_the_lines_of_a_level_and_above() -> None:
    """Warnings and errors where `vestibule up` says so; a level that is none hides nothing."""
    lines = b"".join(
        encode_line({"timestamp": "t", "level": level, "service": "s", "event": f"{level}-event"})
        for level in ("debug", "info", "warning", "error")
    )
    shown = {}
    for least in ("warning", "", "loud"):
        reader, terminal = pty.openpty()
        with os.fdopen(terminal, "w") as stream:
            LogStream(stream, has_colour=False, least_level=least).write(lines)
            shown[least] = [line.split()[3] for line in os.read(reader, 10_000).decode().splitlines()]
        os.close(reader)
    everything = ["debug-event", "info-event", "warning-event", "error-event"]
    assert {"warning": everything[2:], "": everything, "loud": everything} == shown
