"""Lines are whole, none is lost, and none gives away what somebody sent."""

import json
import logging
import os
import pty
import re
import shutil
import subprocess
import sys
import threading
import warnings
from collections import Counter
from io import StringIO
from pathlib import Path
from socket import gethostname
from typing import Any

import pytest
import structlog

from vestibule.contracts.errors import KeyNotFound
from vestibule.runtime.log_context import bind_log_fields
from vestibule.service_kit.logging.logging_config import configure_logging, flush_log, log_health
from vestibule.service_kit.settings import ServiceSettings

MARKER = "Zq7MARKERx9"
PROCESSES, LINES = 3, 300
WRITER = """
import sys
from pathlib import Path
from socket import gethostname
import structlog
from vestibule.service_kit.logging.logging_config import configure_logging
from vestibule.service_kit.settings import ServiceSettings
folder, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
settings = ServiceSettings(data_dir=folder, log_max_bytes=20_000, log_backups=50)
configure_logging(name, settings, stdout=open("/dev/null", "w"))
log = structlog.get_logger("writer")
for number in range(count):
    log.info("line", number=number, filling="line\\nbreak " * (number % 20))
"""


def test_lines_of_several_processes_are_whole_and_complete(tmp_path: Path) -> None:
    """Several processes write at once while the file is rotated: no line is lost, doubled or torn."""
    commands = [[sys.executable, "-c", WRITER, str(tmp_path), f"p{n}", str(LINES)] for n in range(PROCESSES)]
    running = [subprocess.Popen(command) for command in commands]
    assert [0] * PROCESSES == [process.wait(60) for process in running]
    files = [path for path in (tmp_path / "logs").iterdir() if path.name.startswith("app.log")]
    lines = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    expected = {(f"p{process}", number): 1 for process in range(PROCESSES) for number in range(LINES)}
    assert expected == Counter((line["service"], line["number"]) for line in lines)
    assert len(files) > 3
    assert {0o600} == {path.stat().st_mode & 0o777 for path in files}


ENDLESS = """
import itertools, sys, time
from pathlib import Path
from socket import gethostname
import structlog
from vestibule.service_kit.logging.logging_config import configure_logging
from vestibule.service_kit.settings import ServiceSettings
# However long it is left alone, the file is not rotated.
configure_logging("p", ServiceSettings(data_dir=Path(sys.argv[1]), log_max_bytes=10**12), stdout=open("/dev/null", "w"))
log = structlog.get_logger("writer")
for number in itertools.count():
    log.info("line", number=number, filling="x" * (number % 500))
    # The writer keeps up: lines that are lost for lack of room are another test's.
    if not number % 50:
        time.sleep(0.002)
"""


def test_a_process_that_is_killed_leaves_whole_lines(
    settings: ServiceSettings, log_lines: Any, wait_until: Any
) -> None:
    """After kill -9 in the middle of writing every line but the last few is there, and the next line is a whole one."""
    log = settings.log_dir / "app.log"
    with subprocess.Popen([sys.executable, "-c", ENDLESS, str(settings.data_dir)]) as endless:
        wait_until(lambda: log.exists() and log.stat().st_size > 1_000_000, 60, what="a good many lines")
        endless.kill()
    structlog.get_logger("x").info("after")
    *lines, after = log_lines()
    assert "after" == after["event"]
    assert list(range(len(lines))) == [line["number"] for line in lines]


def test_a_line_has_the_fields_that_every_line_has(log_lines: Any) -> None:
    """Time, level, service and event stand first, so that people and programs find them."""
    bind_log_fields(request_id="the-id")
    structlog.get_logger("anything").warning("happened", count=1)
    (line,) = log_lines()
    assert ["timestamp", "level", "service", "event"] == list(line)[:4]
    assert ("warning", "test", "happened", "the-id", 1) == (
        line["level"],
        line["service"],
        line["event"],
        line["request_id"],
        line["count"],
    )
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(("embedded", "named"), [(True, []), (False, [gethostname()])])
def test_lines_name_the_replica_where_there_can_be_several(tmp_path: Path, *, embedded: bool, named: list[str]) -> None:
    """Lines of several hosts come together, and `service` is the same in each; all parts of one machine need it not."""
    configure_logging("test", ServiceSettings(data_dir=tmp_path, embedded=embedded), stdout=StringIO())
    structlog.get_logger("anything").info("happened")
    flush_log()
    (line,) = map(json.loads, (tmp_path / "logs" / "app.log").read_text().splitlines())
    assert named == [value for name, value in line.items() if name == "replica"]


@pytest.mark.parametrize(("embedded", "named"), [(True, []), (False, [2])])
def test_lines_name_the_process_where_they_name_the_replica(
    tmp_path: Path, *, embedded: bool, named: list[int]
) -> None:
    """Of a service with several processes each line says from which it is; of the only process none does."""
    for process in (2, None):
        configure_logging(
            "test", ServiceSettings(data_dir=tmp_path, embedded=embedded), stdout=StringIO(), process=process
        )
        structlog.get_logger("anything").info("happened")
        flush_log()
    lines = map(json.loads, (tmp_path / "logs" / "app.log").read_text().splitlines())
    assert named == [line["process"] for line in lines if "process" in line]


