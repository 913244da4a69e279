"""Erases what people wrote: the reasons of silences, of changed groups and of reveals, in the store and its reports."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from vestibule.alerts.report import render_report, report_name
from vestibule.alerts.store.database import ALERT_COLUMNS, alert_of, open_database
from vestibule.contracts.errors import Unavailable
from vestibule.runtime.files import write_private

ERASED = "(erased)"
# Of alerts, those about reveals alone have a text of a caller.
_TEXTS = (
    ("SELECT id, reason FROM silences", "UPDATE silences SET reason = ? WHERE id = ?"),
    (
        "SELECT id, state_reason FROM groups WHERE state_reason IS NOT NULL",
        "UPDATE groups SET state_reason = ? WHERE id = ?",
    ),
    ("SELECT id, description FROM alerts WHERE type = 'Reveal'", "UPDATE alerts SET description = ? WHERE id = ?"),
)
_ALERT = f"SELECT {ALERT_COLUMNS} FROM alerts WHERE id = ?"  # noqa: S608


@dataclass(frozen=True, slots=True)
class AlertReasons:
    """The texts of people in the alert store of this host, and in its report files."""

    store_path: Path
    report_dir: Path

    def erase(self, is_found: Callable[[str], bool]) -> int:
        """Replace each text for which `is_found` is true, and return how many there were.

        Raises:
            Unavailable: the store or a report cannot be written.
        """
        if not self.store_path.exists():
            return 0
        try:
            with closing(open_database(self.store_path)) as connection:
                return sum([self._erase(connection, *statements, is_found) for statements in _TEXTS])
        except (OSError, sqlite3.Error) as error:
            raise Unavailable("alerts", "The alert store cannot be written.") from error

    def _erase(self, connection: sqlite3.Connection, read: str, write: str, is_found: Callable[[str], bool]) -> int:
        found = [row_id for row_id, text in connection.execute(read).fetchall() if is_found(text)]
        for row_id in found:
            connection.execute(write, (ERASED, row_id))
            for row in connection.execute(_ALERT, (row_id,)).fetchall() if "alerts" in write else ():
                alert = alert_of(row)
                report = self.report_dir / report_name(alert)
                if report.exists():
                    write_private(report, render_report(alert).encode("utf-8", "backslashreplace"))
        return len(found)
