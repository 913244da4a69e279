"""The database of alerts: its tables, its connections, and the rows of alerts."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import structlog

from vestibule.alerts.alert import Alert, AlertType, Severity
from vestibule.alerts.store.schema import CHANGES, SCHEMA, VERSION
from vestibule.runtime.files import change_alone, remove_write_ahead_log
from vestibule.runtime.starts import DatabaseMark, is_passing, refuse_file
from vestibule.runtime.write_ahead_log import LIMIT_LOG

# Longer than a commit of another process takes; a request does not wait longer for its alert.
LOCK_TIMEOUT_S = 0.3
US = 1_000_000

ALERT_COLUMNS = (
    "id, time_us, type, severity, description, service, entities, fingerprint, request_id, token_id, subject, "
    "has_report, tenant, task_id, token_name"
)
_SEPARATOR = ", "


def open_database(path: Path) -> sqlite3.Connection:
    """Return a connection to the alert store in `path`, created readable by its owner only if missing.

    Raises:
        OSError: the folder cannot be written.
        sqlite3.Error: it cannot be opened.
    """
    # Of several processes that start at once, one creates the tables. `change_alone` creates the folder.
    with change_alone(path):
        if not path.exists():
            remove_write_ahead_log(path)
        # Before the first connection, since the files beside it get the mode that it has then.
        path.touch(mode=0o600)
        connection = sqlite3.connect(path, timeout=LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(LIMIT_LOG)
            connection.execute("PRAGMA synchronous = FULL")  # a commit is on disk, not on its way there
            connection.execute("PRAGMA secure_delete = ON")
            _make_tables(connection)
            DatabaseMark.beside(path).write("alerts")
        except (sqlite3.Error, OSError):
            connection.close()
            raise
    return connection


def check_database(path: Path) -> None:
    """Check at the start that the alert store is the one of before, if there was one, and can be opened.

    Raises:
        StartRefused: it is gone, empty or not an alert store.
    """
    DatabaseMark.beside(path).expect(path)
    if not path.exists():
        return
    try:
        open_database(path).close()
    except (sqlite3.Error, OSError) as error:
        if not is_passing(error):
            raise refuse_file(path, error) from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit all changes, or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _make_tables(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < VERSION:
        change = "".join(CHANGES[version - 1 :]) if version else SCHEMA
        connection.executescript(f"BEGIN IMMEDIATE; {change} PRAGMA user_version = {VERSION}; COMMIT;")


# Rows that cannot be read are logged once each, up to this many.
MAX_REPORTED = 1000
_reported: set[int] = set()
Row = tuple[Any, ...]
Built = TypeVar("Built")


def build_readable(rows: Iterable[Row], build: Callable[[Row], Built]) -> Iterator[tuple[Row, Built]]:
    """Yield each row with what `build` makes of it. A row that another version wrote, or a torn one, hides no other."""
    for row in rows:
        try:
            built = build(row)
        except (ValueError, OverflowError, TypeError) as error:
            if hash(row) not in _reported and len(_reported) < MAX_REPORTED:
                _reported.add(hash(row))
                structlog.get_logger("vestibule.alerts").error("alert_unreadable", error=type(error).__name__)
        else:
            yield row, built


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_us(time: datetime) -> int:
    """Return microseconds since the epoch, exactly."""
    return (time - EPOCH) // timedelta(microseconds=1)


def from_us(time_us: int) -> datetime:
    """Return the time that `to_us` was given."""
    return EPOCH + timedelta(microseconds=time_us)


def join_entities(entities: Sequence[str]) -> str:
    """Return the entities as one column."""
    return _SEPARATOR.join(entities)


def split_entities(column: str) -> tuple[str, ...]:
    """Return what `join_entities` was given."""
    return tuple(column.split(_SEPARATOR)) if column else ()


def row_of(alert: Alert) -> tuple[Any, ...]:
    """Return the values of `ALERT_COLUMNS`."""
    return (
        alert.id,
        to_us(alert.time),
        alert.type.value,
        alert.severity.value,
        # A description without a UTF-8 form is escaped, so that the alert is not lost.
        alert.description.encode("utf-8", "backslashreplace").decode(),
        alert.service,
        join_entities(alert.entities),
        alert.fingerprint,
        alert.request_id,
        alert.token_id,
        alert.subject,
        alert.has_report,
        alert.tenant,
        alert.task_id,
        alert.token_name,
    )


def alert_of(row: Sequence[Any]) -> Alert:
    """Return the alert whose `ALERT_COLUMNS` are `row`."""
    return Alert(
        id=row[0],
        time=from_us(row[1]),
        type=AlertType(row[2]),
        severity=Severity(row[3]),
        description=row[4],
        service=row[5],
        entities=split_entities(row[6]),
        fingerprint=row[7],
        request_id=row[8],
        token_id=row[9],
        subject=row[10],
        has_report=bool(row[11]),
        tenant=row[12],
        task_id=row[13],
        token_name=row[14],
    )
