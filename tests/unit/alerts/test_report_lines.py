"""Alerts as lines: many in one write, each in the file of its day."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from vestibule.alerts.alert import Alert, AlertType, Severity
from vestibule.alerts.alert_engine import ChannelFanOut
from vestibule.alerts.channels.report_lines import ReportLinesChannel

ALERT = Alert(
    type=AlertType.SECRET,
    description="First.",
    service="client",
    severity=Severity.INFO,
    time=datetime(2026, 3, 1, 23, 59, tzinfo=UTC),
)


def test_alerts_of_several_days_are_lines_of_their_files(tmp_path: Path) -> None:
    """The folder is made where it is missing, and a later alert is appended."""
    channel = ReportLinesChannel(tmp_path / "reports")
    channel.deliver_all(
        [ALERT, replace(ALERT, description="Second."), replace(ALERT, time=datetime(2026, 3, 2, tzinfo=UTC))]
    )
    channel.deliver(replace(ALERT, description="Third."))
    found = {path.name: path.read_text().splitlines() for path in (tmp_path / "reports").iterdir()}
    assert {"alerts_2026-03-01.jsonl", "alerts_2026-03-02.jsonl"} == set(found)
    texts = [json.loads(line)["description"] for line in found["alerts_2026-03-01.jsonl"]]
    assert ["First.", "Second.", "Third."] == texts


def test_a_channel_that_fails_keeps_no_alert_from_the_others(tmp_path: Path) -> None:
    """One that takes all alerts together, and one that takes them one by one, have each."""

    class Broken:
        def deliver(self, _alert: Alert) -> None:
            raise OSError("full")

    class One:
        def __init__(self) -> None:
            self.had: list[str] = []

        def deliver(self, alert: Alert) -> None:
            self.had.append(alert.description)

    failed: list[str] = []
    one, lines = One(), ReportLinesChannel(tmp_path)
    fan_out = ChannelFanOut({"broken": Broken(), "one": one, "lines": lines}, lambda name, _error: failed.append(name))
    fan_out.deliver_all([ALERT, replace(ALERT, description="Second.")])
    assert (["broken"] * 2, ["First.", "Second."]) == (failed, one.had)
    assert 2 == len((tmp_path / "alerts_2026-03-01.jsonl").read_text().splitlines())
