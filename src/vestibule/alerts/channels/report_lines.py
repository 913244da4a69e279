"""Alerts as JSON lines, one file for each day, for programs that follow them."""

import json
import os
from pathlib import Path

from vestibule.alerts.alert import Alert
from vestibule.alerts.channel import ChannelKind, Timing
from vestibule.alerts.report import to_dict


class ReportLinesChannel:
    """Appends one line for each alert to `alerts_<UTC day>.jsonl`; lines of several processes do not mix."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def deliver(self, alert: Alert) -> None:
        """Append the line of `alert`. Raises `OSError` if it could not be written whole."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._directory / f"alerts_{alert.time:%Y-%m-%d}.jsonl"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            # ASCII, so that no character of a description ends the line.
            line = json.dumps(to_dict(alert), ensure_ascii=True).encode() + b"\n"
            if os.write(descriptor, line) != len(line):
                raise OSError("the line was truncated")
        finally:
            os.close(descriptor)


CHANNEL = ChannelKind(
    "report_lines",
    "A line of JSON for each alert, in error_reports/.",
    lambda settings: ReportLinesChannel(settings.report_dir),
    Timing.AFTER_ANSWER,
)
