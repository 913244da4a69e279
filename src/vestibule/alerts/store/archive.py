"""Reads the recorded alerts, and changes the state of their groups."""

import re
import secrets
import sqlite3
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vestibule.alerts.alert import Alert, AlertType
from vestibule.alerts.store.database import ALERT_COLUMNS, Row, alert_of, build_readable, from_us, open_database, to_us
from vestibule.contracts.errors import AlertNotFound, InvalidInput, Unavailable
from vestibule.contracts.identity import EVERYTHING, SYSTEM_TENANT, Visibility
from vestibule.runtime.files import FilePlace

CURSOR_PATTERN = r"^[1-9][0-9]{0,17}$"
_CURSOR = re.compile(CURSOR_PATTERN)
# Of malformed requests, which are many where a client is wrong, the first of each group is listed, with their number.
_PAGE = f"""
    SELECT CASE type WHEN '{AlertType.INVALID_INPUT}' THEN (SELECT count FROM groups WHERE id = alerts.id) END,
    seq, {ALERT_COLUMNS} FROM alerts
    WHERE {{visible}} AND seq < ? AND (type != '{AlertType.INVALID_INPUT}' OR coalesce(group_id, id) = id)
    ORDER BY seq DESC LIMIT ?
"""  # noqa: S608
_ONE = f"SELECT {ALERT_COLUMNS} FROM alerts WHERE {{visible}} AND id = ?"  # noqa: S608
_END = 2**62


_GROUP = """
    SELECT id, severity, count, first_us, last_us, state, state_by, state_reason, state_us FROM groups
    WHERE id = (SELECT group_id FROM alerts WHERE id = ?)
"""
_DELIVERIES = (
    "SELECT channel, event, state, attempts, error FROM deliveries WHERE group_id = ? ORDER BY id DESC LIMIT 50"
)
# The end of a group is notified if its beginning was.
_CHANGE = """
    UPDATE groups SET state = ?, state_by = ?, state_reason = ?, state_us = ?, notice_since_us = NULL,
    due_us = CASE WHEN ?1 = 'resolved' AND notified_severity IS NOT NULL THEN ?4 END
    WHERE id = (SELECT group_id FROM alerts WHERE id = ?) AND state != 'resolved' RETURNING id
"""
_SILENCE = """
    INSERT INTO silences (id, type, token_id, entity, author, reason, from_us, until_us, tenant)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_SILENCES = """
    SELECT id, type, token_id, entity, author, reason, from_us, until_us, tenant FROM silences
    WHERE {visible} AND until_us > ?