@pytest.mark.parametrize(
    "write",
    [
        lambda log: log.warning("got %s from %s", MARKER, MARKER),
        lambda log: log.warning("got %(value)s", {"value": MARKER}),
        lambda log: log.error(ValueError(MARKER)),
        lambda log: log.error("it failed: %s", ValueError(MARKER)),
        lambda log: log.warning("it", extra={"value": MARKER, "data": {MARKER: MARKER}}),
        lambda log: log.warning([MARKER]),
        lambda log: log.warning("bad %d arguments", MARKER),
    ],
    ids=["arguments", "named arguments", "exception as message", "exception", "extra", "object", "mismatch"],
)
def test_what_a_library_was_given_is_not_logged(log_lines: Any, capfd: Any, write: Any) -> None:
    """Libraries put what was sent into their messages' arguments; only the template reaches the log."""
    write(logging.getLogger("some.library"))
    assert MARKER not in str(log_lines())
    assert MARKER not in "".join(capfd.readouterr())


def test_a_librarys_line_says_which_library(log_lines: Any) -> None:
    """The template and the logger's name are enough to find the place."""
    logging.getLogger("some.library").warning("lost %s of %s", 1, 2)
    (line,) = log_lines()
    assert ("library_message", "some.library", "lost %s of %s") == (line["event"], line["logger"], line["message"])


def _fail() -> None:
    value = MARKER
    raise ValueError(f"cannot read {value}")


@pytest.mark.parametrize("name", ["ours", "library"])
def test_the_text_of_an_exception_is_not_logged(log_lines: Any, name: str) -> None:
    """An exception's text may quote what was sent, and so may those that caused it; type and frames do not."""
    log: Any = structlog.get_logger("x") if name == "ours" else logging.getLogger("some.library")
    try:
        try:
            _fail()
        except ValueError as error:
            raise RuntimeError(MARKER) from error
    except RuntimeError:
        log.exception("it_failed")
    (line,) = log_lines()
    assert "builtins.RuntimeError" == line["exception"]
    assert any("test_logging_config.py" in frame for frame in line["frames"])
    assert MARKER not in str(line)


def test_the_text_of_our_own_errors_is_logged(log_lines: Any) -> None:
    """Details of named errors repeat nothing that was sent, and help."""
    structlog.get_logger("x").error("refused", exc_info=KeyNotFound("Nothing is stored under that key."))
    assert "Nothing is stored under that key." == log_lines()[0]["exception_detail"]


@pytest.mark.parametrize("value", ["\ud800", 2**70, b"\xff", {1, 2}, float("nan"), object(), {"a": {1: "\udfff"}}])
def test_a_line_with_a_strange_value_is_not_lost(log_lines: Any, value: object) -> None:
    """Whatever a field holds, its line is written and is JSON."""
    structlog.get_logger("x").info("strange", value=value)
    assert ["strange"] == [line["event"] for line in log_lines()]


def test_stdout_has_the_same_lines(settings: ServiceSettings, restored_logging: None) -> None:
    """What is in the file is on stdout too, as JSON where that is no terminal."""
    stdout = StringIO()
    configure_logging("test", settings, stdout)
    structlog.get_logger("x").info("happened", count=1)
    flush_log()
    assert (settings.log_dir / "app.log").read_text() == stdout.getvalue()


def test_configuring_twice_doubles_no_line(settings: ServiceSettings, restored_logging: None) -> None:
    """A worker's processes configure logging anew after the fork."""
    for _ in range(2):
        configure_logging("test", settings, StringIO())
    structlog.get_logger("x").info("happened")
    flush_log()
    assert 1 == len((settings.log_dir / "app.log").read_text().splitlines())


@pytest.mark.parametrize(
    "name",
    ["uvicorn.access", "celery.app.trace", "celery.worker.strategy", "celery.redirected", "apscheduler.executors"],
)
def test_loggers_that_tell_what_was_sent_are_silent(log_lines: Any, name: str) -> None:
    """Access logs hold query strings, and Celery's task log holds results."""
    logging.getLogger(name).error("something")
    assert [] == log_lines()


def test_the_level_is_the_settings(tmp_path: Path, restored_logging: None) -> None:
    """Lines below the level are not written, neither ours nor a library's."""
    settings = ServiceSettings(data_dir=tmp_path, log_level="error")
    configure_logging("test", settings, StringIO())
    structlog.get_logger("x").warning("ours")
    logging.getLogger("some.library").warning("theirs")
    structlog.get_logger("x").error("grave")
    flush_log()
    lines = (settings.log_dir / "app.log").read_text().splitlines()
    assert ["grave"] == [json.loads(line)["event"] for line in lines]


