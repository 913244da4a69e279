"""The alert store, shared by all processes of a host: waiting alerts are committed in one batch."""

import asyncio
import sqlite3
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import structlog

from vestibule.alerts.alert import Alert, AlertType
from vestibule.alerts.store.database import ALERT_COLUMNS, US, open_database, row_of, to_us
from vestibule.runtime.files import FileMoved, FilePlace
from vestibule.runtime.writer_thread import CAPACITY, WriterThread

LEAKS = frozenset({AlertType.PERSONAL_DATA, AlertType.SECRET})
INSERT = f"INSERT INTO alerts ({ALERT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
COUNT_LEAKS = """
    SELECT count(*) FROM (
        SELECT 1 FROM alerts WHERE token_id = ? AND time_us > ? AND type IN ('PersonalData', 'Secret') LIMIT ?
    )
"""


# Any caller can cause these as often as it likes: each token or address gets this many files a minute, for each type.
BOUNDED_TYPES = frozenset({AlertType.INVALID_INPUT, AlertType.INVALID_TOKEN, AlertType.TASK_FAILED})
REPORTS_PER_MINUTE = 20
WINDOW_S = 60
MAX_REPORT_GROUPS = 10_000
MAX_BATCH = 500
# What could not be recorded is retried this often; if too many wait, the oldest are dropped. Their reports stay.
RETRY_AFTER_S = 1.0
MAX_UNRECORDED = 10_000
# What is delivered after the answer waits this long for others.
COLLECT_S = 0.01


@dataclass(frozen=True, slots=True)
class Escalation:
    """The number of leaks of a token within a time that raises the severity."""

    leaks: int = 10
    within_s: float = 3600


def insert_alert(connection: sqlite3.Connection, alert: Alert, rule: Escalation) -> Alert:
    """Insert `alert` and return it; its severity rises with the number of leaks of its token."""
    return insert_alerts(connection, [alert], rule)[0]


def insert_alerts(connection: sqlite3.Connection, alerts: Iterable[Alert], rule: Escalation) -> list[Alert]:
    """Insert alerts in their order and return them; severities rise with the number of leaks of their tokens.

    A token's earlier leaks are counted once, as of the first of `alerts`, which come within a moment.
    """
    leaks: dict[str, int] = {}
    entered = [_escalated(connection, alert, rule, leaks) for alert in alerts]
    connection.executemany(INSERT, map(row_of, entered))
    return entered


def _escalated(connection: sqlite3.Connection, alert: Alert, rule: Escalation, leaks: dict[str, int]) -> Alert:
    """Return an alert with its severity; `leaks` has those of each token before it."""
    token_id, earlier = alert.token_id, rule.leaks - 1
    if alert.type not in LEAKS or token_id is None:
        return alert
    if token_id not in leaks:
        since_us = to_us(alert.time) - int(rule.within_s * US)
        (leaks[token_id],) = connection.execute(COUNT_LEAKS, (token_id, since_us, earlier)).fetchone()
    count = leaks[token_id]
    leaks[token_id] += 1
    return replace(alert, severity=alert.severity.raised()) if count >= earlier else alert


