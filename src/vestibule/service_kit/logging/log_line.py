"""One event as one line: JSON for files and programs, columns for people; no field can break out of either."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

# Every line begins with these, in this order.
FIRST_FIELDS = ("timestamp", "level", "service", "event", "request_id")

# Control characters, line breaks, invisible characters, changes of text direction, lone surrogates.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\U000e0000-\U000e007f]"
)
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
_DEEPEST = 8
_PLAIN = re.compile(r"""[^\s"'=\\{}\[\]]+""")
_COLOURS = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "1;31"}


def encode_line(fields: Mapping[str, Any]) -> bytes:
    """Return `fields` as a line of JSON that ends with a line feed.

    Characters that could forge a line, move a terminal's cursor or hide text are escaped twice, so that a program that
    parses the JSON and prints a field is safe too.
    """
    try:
        line = orjson.dumps(fields, default=_as_text, option=_OPTIONS)
    except (TypeError, RecursionError):
        # Numbers and names that JSON does not know, lone surrogates, objects within each other.
        return orjson.dumps(_disarm(fields), option=_OPTIONS)
    if line.isascii() and b"\\" not in line and b"\x7f" not in line:
        return line
    return orjson.dumps(_disarm(fields), option=_OPTIONS)


def decode_line(line: bytes) -> dict[str, Any] | None:
    """Return the fields of a line, or None if it is not a log line."""
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return fields if isinstance(fields, dict) else None


def render_line(fields: Mapping[str, Any], *, has_colour: bool) -> str:
    """Return `fields` in columns for a person, as one line without its end."""
    paint = _paint if has_colour else _leave
    shown = {str(name): value for name, value in _disarm(fields).items() if value is not None}
    timestamp, level, service, event = (str(shown.pop(name, "-")) for name in FIRST_FIELDS[:4])
    rest = " ".join(f"{paint(name + '=', '2')}{_shown(value)}" for name, value in shown.items())
    columns = (
        paint(_short(timestamp), "2"),
        paint(f"{level:<7}", _COLOURS.get(level, "0")),
        paint(f"{service:<14}", "36"),
        paint(event, "1"),
        rest,
    )
    return " ".join(columns).rstrip()


def _short(timestamp: str) -> str:
    # Milliseconds are enough for the eye.
    return f"{timestamp[:10]} {timestamp[11:23]}" if timestamp.endswith("Z") else timestamp


def _shown(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return orjson.dumps(value).decode().replace("\\\\", "\\")


def _paint(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m"


def _leave(text: str, _colour: str) -> str:
    return text


def _disarm(value: Any, depth: int = 0) -> Any:
    match value:
        case str():
            disarmed: Any = _UNSAFE.sub(_escape, value)
        case None | bool() | float() | datetime():
            disarmed = value
        case int():
            disarmed = value if -(2**63) <= value < 2**64 else str(value)
        case Mapping() | list() | tuple() | set() | frozenset() if depth > _DEEPEST:
            disarmed = "..."
        case Mapping():
            disarmed = {_disarm(_as_text(name)): _disarm(part, depth + 1) for name, part in value.items()}
        case list() | tuple() | set() | frozenset():
            disarmed = [_disarm(part, depth + 1) for part in value]
        case _:
            disarmed = _disarm(_as_text(value))
    return disarmed


def _as_text(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - an object without a text must not lose its line
        return type(value).__qualname__


def _escape(found: "re.Match[str]") -> str:
    return found.group().encode("unicode_escape").decode()
