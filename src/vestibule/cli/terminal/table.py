"""Renders rows as a table for a terminal, or as lines separated by tabs for programs."""

import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple

from vestibule.cli.options import escape_controls
from vestibule.cli.terminal.colour import STATE_STYLES, Style, painted
from vestibule.cli.terminal.times import absolute, duration, relative

GAP = "  "
# What a column may be cut to, and where the terminal is still too narrow.
SHORT, SHORTEST = 8, 4
ELLIPSIS = "…"
# For programs a row is a line, and a tab ends a cell.
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class Column(NamedTuple):
    """A column: its heading, and what `value` finds in a row: a text, number, time, duration, list or None.

    A column that `shrinks` is cut where the terminal is too narrow. States and severities have their colours.
    """

    heading: str
    value: Callable[[Any], Any]
    shrinks: bool = False
    is_right: bool = False


class Reader(NamedTuple):
    """For whom a table is: `width` of the terminal, None for a program; whether in colour; and whether in UTC."""

    width: int | None
    has_colour: bool
    is_utc: bool
    now: datetime


def render_table(rows: Sequence[Any], columns: Sequence[Column], reader: Reader) -> str:
    """Return a table with headings, fitted to the width; for a program full values separated by tabs, no headings."""
    if reader.width is None:
        return "\n".join("\t".join(plain(column.value(row)) for column in columns) for row in rows)
    # As it is printed: an escaped character takes more room.
    cells = [[escape_controls(_one_line(shown(column.value(row), reader))) for column in columns] for row in rows]
    widths = _fitted([[column.heading for column in columns], *cells], columns, reader.width)
    header = _line([column.heading for column in columns], columns, widths, reader, [Style.HEADER] * len(columns))
    lines = [_line(row, columns, widths, reader, [STATE_STYLES.get(cell) for cell in row]) for row in cells]
    return "\n".join([header, *lines])


def render_line(row: Any, columns: Sequence[Column], reader: Reader) -> str:
    """Return one row that comes before the next is known: without headings, and with absolute times."""
    cells = [plain(column.value(row)) for column in columns]
    if reader.width is None:
        return "\t".join(cells)
    styles = [STATE_STYLES.get(cell) if reader.has_colour else None for cell in cells]
    return GAP.join(painted(escape_controls(cell or "-"), style) for cell, style in zip(cells, styles, strict=True))


def render_fields(fields: Sequence[tuple[str, Any]], reader: Reader) -> str:
    """Return named values, one a line; those that are None or empty are left out."""
    given = [(name, value) for name, value in fields if value not in (None, "", [], ())]
    if reader.width is None:
        return "\n".join(f"{name}\t{plain(value)}" for name, value in given)
    longest = max((len(name) for name, _ in given), default=0)
    lines = []
    for name, value in given:
        text = shown(value, reader, is_long=True)
        style = STATE_STYLES.get(text) if reader.has_colour else None
        label = painted(f"{name:{longest}}", Style.FAINT) if reader.has_colour else f"{name:{longest}}"
        lines.append(f"{label}{GAP}{painted(escape_controls(text), style)}")
    return "\n".join(lines)


def plain(value: Any) -> str:
    """Return a value for a program: times in RFC 3339, durations in seconds, lists with commas."""
    match value:
        case None:
            text = ""
        case bool():
            text = str(value).lower()
        case datetime():
            text = absolute(value)
        case timedelta():
            text = f"{value.total_seconds():g}"
        case list() | tuple() | set() | frozenset():
            text = ",".join(plain(one) for one in value)
        case _:
            text = str(value.value if isinstance(value, Enum) else value).translate(_ESCAPED)
    return text


def shown(value: Any, reader: Reader, *, is_long: bool = False) -> str:
    """Return a value for a person; a time with its distance, and if `is_long` both."""
    match value:
        case bool():
            text = "yes" if value else "no"
        case datetime():
            text = _shown_time(value, reader, is_long)
        case timedelta():
            text = duration(value)
        case int():
            text = f"{value:,}"
        case list() | tuple() | set() | frozenset():
            text = ", ".join(shown(one, reader) for one in value)
        case _:
            text = "" if value is None else str(value.value if isinstance(value, Enum) else value)
    return text or "-"


def display_width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(_char_width(char) for char in text)


def _char_width(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Cf", "Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _shown_time(moment: datetime, reader: Reader, is_long: bool) -> str:
    if reader.is_utc:
        return absolute(moment)
    distance = relative(moment, reader.now)
    return f"{absolute(moment)} ({distance})" if is_long else distance


def _fitted(lines: Sequence[Sequence[str]], columns: Sequence[Column], width: int) -> list[int]:
    """Return the widths of the columns: the widest of those that shrink gives, as long as one has something to give."""
    widths = [max(display_width(line[index]) for line in lines) for index in range(len(columns))]
    shrinking = [index for index, column in enumerate(columns) if column.shrinks]
    for shortest in (SHORT, SHORTEST):
        while (over := sum(widths) + len(GAP) * (len(columns) - 1) - width) > 0:
            widest = max(shrinking, key=lambda index: widths[index], default=None)
            if widest is None or widths[widest] <= shortest:
                break
            # The last characters are taken evenly.
            taken = over if shortest == SHORT else 1
            others = [widths[index] for index in shrinking if widths[index] < widths[widest]]
            widths[widest] = max(shortest, *others, widths[widest] - taken)
    return widths


def _line(
    cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int], reader: Reader, styles: Sequence[Any]
) -> str:
    parts = []
    for index, (cell, column, style) in enumerate(zip(cells, columns, styles, strict=True)):
        text = _cut(cell, widths[index])
        room = " " * (widths[index] - display_width(text))
        is_last = index == len(columns) - 1
        coloured = painted(text, style) if reader.has_colour else text
        parts.append(room + coloured if column.is_right else coloured + ("" if is_last else room))
    return GAP.join(parts).rstrip()


def _one_line(text: str) -> str:
    return " ".join(text.splitlines()) if "\n" in text or "\r" in text else text


def _cut(text: str, width: int) -> str:
    if display_width(text) <= width:
        return text
    taken, room = [], width - 1
    for char in text:
        room -= _char_width(char)
        if room < 0:
            break
        taken.append(char)
    return "".join(taken) + ELLIPSIS


def current_time() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)
