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
# A group has the id of its first alert.
_TEXTS = (
    ("SELECT id, reason FROM silences WHERE tenant = ?", "UPDATE silences SET reason = ? WHERE id = ?"),
    (
        "SELECT id, coalesce(state_reason, '') FROM groups WHERE id IN (SELECT id FROM alerts WHERE tenant = ?)",
        "UPDATE groups SET state_reason = ? WHERE id = ?",
    ),
    (
        "SELECT id, description FROM alerts WHERE tenant = ? AND type = 'Reveal'",
        "UPDATE alerts SET description = ? WHERE id = ?",
    ),
)
_ALERT = f"SELECT {ALERT_COLUMNS} FROM alerts WHERE id = ?"  # noqa: S608


@dataclass(frozen=True, slots=True)
class AlertReasons:
    """The texts of people in the alert store of this host, and in its report files."""

    store_path: Path
    report_dir: Path

    def erase(self, tenant: str, is_found: Callable[[str], bool]) -> int:
        """Replace each text of a tenant for which `is_found` is true, and return how many there were.

        Raises:
            Unavailable: the store or a report cannot be written.
        """
        if not self.store_path.exists():
            return 0
        try:
            with closing(open_database(self.store_path)) as connection:
                erased = sum([self._erase(connection, statements, tenant, is_found) for statements in _TEXTS])
                # Also where nothing was found: an earlier attempt may have failed here.
                (is_busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except (OSError, sqlite3.Error) as error:
            raise Unavailable("alerts", "The alert store cannot be written.") from error
        if is_busy:
            raise Unavailable("alerts", "The log of the alert store is in use.")
        return erased

    def _erase(
        self,
        connection: sqlite3.Connection,
        statements: tuple[str, str],
        tenant: str,
        is_found: Callable[[str], bool],
    ) -> int:
        read, write = statements
        found = [row_id for row_id, text in connection.execute(read, (tenant,)).fetchall() if is_found(text)]
        for row_id in found:
            connection.execute(write, (ERASED, row_id))
            for row in connection.execute(_ALERT, (row_id,)).fetchall() if "alerts" in write else ():
                alert = alert_of(row)
                report = self.report_dir / report_name(alert)
                if report.exists():
                    write_private(report, render_report(alert).encode("utf-8", "backslashreplace"))
        return len(found)
