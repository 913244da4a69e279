"""Alerts as JSON lines, one file for each day, for programs that follow them."""

import json
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from vestibule.alerts.alert import Alert
from vestibule.alerts.channel import ChannelKind, Timing
from vestibule.alerts.report import to_dict

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW


class ReportLinesChannel:
    """Appends one line for each alert to `alerts_<UTC day>.jsonl`; lines of several processes do not mix."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def deliver(self, alert: Alert) -> None:
        """Append the line of `alert`. Raises `OSError` if it could not be written whole."""
        self.deliver_all([alert])

    def deliver_all(self, alerts: Sequence[Alert]) -> None:
        """Append the lines of `alerts`, those of a day in one write. Raises `OSError` as `deliver` does."""
        days: dict[str, list[Alert]] = defaultdict(list)
        for alert in alerts:
            days[f"{alert.time:%Y-%m-%d}"].append(alert)
        for day, some in days.items():
            # ASCII, so that no character of a description ends the line.
            lines = [json.dumps(to_dict(alert), ensure_ascii=True).encode() + b"\n" for alert in some]
            self._append(f"{self._directory}/alerts_{day}.jsonl", b"".join(lines))

    def _append(self, path: str, lines: bytes) -> None:
        try:
            descriptor = os.open(path, _FLAGS, 0o600)
        except FileNotFoundError:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, _FLAGS, 0o600)
        try:
            if os.write(descriptor, lines) != len(lines):
                raise OSError("the lines were truncated")
        finally:
            os.close(descriptor)


CHANNEL = ChannelKind(
    "report_lines",
    "A line of JSON for each alert, in error_reports/.",
    lambda settings: ReportLinesChannel(settings.report_dir),
    Timing.AFTER_ANSWER,
)
