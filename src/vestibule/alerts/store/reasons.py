"""Finds and erases what people wrote: reasons of silences, of changed groups and of acts, in the store and reports."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from vestibule.alerts.report import report_content, report_name
from vestibule.alerts.store.database import ALERT_COLUMNS, US, alert_of, open_database
from vestibule.contracts.errors import Unavailable
from vestibule.runtime.files import write_private

ERASED = "(erased)"
Found = TypeVar("Found")
# Of alerts, those about acts of people alone have a text of a caller: the reason.
# A group has the id of its first alert.
_TEXTS = (
    ("SELECT id, reason, from_us FROM silences WHERE tenant = ?", "UPDATE silences SET reason = ? WHERE id = ?"),
    (
        "SELECT id, coalesce(changed_reason, ''), coalesce(changed_us, from_us) FROM silences WHERE tenant = ?",
        "UPDATE silences SET changed_reason = ? WHERE id = ?",
    ),
    (
        "SELECT h.id, coalesce(h.reason, ''), h.at_us FROM group_changes h JOIN groups g ON g.id = h.group_id "
        "WHERE g.tenant = ?",
        "UPDATE group_changes SET reason = ? WHERE id = ?",
    ),
    (
        "SELECT id, coalesce(state_reason, ''), coalesce(state_us, last_us) FROM groups "
        "WHERE id IN (SELECT id FROM alerts WHERE tenant = ?)",
        "UPDATE groups SET state_reason = ? WHERE id = ?",
    ),
    (
        "SELECT id, description, time_us FROM alerts WHERE tenant = ? "
        "AND type IN ('Reveal', 'SubjectFound', 'SubjectErased')",
        "UPDATE alerts SET description = ? WHERE id = ?",
    ),
)
_ALERT = f"SELECT {ALERT_COLUMNS} FROM alerts WHERE id = ?"  # noqa: S608


@dataclass(frozen=True, slots=True)
class AlertReasons:
    """The texts of people in the alert store of this host, and in its report files."""

    store_path: Path
    report_dir: Path
    console_url: str = ""

    def find(self, tenant: str, match: Callable[[str], Found | None]) -> list[tuple[datetime, Found]]:
        """Return when each text of a tenant for which `match` returns something was written, and what it returns.

        Raises:
            Unavailable: the store cannot be read.
        """
        if not self.store_path.exists():
            return []
        try:
            with closing(open_database(self.store_path)) as connection:
                rows = [row for read, _ in _TEXTS for row in connection.execute(read, (tenant,)).fetchall()]
        except (OSError, sqlite3.Error) as error:
            raise Unavailable("alerts", "The alert store cannot be read.") from error
        matches = ((at_us, match(text)) for _, text, at_us in rows)
        return [(datetime.fromtimestamp(at_us / US, UTC), found) for at_us, found in matches if found is not None]

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
        found = [row_id for row_id, text, _ in connection.execute(read, (tenant,)).fetchall() if is_found(text)]
        for row_id in found:
            connection.execute(write, (ERASED, row_id))
            for row in connection.execute(_ALERT, (row_id,)).fetchall() if "alerts" in write else ():
                alert = alert_of(row)
                report = self.report_dir / report_name(alert)
                if report.exists():
                    write_private(report, report_content(alert, self.console_url))
        return len(found)
