"""Reads the recorded alerts, newest first."""

import re
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestibule.alerts.alert import Alert
from vestibule.alerts.store.database import open_database
from vestibule.alerts.store.rows import ALERT_COLUMNS, alert_of
from vestibule.contracts.errors import AlertNotFound, InvalidInput, Unavailable

_CURSOR = re.compile(r"[1-9][0-9]{0,17}")
_PAGE = f"SELECT seq, {ALERT_COLUMNS} FROM alerts WHERE seq < ? ORDER BY seq DESC LIMIT ?"  # noqa: S608
_ONE = f"SELECT {ALERT_COLUMNS} FROM alerts WHERE id = ?"  # noqa: S608
_END = 2**62


@dataclass(frozen=True, slots=True)
class AlertPage:
    """A page of alerts, newest first, and the cursor of the next page, None on the last."""

    alerts: list[Alert]
    cursor: str | None


class AlertReader:
    """Queries the database over one connection; one that does not exist yet is empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def query(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows.

        Raises:
            Unavailable: the record cannot be read.
        """
        with self._lock:
            try:
                if self._connection is None:
                    if not self._path.exists():
                        return []
                    self._connection = open_database(self._path)
                return self._connection.execute(statement, parameters).fetchall()
            except (OSError, sqlite3.Error) as error:
                raise Unavailable("alerts", "The alert store cannot be read.") from error

    def close(self) -> None:
        """Close the connection; the next query opens another."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()


class AlertArchive:
    """Reads the alerts of all services of a host."""

    def __init__(self, path: Path) -> None:
        self._record = AlertReader(path)

    def page(self, *, limit: int, cursor: str | None = None) -> AlertPage:
        """Return at most `limit` alerts older than `cursor`.

        Raises:
            InvalidInput: the cursor is not one that an earlier page gave.
            Unavailable: the record cannot be read.
        """
        if cursor is not None and not _CURSOR.fullmatch(cursor):
            raise InvalidInput("The cursor is not valid; use the `cursor` of the previous page.")
        rows = self._record.query(_PAGE, (_END if cursor is None else int(cursor), limit + 1))
        chosen = rows[:limit]
        return AlertPage([alert_of(row[1:]) for row in chosen], str(chosen[-1][0]) if len(rows) > limit else None)

    def get(self, alert_id: str) -> Alert:
        """Return the alert of that id.

        Raises:
            AlertNotFound: there is none.
            Unavailable: the record cannot be read.
        """
        # Any text may come as an id, but not all of them have a form that the record could be asked with.
        rows = self._record.query(_ONE, (alert_id,)) if alert_id.isascii() else []
        if not rows:
            raise AlertNotFound("No alert has that id.")
        return alert_of(rows[0])

    def close(self) -> None:
        """Give the connection back."""
        self._record.close()
