"""Silences: which notifications are held back, by whom, why and until when; and how many they held back."""

import secrets
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from vestibule.alerts.store.database import Row, build_readable, from_us, to_us
from vestibule.alerts.store.reader import AlertReader
from vestibule.contracts.errors import InvalidInput, SilenceNotFound
from vestibule.contracts.identity import EVERYTHING, SYSTEM_TENANT, Visibility

MOST_LISTED = 500
_COLUMNS = """
    id, type, token_id, entity, author, reason, from_us, until_us, tenant, alerts, notifications,
    changed_by, changed_reason, changed_us
"""
_NAMES = (
    *("id", "type", "token_id", "entity", "author", "reason", "start", "end", "tenant", "alerts", "notifications"),
    *("changed_by", "changed_reason", "changed_at"),
)
_ADD = """
    INSERT INTO silences (id, type, token_id, entity, author, reason, from_us, until_us, tenant)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_LIST = f"""
    SELECT {_COLUMNS} FROM silences WHERE {{visible}} AND until_us > ? ORDER BY until_us DESC, id LIMIT {MOST_LISTED}
"""  # noqa: S608
_COUNT_IN_FORCE = "SELECT count(*) FROM silences WHERE tenant = ? AND until_us > ?"
_ONE = f"SELECT {_COLUMNS} FROM silences WHERE {{visible}} AND id = ?"  # noqa: S608
_UNTIL = "SELECT until_us FROM silences WHERE id = ? AND until_us > ?"
_CHANGE = "UPDATE silences SET until_us = ?, changed_by = ?, changed_reason = ?, changed_us = ? WHERE id = ?"
# What waited for the end of the silence waits for its new end.
_RELEASE = """
    UPDATE groups SET due_us = ? WHERE due_us = ? AND id IN (SELECT group_id FROM silenced WHERE silence_id = ?)
"""
# For an alert or a group at a time: type, token, entities and tenant.
_MATCHES = """
    from_us <= ?1 AND until_us > ?1 AND (type IS NULL OR type = ?2) AND (token_id IS NULL OR token_id = ?3)
    AND (entity IS NULL OR instr(', ' || ?4 || ', ', ', ' || entity || ', ') > 0) AND tenant IN ('~system', ?5)
"""
_COUNT_ALERT = f"UPDATE silences SET alerts = alerts + 1 WHERE {_MATCHES}"  # noqa: S608
_MATCHING = f"SELECT id, until_us FROM silences WHERE {_MATCHES}"  # noqa: S608
_HOLD = "INSERT OR IGNORE INTO silenced (group_id, silence_id, event, at_us) VALUES (?, ?, ?, ?)"
_COUNT_NOTICE = "UPDATE silences SET notifications = notifications + 1 WHERE id = ?"


@dataclass(frozen=True, slots=True)
class Silence:
    """Suppresses notifications of matching alerts of a tenant for a time. A condition that is None matches all.

    One of `~system` applies to the alerts of all tenants. `alerts` is the number of alerts that it matched while it was
    in force, `notifications` the number of notifications of groups that it held back.
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
    alerts: int = 0
    notifications: int = 0
    changed_by: str | None = None
    changed_reason: str | None = None
    changed_at: datetime | None = None


class SilenceRepository(AlertReader):
    """Reads and changes silences; every change is on disk when it is answered."""

    def add(self, silence: Silence) -> str:
        """Keep a silence, and return its id.

        Raises:
            InvalidInput: it ends before it begins, or as many of its tenant are in force as are listed.
            Unavailable: the store cannot be written.
        """
        if silence.end <= silence.start:
            raise InvalidInput("The end of a silence must be after its start.")
        silence_id = secrets.token_hex(8)
        matching = (silence.type, silence.token_id, silence.entity)
        times = (to_us(silence.start), to_us(silence.end))
        with self.writing() as connection:
            # Each alert is compared with all of them, also the alerts of other tenants.
            given = (silence.tenant, to_us(datetime.now(UTC)))
            if connection.execute(_COUNT_IN_FORCE, given).fetchone()[0] >= MOST_LISTED:
                raise InvalidInput(f"There are {MOST_LISTED} silences in force, the maximum; end some first.")
            connection.execute(_ADD, (silence_id, *matching, silence.author, silence.reason, *times, silence.tenant))
        return silence_id

    def find_all(self, visibility: Visibility = EVERYTHING, *, has_ended: bool = False) -> list[Silence]:
        """Return the visible silences that have not ended, or all that are kept; the latest end first, 500 at most."""
        since_us = -(2**62) if has_ended else to_us(datetime.now(UTC))
        rows = self.query_visible(_LIST, visibility, (since_us,))
        return [silence for _, silence in build_readable(rows, _silence_of)]

    def get(self, silence_id: str, visibility: Visibility = EVERYTHING) -> Silence:
        """Return a silence.

        Raises:
            SilenceNotFound: there is none that is visible.
        """
        rows = self.query_visible(_ONE, visibility, (silence_id,)) if silence_id.isascii() else []
        for _, silence in build_readable(rows, _silence_of):
            return silence
        raise SilenceNotFound("No silence has that id.")

    def set_end(
        self, silence_id: str, end: datetime, author: str, reason: str | None, visibility: Visibility = EVERYTHING
    ) -> Silence:
        """Let a silence end at `end`, or now if that is past, and return it as it is then.

        Raises:
            SilenceNotFound: there is none that is visible, or it has ended.
            Unavailable: the store cannot be written.
        """
        silence = self.get(silence_id, visibility)
        now_us = to_us(datetime.now(UTC))
        end_us = max(to_us(end), now_us)
        with self.writing() as connection:
            rows = connection.execute(_UNTIL, (silence.id, now_us)).fetchall()
            if rows:
                connection.execute(_CHANGE, (end_us, author, reason, now_us, silence.id))
                connection.execute(_RELEASE, (end_us, rows[0][0], silence.id))
        if not rows:
            raise SilenceNotFound("No silence that is in force has that id.")
        return self.get(silence_id, visibility)


def count_alert(connection: sqlite3.Connection, matching: tuple[Any, ...]) -> None:
    """Count an alert, by time, type, token, entities and tenant, for each silence that it matches."""
    connection.execute(_COUNT_ALERT, matching)


def hold_back(connection: sqlite3.Connection, group_id: str, event: str, matching: tuple[Any, ...]) -> int | None:
    """Return until when silences hold a notification back, None if none does; each of them counts it once."""
    rows = connection.execute(_MATCHING, matching).fetchall()
    for silence_id, _ in rows:
        if connection.execute(_HOLD, (group_id, silence_id, event, matching[0])).rowcount:
            connection.execute(_COUNT_NOTICE, (silence_id,))
    return max((until_us for _, until_us in rows), default=None)


def _silence_of(row: Row) -> Silence:
    silence = dict(zip(_NAMES, row, strict=True))
    times = {name: None if silence[name] is None else from_us(silence[name]) for name in ("start", "end", "changed_at")}
    members: dict[str, Any] = silence | times
    return Silence(**members)
