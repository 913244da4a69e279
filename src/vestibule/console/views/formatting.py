"""How values stand on a page: times, durations, numbers, and the tone of a state."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

MINUTE, HOUR, DAY = 60, 3600, 86_400

# What colour and sign a state has: good, warning, bad, info, and quiet for what has ended.
TONES = {
    **dict.fromkeys(("succeeded", "done", "delivered", "up", "let_in", "clean", "active", "finished"), "good"),
    **dict.fromkeys(
        ("retrying", "refused", "acknowledged", "degraded", "warning", "redact", "tokenize", "number", "fake", "alert"),
        "warning",
    ),
    **dict.fromkeys(
        ("failed", "blocked", "block", "critical", "down", "given_up", "open", "error", "late", "missed", "failing"),
        "bad",
    ),
    **dict.fromkeys(("queued", "running", "waiting", "planned", "unknown", "starting", "info"), "info"),
    # Of tasks, schedules and workers.
    **{"alive": "good", "paused": "warning", "dead": "bad", "missing": "bad"},
}


def tone(state: str | None) -> str:
    """Return the tone of a state; `quiet` for one that nobody has to look at."""
    return TONES.get(state or "", "quiet")


def moment(at: datetime) -> str:
    """Return a time as `2026-01-31 12:00:00 UTC`."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def ago(at: datetime, now: datetime | None = None) -> str:
    """Return how long ago a time is, or in how long it comes: `5 min ago`, `in 2 h`."""
    seconds = ((now or datetime.now(UTC)) - at).total_seconds()
    if abs(seconds) < 1:
        return "now"
    text = duration(abs(seconds))
    return f"{text} ago" if seconds > 0 else f"in {text}"


def is_past(at: datetime) -> bool:
    """Say whether a time has come."""
    return at <= datetime.now(UTC)


def duration(seconds: float) -> str:
    """Return a time span in its largest unit, two below ten: `850 ms`, `12 s`, `3 h 5 min`, `12 d`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    for unit, length, smaller, part in (("d", DAY, "h", HOUR), ("h", HOUR, "min", MINUTE), ("min", MINUTE, "s", 1)):
        if seconds >= length:
            whole, rest = divmod(seconds, length)
            few = int(rest // part)
            return f"{whole:.0f} {unit} {few} {smaller}" if few and whole < 10 else f"{whole:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def until(seconds: float) -> str:
    """Return how long it is until a time in seconds since 1970."""
    return duration(max(0.0, seconds - time.time()))


def number(value: float) -> str:
    """Return a number with separators: `12,345`, `0.25`."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def percent(ratio: float) -> str:
    """Return a ratio as a percentage that does not round a failure away."""
    value = ratio * 100
    return f"{value:.0f}%" if value in (0, 100) else f"{min(value, 99.99):.2f}%"


def words(name: str) -> str:
    """Return a name of the API as words: `let_in` is `let in`."""
    return name.replace("_", " ").replace("-", " ")


def member(where: str) -> str:
    """Return what the API names a member of a request by, without the part of the request it is in: `body/reason`."""
    part, _, name = where.partition("/")
    return name if name and part in {"body", "query", "path", "header"} else where


def expectation(expected: str) -> str:
    """Return what the API expected of a member; a pattern says nothing to most people."""
    return "cannot be written like this" if "should match pattern" in expected else expected


def segment(text: str) -> str:
    """Return a text as one segment of an address."""
    return quote(text, safe="")


def pairs(values: Iterable[str]) -> list[tuple[str, str]]:
    """Return values as choices of a form whose texts are the values themselves."""
    return [(value, value) for value in values]


def with_query(path: str, **members: Any) -> str:
    """Return an address with a query of those members that are not empty."""
    pairs = [(name, value) for name, value in members.items() if value not in (None, "") and value is not False]
    return f"{path}?{urlencode(pairs)}" if pairs else path


FILTERS: dict[str, Callable[..., Any]] = {
    "ago": ago,
    "duration": duration,
    "expectation": expectation,
    "is_past": is_past,
    "iso": datetime.isoformat,
    "member": member,
    "moment": moment,
    "number": number,
    "pairs": pairs,
    "percent": percent,
    "segment": segment,
    "tone": tone,
    "until": until,
    "with_query": with_query,
    "words": words,
}
