"""Report files: one an alert, whole or not at all, whoever else writes at the same time."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from vestibule.alerts import Alert, AlertType, Severity
from vestibule.alerts.channels.report_file import ReportFileChannel
from vestibule.alerts.report import report_name

from .conftest import parse_report

WRITERS, EACH = 8, 25
DELIVER = """
import resource, sys
from pathlib import Path
from vestibule.alerts import Alert, AlertType, Severity
from vestibule.alerts.channels.report_file import ReportFileChannel
alert = Alert(type=AlertType.SECRET, description="x" * 9_000, service="client", severity=Severity.INFO)
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
try:
    ReportFileChannel(Path(sys.argv[1])).deliver(alert)
except OSError as error:
    print(type(error).__name__)
"""


def _alert(description: str = "It happened.") -> Alert:
    return Alert(type=AlertType.SECRET, description=description, service="client", severity=Severity.INFO)


def test_200_alerts_at_once_give_200_reports(tmp_path: Path) -> None:
    """Several threads deliver at the same time: each alert has a file of its own, whole."""
    channel = ReportFileChannel(tmp_path / "error_reports")
    alerts = [[_alert(f"number {number}") for number in range(EACH)] for _ in range(WRITERS)]
    threads = [threading.Thread(target=lambda some=some: [channel.deliver(alert) for alert in some]) for some in alerts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    files = list((tmp_path / "error_reports").iterdir())
    read = [parse_report(path.read_text()) for path in files]
    expected = sorted((alert for some in alerts for alert in some), key=lambda alert: alert.id)
    assert expected == sorted(read, key=lambda alert: alert.id)
    assert WRITERS * EACH == len(files)


def test_a_report_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """Reports say who did what, so they are nobody else's."""
    channel = ReportFileChannel(tmp_path / "error_reports")
    channel.deliver(_alert())
    (path,) = (tmp_path / "error_reports").iterdir()
    assert (0o600, 0o700) == (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777)


def test_a_report_links_to_its_alert(tmp_path: Path) -> None:
    """It has the address of its page in the console, also after it was written anew; without a console it has none."""
    alert = _alert()
    channel = ReportFileChannel(tmp_path, "https://console.example.org")
    channel.deliver(alert)
    for _ in range(2):
        assert f"Link: https://console.example.org/alerts/{alert.id}" == _last_line(tmp_path / report_name(alert))
        (tmp_path / report_name(alert)).unlink()
        channel.sync([alert])
    ReportFileChannel(tmp_path / "none").deliver(alert)
    assert "Link:" not in (tmp_path / "none" / report_name(alert)).read_text()


def _last_line(path: Path) -> str:
    return path.read_text().splitlines()[-1]


def test_an_alert_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """With a file where the folder should be, the error rises and the file is untouched."""
    (tmp_path / "error_reports").write_text("in the way")
    with pytest.raises(OSError, match="error_reports"):
        ReportFileChannel(tmp_path / "error_reports").deliver(_alert())
    assert "in the way" == (tmp_path / "error_reports").read_text()


def test_a_disk_that_fills_up_leaves_no_part_of_a_report(tmp_path: Path) -> None:
    """A writing that fails half-way leaves no file, neither under its name nor under another."""
    command = [sys.executable, "-c", DELIVER, str(tmp_path / "error_reports")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (0, "OSError\n") == (ended.returncode, ended.stdout)
    assert [] == list((tmp_path / "error_reports").iterdir())


def test_a_strange_description_loses_no_alert(tmp_path: Path) -> None:
    """A description that has no UTF-8 form is written in a form that has one."""
    ReportFileChannel(tmp_path).deliver(_alert("a \ud800 b"))
    (path,) = tmp_path.iterdir()
    assert r"a \ud800 b" == parse_report(path.read_text()).description


def test_reports_are_found_while_others_are_written(tmp_path: Path) -> None:
    """Whoever reads the folder at any moment sees whole reports only."""
    channel = ReportFileChannel(tmp_path)
    writer = threading.Thread(target=lambda: [channel.deliver(_alert()) for _ in range(100)])
    writer.start()
    while writer.is_alive():
        for path in list(tmp_path.glob("*.txt")):
            assert parse_report(path.read_text()).description == "It happened."
    assert 100 == len(list(tmp_path.iterdir()))


def test_settling_brings_back_what_a_crash_took(tmp_path: Path) -> None:
    """A report that is missing, empty or cut is written again; one that is whole is left as it is."""
    channel, alerts = ReportFileChannel(tmp_path), [_alert(f"number {number}") for number in range(4)]
    for alert in alerts:
        channel.deliver(alert)
    missing, empty, cut, whole = (tmp_path / report_name(alert) for alert in alerts)
    missing.unlink()
    empty.write_bytes(b"")
    cut.write_bytes(cut.read_bytes()[:40])
    inode = whole.stat().st_ino
    channel.sync(alerts)
    assert alerts == [parse_report(path.read_text()) for path in (missing, empty, cut, whole)]
    assert inode == whole.stat().st_ino
