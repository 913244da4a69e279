"""Formats times, durations, percentages and latencies."""

from datetime import datetime, timedelta

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


def clock_time(at: datetime) -> str:
    """Return the time of day: 23:59:01."""
    return f"{at:%H:%M:%S}"


def moment(at: datetime, now: datetime) -> str:
    """Return a time, with its date where that is not today."""
    if at.date() == now.date():
        return f"{at:%H:%M}"
    return f"{at.day} {at:%b, %H:%M}" if at.year == now.year else f"{at.day} {at:%b %Y, %H:%M}"


def duration(seconds: float | timedelta) -> str:
    """Return a duration in at most two units: 2 h 5 min. A `timedelta` is rounded to seconds."""
    total_s = round(seconds.total_seconds()) if isinstance(seconds, timedelta) else seconds
    if total_s < MINUTE_S:
        return f"{total_s:.3g} s"
    whole_s = int(total_s)
    for unit_s, unit, lesser_s, lesser in ((DAY_S, "d", HOUR_S, "h"), (HOUR_S, "h", MINUTE_S, "min")):
        if whole_s >= unit_s:
            rest = whole_s % unit_s // lesser_s
            return f"{whole_s // unit_s} {unit}" + (f" {rest} {lesser}" if rest else "")
    rest = whole_s % MINUTE_S
    return f"{whole_s // MINUTE_S} min" + (f" {rest} s" if rest else "")


def percent(share: float | None) -> str:
    """Return a percentage that is 100 only if the share is exactly 1."""
    if share is None:
        return "–"
    if share == 1:
        return "100%"
    return f"{min(share * 100, 99.99):.2f}%"


def milliseconds(value: float | None) -> str:
    """Return a latency."""
    return "–" if value is None else f"{value:.3g} ms" if value < 1000 else f"{value / 1000:.3g} s"