class _Unwritable(StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_stops_nothing(settings: ServiceSettings, restored_logging: None) -> None:
    """Neither a folder that is gone nor a closed stdout raises; when the folder is back, the log says what it lost."""
    configure_logging("test", settings, _Unwritable())
    log = structlog.get_logger("x")
    log.info("before")
    flush_log()
    shutil.rmtree(settings.log_dir)
    settings.log_dir.write_text("in the way")
    for _ in range(3):
        log.info("meanwhile")
    flush_log()
    assert (3, "ENOTDIR") == (log_health()["file"].lost_lines, log_health()["file"].failure)
    assert (4, "ENOSPC") == (log_health()["stdout"].lost_lines, log_health()["stdout"].failure)
    settings.log_dir.unlink()
    log.info("after")
    flush_log()
    gap, after = [json.loads(line) for line in (settings.log_dir / "app.log").read_text().splitlines()]
    assert ("log_lines_lost", "error", "test", 3, "ENOTDIR") == (
        gap["event"],
        gap["level"],
        gap["service"],
        gap["lines"],
        gap["reason"],
    )
    assert "after" == after["event"]
    assert (3, None) == (log_health()["file"].lost_lines, log_health()["file"].failure)


def test_a_log_that_cannot_be_opened_at_the_start_is_said(settings: ServiceSettings, restored_logging: None) -> None:
    """A service that could not log from the first does not start."""
    settings.log_dir.write_text("in the way")
    with pytest.raises(OSError, match="logs"):
        configure_logging("test", settings, StringIO())


def test_a_log_that_cannot_be_written_is_not_printed(
    settings: ServiceSettings, restored_logging: None, capfd: pytest.CaptureFixture[str]
) -> None:
    """What could not be logged does not end up on stderr, where nobody guards it."""
    configure_logging("test", settings, _Unwritable())
    shutil.rmtree(settings.log_dir)
    settings.log_dir.write_text("in the way")
    structlog.get_logger("x").info("happened", detail=MARKER)
    logging.getLogger("some.library").error("failed %s", MARKER)
    flush_log()
    assert MARKER not in "".join(capfd.readouterr())


def test_a_warning_of_a_library_is_a_line_without_its_text(log_lines: Any, capfd: Any) -> None:
    """Python's warnings say where and what kind; their texts are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"{MARKER} is deprecated", DeprecationWarning, stacklevel=1)
    (line,) = log_lines()
    assert ("library_warning", "DeprecationWarning", "warning") == (line["event"], line["warning"], line["level"])
    assert re.fullmatch(r"test_logging_config\.py:\d+", line["place"])
    assert MARKER not in str(line) + "".join(capfd.readouterr())


def test_what_nobody_caught_is_a_line_without_its_text(log_lines: Any, capfd: Any) -> None:
    """A thread or a process that fails says where, in the log; its traceback is on no terminal."""
    thread = threading.Thread(target=_fail)
    thread.start()
    thread.join()
    (line,) = log_lines()
    assert ("process_failed", "critical", "builtins.ValueError") == (line["event"], line["level"], line["exception"])
    assert any(frame.endswith(" _fail") for frame in line["frames"])
    assert MARKER not in str(line) + "".join(capfd.readouterr())


def test_a_terminal_gets_columns(settings: ServiceSettings, restored_logging: None) -> None:
    """On a terminal a line is for people, coloured unless they do not want it; the file is JSON all the same."""
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as terminal:
        for has_colour in (True, False):
            configure_logging("client", settings, terminal, has_colour=has_colour)
            structlog.get_logger("x").info("happened", route="/add", note="two words")
            flush_log()
        shown = b""
        while shown.count(b"\n") < 2:
            shown += os.read(leader, 10_000)
    os.close(leader)
    coloured, plain = shown.decode().splitlines()
    assert "\x1b[1mhappened\x1b[0m" in coloured
    assert re.fullmatch(
        r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} info    client         happened route=/add note="two words"', plain
    )
    assert 2 == len([json.loads(line) for line in (settings.log_dir / "app.log").read_text().splitlines()])


FULL = """
import sys, resource
from pathlib import Path
from socket import gethostname
import structlog
from vestibule.service_kit.logging.logging_config import configure_logging, flush_log, log_health
from vestibule.service_kit.settings import ServiceSettings
from vestibule.runtime.log_context import bind_log_fields
configure_logging("test", ServiceSettings(data_dir=Path(sys.argv[1])), stdout=open("/dev/null", "w"))
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))
log = structlog.get_logger("writer")
for number in range(100):
    flush_log() if number % 10 == 0 else None
    log.info("line", number=number)
flush_log()
print(log_health()["file"].lost_lines)
"""


def test_a_full_log_stops_nothing(tmp_path: Path) -> None:
    """A file that may not grow any more makes no request fail; what is in it is whole, and what is not was counted."""
    ended = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert (0, "") == (ended.returncode, ended.stderr)
    log = (tmp_path / "logs" / "app.log").read_bytes()
    assert log.endswith(b"\n")
    events = [json.loads(line)["event"] for line in log.splitlines()]
    assert 100 == events.count("line") + int(ended.stdout)
    assert 0 < len(log) <= 2_000