"""


@dataclass(frozen=True, slots=True)
class AlertPage:
    """A page of alerts, newest first, and the cursor of the next page, None on the last."""

    alerts: list[Alert]
    cursor: str | None


class AlertReader:
    """Queries the database over one connection; a missing database is empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._place = FilePlace()

    def query_visible(
        self, statement: str, visibility: Visibility, parameters: tuple[Any, ...]
    ) -> list[tuple[Any, ...]]:
        """Return the rows that are visible: `{visible}` in the statement stands for that condition."""
        tenants = visibility.tenants
        # One tenant may have few alerts among many; of several, the newest are near the end of the table: `+` says so.
        indexed = "" if tenants is None or len(tenants) == 1 else "+"
        visible = "1" if tenants is None else f"{indexed}tenant IN ({', '.join('?' * len(tenants))})"
        return self.query(statement.format(visible=visible), (*sorted(tenants or ()), *parameters))

    def query(self, statement: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows, or raise `Unavailable`."""
        with self._lock:
            try:
                if self._connection is not None and not self._place.is_kept():
                    self._close()
                if self._connection is None:
                    if not self._path.exists():
                        return []
                    self._connection = open_database(self._path)
                    self._place = FilePlace(self._path)
                return self._connection.execute(statement, parameters).fetchall()
            except (OSError, sqlite3.Error) as error:
                raise Unavailable("alerts", "The alert store cannot be read.") from error

    def close(self) -> None:
        """Close the connection; the next query opens another."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class AlertArchive(AlertReader):
    """Reads the alerts of all services of a host, as far as they are visible."""

    def page(self, *, limit: int, cursor: str | None = None, visibility: Visibility = EVERYTHING) -> AlertPage:
        """Return at most `limit` alerts older than `cursor`.

        Raises:
            InvalidInput: the cursor is not one that an earlier page gave.
            Unavailable: the store cannot be read.
        """
        if cursor is not None and not _CURSOR.fullmatch(cursor):
            raise InvalidInput("The cursor is not valid; use the `cursor` of the previous page.")
        rows = self.query_visible(_PAGE, visibility, (_END if cursor is None else int(cursor), limit + 1))
        chosen = rows[:limit]
        readable = build_readable([row[1:] for row in chosen], lambda row: alert_of(row[1:]))
        counts = {row[1]: row[0] or 1 for row in chosen}
        alerts = [replace(alert, count=counts[row[0]]) for row, alert in readable]
        return AlertPage(alerts, str(chosen[-1][1]) if len(rows) > limit else None)

    def get(self, alert_id: str, visibility: Visibility = EVERYTHING) -> Alert:
        """Return the alert of that id.

        Raises:
            AlertNotFound: there is none that is visible.
            Unavailable: the store cannot be read.
        """
        # Some text has no UTF-8 form for a query.
        rows = self.query_visible(_ONE, visibility, (alert_id,)) if alert_id.isascii() else []
        for _, alert in build_readable(rows, alert_of):
            return alert
        raise AlertNotFound("No alert has that id.")


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """The state of a notification, and its last error."""

    channel: str
    event: str
    state: str
    attempts: int
    error: str | None


@dataclass(frozen=True, slots=True)
class GroupState:
    """The state of an alert's group, who changed it, and its notifications, newest first."""

    id: str
    severity: str
    count: int
    first: datetime
    last: datetime
    state: str
    state_by: str | None
    state_reason: str | None
    state_since: datetime | None
    deliveries: list[DeliveryState]


@dataclass(frozen=True, slots=True)
class Silence:
    """Suppresses notifications of matching alerts of a tenant for a time. A condition that is None matches all.

    One of `~system` applies to the alerts of all tenants.
    """

    type: str | None
    token_id: str | None
    entity: str | None
    author: str
    reason: str
    start: datetime
    end: datetime
    id: str = ""
    tenant: str = SYSTEM_TENANT


class AlertTriage(AlertReader):
    """Reads and changes the state of groups; every change is on disk when it is answered."""

    def group_of(self, alert_id: str) -> GroupState | None:
        """Return the group of an alert, None before it has one."""
        rows = self.query(_GROUP, (alert_id,)) if alert_id.isascii() else []
        if not rows:
            return None
        group_id, severity, count, first_us, last_us, state, by, reason, state_us = rows[0]
        since = None if state_us is None else from_us(state_us)
        deliveries = [DeliveryState(*row) for row in self.query(_DELIVERIES, (group_id,))]
        return GroupState(
            group_id, severity, count, from_us(first_us), from_us(last_us), state, by, reason, since, deliveries
        )

    def change(self, alert_id: str, state: str, author: str, reason: str | None) -> None:
        """Set the group of an alert to `acknowledged` (no more reminders) or `resolved` (the next alert opens another).

        Raises:
            AlertNotFound: no alert has that id, or its group is resolved already.
            Unavailable: the store cannot be written.
        """
        now_us = to_us(datetime.now(UTC))
        if not alert_id.isascii() or not self._write(_CHANGE, (state, author, reason, now_us, alert_id)):
            raise AlertNotFound("No alert with an unresolved group has that id.")

    def silence(self, silence: Silence) -> str:
        """Keep a silence, and return its id.

        Raises:
            InvalidInput: it ends before it begins.
            Unavailable: the store cannot be written.
        """
        if silence.end <= silence.start:
            raise InvalidInput("The end of a silence must be after its start.")
        silence_id = secrets.token_hex(8)
        matching = (silence.type, silence.token_id, silence.entity)
        times = (to_us(silence.start), to_us(silence.end))
        self._write(_SILENCE, (silence_id, *matching, silence.author, silence.reason, *times, silence.tenant))
        return silence_id

    def silences(self, visibility: Visibility = EVERYTHING) -> list[Silence]:
        """Return the silences that have not ended and are visible."""
        rows = self.query_visible(_SILENCES, visibility, (to_us(datetime.now(UTC)),))
        return [silence for _, silence in build_readable(rows, _silence_of)]

    def _write(self, statement: str, parameters: tuple[Any, ...]) -> list[Any]:
        try:
            connection = open_database(self._path)
            try:
                return connection.execute(statement, parameters).fetchall()
            finally:
                connection.close()
        except (OSError, sqlite3.Error) as error:
            raise Unavailable("alerts", "The alert store cannot be written.") from error


def _silence_of(row: Row) -> Silence:
    return Silence(row[1], row[2], row[3], row[4], row[5], from_us(row[6]), from_us(row[7]), row[0], row[8])
