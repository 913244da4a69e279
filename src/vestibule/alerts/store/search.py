"""Filtered pages in bounded time: reads by the most selective index, and says where it stopped.

A filter that few rows match is read by its own index, completely. Where every filter matches many, the rows are read
newest first and checked one by one, at most `MOST_EXAMINED` a page; the next page goes on from there.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from vestibule.alerts.store.database import from_us
from vestibule.contracts.errors import InvalidInput

Query = Callable[[str, tuple[Any, ...]], list[tuple[Any, ...]]]
MOST_EXAMINED = 1000
# Each read of a page examines so many times as many rows as the one before.
_GROWTH = 4
CURSOR_PATTERN = r"^-?[0-9]{1,19}-[0-9a-f]{1,18}$"
# What a store can compare.
MOST_US = 2**63
_CURSOR = re.compile(CURSOR_PATTERN)


@dataclass(frozen=True, slots=True)
class Index:
    """How rows are read by a filter: what stands after FROM, the condition, and the columns of the order.

    The rows of one that is not ordered are sorted after they were read, so it is used for few of them only.
    """

    source: str
    condition: str = "1"
    time: str = "a.time_us"
    key: str = "a.seq"
    is_ordered: bool = True
    # Counts what the rows are found by, up to a limit; where that is too much, the index is not used.
    count: str | None = None


@dataclass(frozen=True, slots=True)
class FilterCondition:
    """One filter with its value: how a row is checked, and the index by which the rows are read, if it has one."""

    check: str
    value: Any
    index: Index | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """From when and until when rows are wanted, in microseconds; and the place after which the page begins."""

    since_us: int | None = None
    until_us: int | None = None
    after: tuple[int, Any] | None = None

    def condition(self, index: Index) -> tuple[str, tuple[Any, ...]]:
        """Return the condition over the columns of an index, and its parameters."""
        until_us, after = self.until_us, self.after
        # One upper bound: by two of them the rows between them would be read too.
        if until_us is not None and after is not None:
            until_us, after = (None, after) if after[0] <= until_us else (until_us, None)
        parts = [
            (f"{index.time} >= ?", () if self.since_us is None else (self.since_us,)),
            (f"{index.time} <= ?", () if until_us is None else (until_us,)),
            (f"({index.time}, {index.key}) < (?, ?)", after or ()),
        ]
        given = [(text, values) for text, values in parts if values]
        parameters = tuple(value for _, values in given for value in values)
        return " AND ".join(["1", *(text for text, _ in given)]), parameters


@dataclass(frozen=True, slots=True)
class Found:
    """The keys of a page, newest first, and the place after which the next one begins, None on the last.

    `stopped_us` is the time of the last row that was examined where the page ended before it was full.
    """

    keys: list[Any]
    following: tuple[int, Any] | None
    stopped_us: int | None

    @property
    def stopped_at(self) -> datetime | None:
        """The time of that row; None also where its time is one that cannot be read."""
        try:
            return None if self.stopped_us is None else from_us(self.stopped_us)
        except OverflowError:
            return None


def find_page(query: Query, base: Index, conditions: list[FilterCondition], span: Span, limit: int) -> Found:
    """Return the next `limit` rows that match all conditions."""
    index, checked = _choose(query, base, conditions, span)
    keys: list[Any] = []
    place: tuple[int, Any] = (0, None)
    left, most = MOST_EXAMINED, limit + 1
    while left > 0:
        rows = _read(query, index, checked, span, most)
        for time_us, key, is_match in rows:
            if not is_match:
                continue
            if len(keys) == limit:
                return Found(keys, place, None)
            keys.append(key)
            place = (time_us, key)
        if len(rows) < most:
            return Found(keys, None, None)
        span = Span(span.since_us, span.until_us, (rows[-1][0], rows[-1][1]))
        left -= most
        most = min(most * _GROWTH, left)
    return Found(keys, span.after, rows[-1][0])


def _choose(
    query: Query, base: Index, conditions: list[FilterCondition], span: Span
) -> tuple[tuple[Index, tuple[Any, ...]], list[FilterCondition]]:
    """Return the index with the fewest rows and its parameter, and the conditions that are left to check."""
    best: FilterCondition | None = None
    fewest = MOST_EXAMINED + 1
    for one in conditions:
        if (index := one.index) is None:
            continue
        if index.count is not None and query(index.count, (one.value, MOST_EXAMINED + 1)) > [(MOST_EXAMINED,)]:
            continue
        within, parameters = span.condition(index)
        counted = f"SELECT count(*) FROM (SELECT 1 FROM {index.source} WHERE {index.condition} AND {within} LIMIT ?)"  # noqa: S608
        ((count,),) = query(counted, (one.value, *parameters, MOST_EXAMINED + 1)) or [(0,)]
        if count < fewest or (best is None and index.is_ordered):
            best, fewest = one, count
    if best is None or best.index is None:
        return (base, ()), conditions
    return (best.index, (best.value,)), [one for one in conditions if one is not best]


def _read(
    query: Query, chosen: tuple[Index, tuple[Any, ...]], checked: list[FilterCondition], span: Span, most: int
) -> list[tuple[Any, ...]]:
    index, value = chosen
    within, parameters = span.condition(index)
    match = " AND ".join(["1", *(one.check for one in checked)])
    statement = (
        f"SELECT {index.time}, {index.key}, {match} FROM {index.source} WHERE {index.condition} AND {within} "  # noqa: S608
        f"ORDER BY {index.time} DESC, {index.key} DESC LIMIT ?"
    )
    return query(statement, (*(one.value for one in checked), *value, *parameters, most))


def parse_cursor(cursor: str | None, parse_key: Callable[[str], Any]) -> tuple[int, Any] | None:
    """Return the place that a cursor stands for.

    Raises:
        InvalidInput: it is not one that an earlier page gave.
    """
    if cursor is None:
        return None
    time_us, _, key = cursor.rpartition("-")
    try:
        if _CURSOR.fullmatch(cursor) and abs(int(time_us)) < MOST_US:
            return int(time_us), parse_key(key)
    except ValueError:
        pass
    raise InvalidInput("The cursor is not valid; use the `cursor` of the previous page.")


def cursor_of(place: tuple[int, Any] | None) -> str | None:
    """Return the cursor of the page that begins after a place."""
    return None if place is None else f"{place[0]}-{place[1]}"
