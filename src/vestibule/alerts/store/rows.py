"""Maps alerts to database rows and back."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from vestibule.alerts.alert import Alert, AlertType, Severity

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ALERT_COLUMNS = (
    "id, time_us, type, severity, description, service, entities, fingerprint, request_id, token_id, subject"
)
_SEPARATOR = ", "


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
        # What has no UTF-8 form has no place in the file; a strange description loses no alert.
        alert.description.encode("utf-8", "backslashreplace").decode(),
        alert.service,
        join_entities(alert.entities),
        alert.fingerprint,
        alert.request_id,
        alert.token_id,
        alert.subject,
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
    )
