"""`vestibule logs`: the lines of all parts, by time, over rotations, as they are and as they come."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from vestibule.cli.log_tail import LogTail, Wanted
from vestibule.cli.main import app
from vestibule.service_kit.logging.log_line import encode_line
from vestibule.service_kit.logging.log_sinks import LogFile, RotationRules, rotated_files

RULES = RotationRules(max_bytes=3_000, every_s=0, backups=1_000, keep_days=0)
Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Appends lines to a log that is rotated often."""
    file = LogFile(tmp_path / "logs" / "app.log", RULES)
    start = datetime.now(UTC) - timedelta(hours=1)

    def write(*numbers: int, **fields: Any) -> None:
        for number in numbers:
            event = {"timestamp": start + timedelta(seconds=number), "level": "info", "service": "client"}
            file.write(encode_line({**event, "event": "line", "number": number, **fields}))

    return write


@pytest.fixture
def logs(tmp_path: Path) -> Callable[..., Result]:
    """Runs `vestibule logs` on that log."""

    def run(*options: str) -> Result:
        return CliRunner().invoke(app, ["logs", "--data-dir", str(tmp_path), *options])

    return run


def _numbers(result: Result) -> list[int]:
    assert 0 == result.exit_code, result.output
    return [json.loads(line)["number"] for line in result.stdout.splitlines()]


def test_the_last_lines_are_shown_from_however_many_files(write: Write, logs: Any, tmp_path: Path) -> None:
    """A hundred without being asked, or as many as asked, the newest at the end."""
    write(*range(300))
    assert len(rotated_files(tmp_path / "logs" / "app.log")) > 5
    assert list(range(200, 300)) == _numbers(logs("--json"))
    assert list(range(293, 300)) == _numbers(logs("--json", "--lines", "7"))
    assert list(range(300)) == _numbers(logs("--json", "-n", "9999"))
    assert [] == _numbers(logs("--json", "-n", "0"))


def test_one_request_is_followed_through_all_parts(write: Write, logs: Any) -> None:
    """All of its lines, in the order of time, and nobody else's."""
    write(*range(50))
    write(52, request_id="the-id", service="worker1", event="task_succeeded")
    write(51, request_id="the-id")
    write(*range(60, 200), request_id="the-id-of-another")
    assert [51, 52] == _numbers(logs("--json", "--request", "the-id"))
    shown = logs("--request", "the-id").stdout.splitlines()
    assert re.fullmatch(
        r"[-0-9]{10} [:0-9]{8}\.\d{3} info    worker1        task_succeeded number=52 request_id=the-id", shown[1]
    )


def test_a_request_that_nothing_is_known_of_is_a_failure(write: Write, logs: Any) -> None:
    """Who mistypes an id hears of it."""
    write(1)
    result = logs("--request", "no-such-\x1bid")
    assert 1 == result.exit_code
    assert "no line of the request 'no-such-\\x1bid'" in result.stderr


def test_lines_are_chosen_by_level_part_and_time(write: Write, logs: Any) -> None:
    """A level means it and what is worse; a time is one ago or one in UTC."""
    for number, level in enumerate(("debug", "info", "warning", "error", "critical")):
        write(number, level=level)
    write(10, service="database")
    write(3500)
    assert [2, 3, 4] == _numbers(logs("--json", "--level", "warning"))
    assert [10] == _numbers(logs("--json", "--service", "database"))
    assert [3500] == _numbers(logs("--json", "--since", "10m"))
    assert [3500] == _numbers(logs("--json", "--since", (datetime.now(UTC) - timedelta(minutes=10)).isoformat()))
    assert 7 == len(_numbers(logs("--json", "--since", "2d")))
    assert 2 == logs("--since", "yesterday").exit_code


def test_what_is_no_line_of_ours_is_passed_over_and_does_no_harm(write: Write, logs: Any, tmp_path: Path) -> None:
    """Torn and strange lines are left out; what a terminal would obey is shown as words."""
    write(1)
    with (tmp_path / "logs" / "app.log").open("ab") as log:
        log.write(b'torn\n[]\n\n{"event": "\xc2\x9b31mred \xe2\x80\xae", "number": 2}\n{"number": 3')
    assert [2, 1] == _numbers(logs("--json"))
    shown = logs().stdout
    assert "\\x9b31mred \\u202e" in shown
    assert not re.search("[\x80-\x9f\u202e]", shown + logs("--json").stdout)


def test_no_log_is_said(logs: Any) -> None:
    """Who is in the wrong directory hears of it."""
    result = logs()
    assert (1, "") == (result.exit_code, result.stdout)
    assert "there is no log" in result.stderr


def test_following_loses_and_doubles_nothing_while_the_log_is_rotated(write: Write, tmp_path: Path) -> None:
    """However many rotations lie between two looks, each line comes once and in order."""
    write(*range(100))
    tail = LogTail(tmp_path / "logs" / "app.log", Wanted())
    assert list(range(90, 100)) == [fields["number"] for fields in tail.last(10)]
    writing = threading.Thread(target=lambda: write(*range(100, 3_000)))
    writing.start()
    followed = [fields["number"] for fields in islice(tail.follow(), 2_900)]
    writing.join()
    assert list(range(100, 3_000)) == followed
    assert len(rotated_files(tmp_path / "logs" / "app.log")) > 50


def test_following_begins_before_there_is_a_log(tmp_path: Path, write: Write) -> None:
    """Its first line is shown; a line that is half written is shown when it is whole."""
    tail = LogTail(tmp_path / "logs" / "app.log", Wanted())
    assert [] == list(tail.kept())
    write(0)
    following = tail.follow()
    assert 0 == next(following)["number"]
    with (tmp_path / "logs" / "app.log").open("ab", buffering=0) as log:
        log.write(b'{"number"')
        halves = threading.Timer(0.5, lambda: log.write(b": 1}\n"))
        halves.start()
        assert 1 == next(following)["number"]
        halves.join()


@pytest.mark.parametrize("signal_number", [signal.SIGINT, None], ids=["Ctrl-C", "a reader that has had enough"])
def test_following_ends_without_complaint(write: Write, tmp_path: Path, signal_number: int | None) -> None:
    """Neither Ctrl-C nor a closed pipe leaves a traceback."""
    write(1)
    command = [sys.executable, "-m", "vestibule", "logs", "-f", "--data-dir", str(tmp_path)]
    following = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ})
    with following:
        assert following.stdout is not None
        assert following.stderr is not None
        assert b"number=1" in following.stdout.readline()
        if signal_number is None:
            following.stdout.close()
            write(*range(2, 200))
        else:
            following.send_signal(signal_number)
        assert 0 == following.wait(60)
        assert b"" == following.stderr.read()
