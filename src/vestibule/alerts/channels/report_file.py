"""Alerts as text files, one each, under `error_reports/`."""

import os
from collections.abc import Sequence
from pathlib import Path

from vestibule.alerts.alert import Alert
from vestibule.alerts.channel import ChannelKind
from vestibule.alerts.report import report_content, report_name
from vestibule.runtime.files import write_private
from vestibule.runtime.random_ids import random_id


class ReportFileChannel:
    """Writes `<UTC time>_<Type>_<id>.txt`, whole or not at all, readable by its owner only."""

    def __init__(self, directory: Path, console_url: str = "") -> None:
        """Take the folder, and the address of the console that each report links to, if any."""
        self._directory = directory
        self._console_url = console_url

    def deliver(self, alert: Alert) -> None:
        """Write the report of `alert`. It survives a power failure only after `sync`.

        Raises:
            OSError: it could not be written; nothing of it is left.
        """
        # No part of the name comes from a caller.
        name = report_name(alert)
        unfinished = f"{self._directory}/.{name}.{random_id()}"
        try:
            _write_new(unfinished, self._content(alert))
            os.rename(unfinished, f"{self._directory}/{name}")  # noqa: PTH104 - faster, on the request path
        except OSError:
            Path(unfinished).unlink(missing_ok=True)
            raise

    def sync(self, alerts: Sequence[Alert]) -> None:
        """Flush the reports of `alerts` to disk, and write those that a crash lost.

        Raises:
            OSError: one could not be written.
        """
        for alert in alerts:
            path = self._directory / report_name(alert)
            if not _is_flushed(path, self._content(alert)):
                write_private(path, self._content(alert))
        _flush(self._directory)

    def _content(self, alert: Alert) -> bytes:
        return report_content(alert, self._console_url)


def _write_new(path: str, content: bytes) -> None:
    descriptor = _create(path)
    try:
        while content:
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)


def _create(path: str) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, flags, 0o600)


def _is_flushed(path: Path, content: bytes) -> bool:
    try:
        with path.open("rb") as file:
            os.fsync(file.fileno())
            return file.read(len(content) + 1) == content
    except FileNotFoundError:
        return False


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


CHANNEL = ChannelKind(
    "report_file",
    "A text file for each alert, in error_reports/.",
    lambda settings: ReportFileChannel(settings.report_dir, settings.console_url),
)
