"""Times, time spans, days and hours that somebody enters in a form."""

import math
import re
from datetime import UTC, date, datetime, timedelta

from vestibule.contracts.errors import InvalidInput

_SPAN = re.compile(r"([0-9]{1,5})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def moment_of(text: str, name: str) -> datetime | None:
    """Return a time, in UTC where it names no zone; None for none. Raises: InvalidInput."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise _mistake(name, "a time such as 2026-01-31T12:00") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def day_of(text: str, name: str, otherwise: date) -> date:
    """Return a day; `otherwise` for none. Raises: InvalidInput."""
    if not text:
        return otherwise
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise _mistake(name, "a day such as 2026-01-31") from error


def start_of(day: date) -> datetime:
    """Return when a day begins in UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def today() -> date:
    """Return the day in UTC."""
    return datetime.now(UTC).date()


def days_before(day: date, count: int) -> date:
    """Return a day so many days earlier, or the first of the calendar."""
    return day - timedelta(days=min(count, day.toordinal() - 1))


def day_after(day: date) -> date:
    """Return the next day, or the last of the calendar."""
    return min(day, date.max - timedelta(days=1)) + timedelta(days=1)


def time_of(text: str, name: str, now: datetime | None = None) -> datetime | None:
    """Return a time, or a time span before now such as `24h`; None for none. Raises: InvalidInput."""
    span = _SPAN.fullmatch(text)
    if span is None:
        return moment_of(text, name)
    return (now or datetime.now(UTC)) - timedelta(**{_UNITS[span[2]]: int(span[1])})


def as_entered(text: str) -> str:
    """Return a time or a time span as the browser's field for times shows it; nothing for what is neither."""
    try:
        time = time_of(text, "")
        return "" if time is None else f"{time.astimezone(UTC):%Y-%m-%dT%H:%M}"
    # The second: in UTC it is before the year 1 or after 9999.
    except (InvalidInput, OverflowError):
        return ""


def hours_of(text: str) -> float:
    """Return a number of hours that somebody typed. Raises: InvalidInput, if it is none."""
    try:
        hours = float(text)
    except ValueError:
        hours = math.nan
    if not math.isfinite(hours):
        raise InvalidInput("“hours” must be a number, such as 8 or 0.5.")
    return hours


def _mistake(name: str, expected: str) -> InvalidInput:
    mistake = {"where": f"query/{name}", "kind": "value", "expected": expected}
    return InvalidInput(f"The filter {name} is no time.", errors=[mistake])
