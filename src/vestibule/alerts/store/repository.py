"""Inserts alerts into the database, within a transaction of the caller's."""

import sqlite3
from dataclasses import dataclass, replace

from vestibule.alerts.alert import Alert, AlertType, Severity
from vestibule.alerts.store.rows import ALERT_COLUMNS, row_of, to_us

US = 1_000_000
LEAKS = frozenset({AlertType.PERSONAL_DATA, AlertType.SECRET})
INSERT = f"INSERT INTO alerts ({ALERT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
COUNT_LEAKS = """
    SELECT count(*) FROM (
        SELECT 1 FROM alerts WHERE token_id = ? AND time_us > ? AND type IN ('PersonalData', 'Secret') LIMIT ?
    )
"""


@dataclass(frozen=True, slots=True)
class Escalation:
    """The number of leaks of a token within a time that raises the severity."""

    leaks: int = 10
    within_s: float = 3600


def insert_alert(connection: sqlite3.Connection, alert: Alert, rule: Escalation) -> Alert:
    """Enter `alert` and return it with the severity that it has after its token's leaks were counted."""
    severity = _severity(connection, alert, rule)
    alert = alert if severity is alert.severity else replace(alert, severity=severity)
    connection.execute(INSERT, row_of(alert))
    return alert


def _severity(connection: sqlite3.Connection, alert: Alert, rule: Escalation) -> Severity:
    if alert.type not in LEAKS or alert.token_id is None:
        return alert.severity
    since_us = to_us(alert.time) - int(rule.within_s * US)
    earlier = rule.leaks - 1
    (count,) = connection.execute(COUNT_LEAKS, (alert.token_id, since_us, earlier)).fetchone()
    return alert.severity.raised() if count >= earlier else alert.severity
