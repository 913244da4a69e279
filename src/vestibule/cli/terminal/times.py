"""Times and durations as people read them."""

from datetime import UTC, datetime, timedelta

# Below `limit` seconds a duration is shown in a unit of `seconds`.
_UNITS = ((60, 1, "s"), (3_600, 60, "min"), (86_400, 3_600, "h"), (14 * 86_400, 86_400, "d"))
_WEEK_S = 7 * 86_400
# A time that is further away is shown as a date.
_FAR = timedelta(days=60)


def absolute(moment: datetime) -> str:
    """Return a time in UTC as RFC 3339 has it, with milliseconds only where it has some."""
    given = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    shown = given.isoformat(timespec="milliseconds" if given.microsecond else "seconds")
    return shown.replace("+00:00", "Z")


def relative(moment: datetime, now: datetime) -> str:
    """Return how long ago a time was, or in how long it comes: "3 min ago", "in 2 h", or its date if it is far."""
    given = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    distance = now - given
    if abs(distance) > _FAR:
        return f"{given:%Y-%m-%d}"
    seconds = distance.total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"{_rounded(seconds)} ago" if seconds > 0 else f"in {_rounded(-seconds)}"


def duration(length: timedelta | float) -> str:
    """Return a duration, or one in seconds, with its two largest units: "1 h 30 min", "90 ms"."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else float(length)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds else "0 s"
    if seconds < 60:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    parts: list[str] = []
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {name}")
        if len(parts) == 2:
            break
    return " ".join(parts)


def _rounded(seconds: float) -> str:
    for limit, size, name in _UNITS:
        if seconds < limit:
            return f"{int(seconds // size)} {name}"
    return f"{int(seconds // _WEEK_S)} wk"
