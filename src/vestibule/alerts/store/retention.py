"""Deletes expired alerts, notifications and reports, in small steps off the request path.

Undelivered notifications stay. So does the first alert of every unresolved group above `info`, with its report.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from vestibule.alerts.store.database import to_us, transaction

EVERY_S = 3600
# Small steps: recording an alert waits a few milliseconds at most for the lock.
ROWS_A_STEP = 100
FILES_A_STEP = 500

# `groups` is what the group of the row is, and NULL where it is gone already.
NEXT = """
    SELECT a.seq, a.id, a.group_id, g.id IS NULL OR (
        (g.state = 'resolved' OR g.severity = 'info') AND g.last_us < ?1
        AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.group_id = g.id AND d.state = 'waiting')
    )
    FROM alerts a LEFT JOIN groups g ON g.id = a.group_id
    WHERE a.seq > ?2 AND a.time_us < ?1 AND a.group_id IS NOT NULL ORDER BY a.seq LIMIT ?3
"""
STRAY_KEYS = """
    SELECT type, key FROM memberships m WHERE NOT EXISTS (SELECT 1 FROM groups g WHERE g.id = m.group_id) LIMIT 5000
"""
OLD_DELIVERIES = """
    DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE state != 'waiting' AND created_us < ? LIMIT ?)
"""


class AlertRetention:
    """Deletes what has expired once an hour, one step at each call."""

    def __init__(
        self, report_dir: Path, keep_days: float, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._report_dir = report_dir
        self._keep = timedelta(days=keep_days)
        self._now = now
        self._next_at_s = 0.0
        self._round: Iterator[None] | None = None

    def step(self, connection: sqlite3.Connection) -> bool:
        """Do one step over `connection`, and say whether more steps are due now."""
        if self._round is None:
            if time.monotonic() < self._next_at_s:
                return False
            self._round = self._steps(connection, self._now() - self._keep)
        try:
            next(self._round)
        except StopIteration:
            self._end_round()
        except (OSError, sqlite3.Error) as error:
            structlog.get_logger("vestibule.alerts").error("alert_pruning_failed", error=type(error).__name__)
            self._end_round()
        return self._round is not None

    def _end_round(self) -> None:
        self._round = None
        self._next_at_s = time.monotonic() + EVERY_S

    def _steps(self, connection: sqlite3.Connection, oldest: datetime) -> Iterator[None]:
        yield from _prune_alerts(connection, to_us(oldest))
        yield from _prune_deliveries(connection, to_us(oldest))
        yield from _prune_keys(connection)
        yield from _prune_reports(connection, self._report_dir, oldest)


def _prune_alerts(connection: sqlite3.Connection, oldest_us: int) -> Iterator[None]:
    seq = 0
    while rows := connection.execute(NEXT, (oldest_us, seq, ROWS_A_STEP)).fetchall():
        with transaction(connection):
            for _, alert_id, group_id, is_over in rows:
                _prune_alert(connection, alert_id, group_id, bool(is_over))
        seq = rows[-1][0]
        yield


def _prune_alert(connection: sqlite3.Connection, alert_id: str, group_id: str, is_over: bool) -> None:
    if alert_id == group_id:
        # A group joins its first alert, so both are deleted together.
        if not is_over:
            return
        connection.execute("DELETE FROM deliveries WHERE group_id = ?", (group_id,))
        connection.execute("DELETE FROM groups WHERE id = ?", (group_id,))
    connection.execute("DELETE FROM alerts WHERE id = ?", (alert_id,))


def _prune_deliveries(connection: sqlite3.Connection, oldest_us: int) -> Iterator[None]:
    while True:
        with transaction(connection):
            gone = connection.execute(OLD_DELIVERIES, (oldest_us, ROWS_A_STEP)).rowcount
            connection.execute("DELETE FROM silences WHERE until_us < ?", (oldest_us,))
        if gone < ROWS_A_STEP:
            return
        yield


def _prune_keys(connection: sqlite3.Connection) -> Iterator[None]:
    while keys := connection.execute(STRAY_KEYS).fetchall():
        for start in range(0, len(keys), ROWS_A_STEP):
            with transaction(connection):
                connection.executemany(
                    "DELETE FROM memberships WHERE type = ? AND key = ?", keys[start : start + ROWS_A_STEP]
                )
            yield


def _prune_reports(connection: sqlite3.Connection, folder: Path, oldest: datetime) -> Iterator[None]:
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if _is_older(entry.name, oldest) and not _is_kept(connection, entry.name):
                Path(entry.path).unlink(missing_ok=True)
            if number % FILES_A_STEP == FILES_A_STEP - 1:
                yield


def _is_older(name: str, oldest: datetime) -> bool:
    # `.<report>.<random>` is an unfinished report, left by a crash.
    if name.endswith(".txt") or name.startswith("."):
        return name.lstrip(".")[:15] < f"{oldest:%Y%m%dT%H%M%S}"
    return name.startswith("alerts_") and name.endswith(".jsonl") and name[7:17] < f"{oldest:%Y-%m-%d}"


def _is_kept(connection: sqlite3.Connection, name: str) -> bool:
    alert_id = name.removesuffix(".txt").rpartition("_")[2]
    return connection.execute("SELECT 1 FROM alerts WHERE id = ?", (alert_id,)).fetchone() is not None