class ReportBound:
    """Bounds how many report files alerts of one type get for each token or address, in bounded memory."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._counts: OrderedDict[tuple[AlertType, str | None], tuple[float, int]] = OrderedDict()

    def apply(self, alert: Alert) -> Alert:
        """Return the alert, without a report if its group has had enough of them in this minute."""
        if alert.type not in BOUNDED_TYPES:
            return alert
        key, now_s = (alert.type, alert.subject or alert.token_id), self._now_s()
        began_s, count = self._counts.get(key, (now_s, 0))
        if now_s - began_s >= WINDOW_S:
            began_s, count = now_s, 0
        self._counts[key] = (began_s, count + 1)
        self._counts.move_to_end(key)
        if len(self._counts) > MAX_REPORT_GROUPS:
            self._counts.popitem(last=False)
        return alert if count < REPORTS_PER_MINUTE else replace(alert, has_report=False)


class _Waiting(NamedTuple):
    alert: Alert
    recorded: "asyncio.Future[Alert]"
    loop: asyncio.AbstractEventLoop


AlertHandler = Callable[[Alert, bool], None]


class AlertStore:
    """Appends alerts to the database. A failing database blocks no request: its alerts are retried until it works."""

    def __init__(
        self,
        path: Path,
        rule: Escalation,
        before_answer: AlertHandler,
        after_answer: Callable[[list[Alert]], None],
        on_failure: Callable[[Exception], None],
        *,
        capacity: int = CAPACITY,
    ) -> None:
        """Take the parts. `before_answer` gets whether the alert is on disk, before the caller is answered."""
        self._reports = ReportBound()
        self._deliver = before_answer
        self._deliver_later = after_answer
        self._table = _AlertTable(path, rule, on_failure)
        self._recorder: WriterThread[_Waiting] = WriterThread(
            "alert-record",
            self._record,
            capacity=capacity,
            max_batch=MAX_BATCH,
            idle_s=lambda: RETRY_AFTER_S if self._table.is_behind else None,
            on_close=self._table.close,
        )
        self._deferred: WriterThread[Alert] = WriterThread(
            "alert-delivery", self._deliver_deferred, capacity=capacity, collect_s=COLLECT_S
        )

    async def add(self, alert: Alert) -> Alert:
        """Return the alert as it was recorded, when it is on disk, or when it is known that it cannot be now."""
        alert = self._reports.apply(alert)
        loop = asyncio.get_running_loop()
        recorded: asyncio.Future[Alert] = loop.create_future()
        if not self._recorder.put(_Waiting(alert, recorded, loop)):
            # The database hangs and its queue is full, so only the report of the alert lasts.
            await asyncio.to_thread(self._deliver, alert, False)
            self._deferred.put(alert)
            return replace(alert, is_recorded=False)
        # A caller who disconnects does not take the alert along.
        return await asyncio.shield(recorded)

    def close(self) -> None:
        """Record and deliver what waits, and end the threads. The next alert starts others."""
        self._recorder.close()
        self._deferred.close()

    def _record(self, batch: list[_Waiting]) -> None:
        entered, is_on_disk = self._table.write([one.alert for one in batch])
        answers: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Alert], Alert]]] = defaultdict(list)
        for one, alert in zip(batch, entered, strict=True):
            self._deliver(alert, is_on_disk)
            answers[one.loop].append((one.recorded, alert if is_on_disk else replace(alert, is_recorded=False)))
        for loop, pairs in answers.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_answer, pairs)
        for alert in entered:
            self._deferred.put(alert)

    def _deliver_deferred(self, alerts: list[Alert]) -> None:
        if alerts:
            self._deliver_later(alerts)


class _AlertTable:
    """Commits batches, and buffers what could not be committed."""

    def __init__(self, path: Path, rule: Escalation, on_failure: Callable[[Exception], None]) -> None:
        self._path = path
        self._rule = rule
        self._on_failure = on_failure
        self._connection: sqlite3.Connection | None = None
        self._place = FilePlace()
        self._unrecorded: list[Alert] = []

    @property
    def is_behind(self) -> bool:
        """Whether alerts wait to be retried."""
        return bool(self._unrecorded)

    def write(self, alerts: list[Alert]) -> tuple[list[Alert], bool]:
        """Return the alerts as they were entered, and whether they are on disk."""
        late = len(self._unrecorded)
        if not late and not alerts:
            return [], True
        try:
            entered = self._commit([*self._unrecorded, *alerts])
        except Exception as error:  # noqa: BLE001 - the callers of these alerts wait for an answer
            kept = [*self._unrecorded, *alerts]
            self._unrecorded = kept[-MAX_UNRECORDED:]
            self._close_moved() if isinstance(error, FileMoved) else self.close()
            self._on_failure(error)
            if len(kept) > MAX_UNRECORDED:
                structlog.get_logger("vestibule.alerts").error("alerts_not_recorded", alerts=len(kept) - MAX_UNRECORDED)
            return alerts, False
        self._unrecorded = []
        return entered[late:], True

    def _commit(self, alerts: list[Alert]) -> list[Alert]:
        if self._connection is None:
            self._connection = open_database(self._path)
            self._place = FilePlace(self._path)
        self._connection.execute("BEGIN IMMEDIATE")
        entered = insert_alerts(self._connection, alerts, self._rule)
        # Without this, alerts would go into a file that was renamed or removed, for as long as the process runs.
        self._place.check()
        self._connection.execute("COMMIT")
        return entered

    def _close_moved(self) -> None:
        # SQLite itself leaves the write-ahead log where the file is not any more; the next attempt makes a new file.
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.close()

    def close(self) -> None:
        """Close the connection, which rolls back what was not committed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


def _answer(pairs: "list[tuple[asyncio.Future[Alert], Alert]]") -> None:
    for recorded, alert in pairs:
        if not recorded.done():
            recorded.set_result(alert)
