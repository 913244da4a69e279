"""Cron expressions fire at the minutes that a walk through every minute of the same weeks finds."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from vestibule.service_kit.recurrence import Crontab

MINUTE = timedelta(minutes=1)
DAYS = 15
# Two weeks around both changes of the clock of each zone, and over a leap day.
PERIODS = [
    ("Europe/Berlin", datetime(2026, 3, 21, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 17, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 2, 28, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 10, 24, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 3, 28, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 9, 26, tzinfo=UTC)),
    ("UTC", datetime(2028, 2, 20, tzinfo=UTC)),
]


class Field(NamedTuple):
    """A field as text, and the numbers that it stands for."""

    text: str
    numbers: frozenset[int]


class Minute(NamedTuple):
    """A minute: its moment, its local time, whether that is its second occurrence, what was skipped right before."""

    moment: datetime
    local: datetime
    is_repeated: bool
    skipped: tuple[datetime, ...]


@cache
def _minutes(timezone: str, start: datetime) -> list[Minute]:
    found, zone = [], ZoneInfo(timezone)
    before = (start - MINUTE).astimezone(zone).replace(tzinfo=None, fold=0)
    for number in range(DAYS * 24 * 60):
        moment = start + number * MINUTE
        here = moment.astimezone(zone)
        local = here.replace(tzinfo=None, fold=0)
        skipped = tuple(before + count * MINUTE for count in range(1, (local - before) // MINUTE))
        found.append(Minute(moment, local, here.fold == 1, skipped))
        before = local
    return found


def _fields(low: int, high: int) -> st.SearchStrategy[Field]:
    numbers = st.integers(low, high)
    pairs = st.tuples(numbers, numbers).map(sorted)
    steps = st.integers(1, min(7, high - low))
    lists = st.lists(numbers, min_size=1, max_size=4)
    return st.one_of(
        st.just(Field("*", frozenset(range(low, high + 1)))),
        numbers.map(lambda one: Field(f"{one:02}", frozenset({one}))),
        pairs.map(lambda pair: Field(f"{pair[0]}-{pair[1]}", frozenset(range(pair[0], pair[1] + 1)))),
        steps.map(lambda step: Field(f"*/{step}", frozenset(range(low, high + 1, step)))),
        st.tuples(st.integers(low, high - 7 if high > 7 else low), steps).map(
            lambda one: Field(f"{one[0]}-{high}/{one[1]}", frozenset(range(one[0], high + 1, one[1])))
        ),
        lists.map(lambda some: Field(",".join(map(str, some)), frozenset(some))),
    )


def _in_range(field: Field) -> Field:
    """Return a field of the hours 0 to 4 with these for `*`."""
    return Field(field.text.replace("*", "0-4"), field.numbers)


every_hour = st.just(Field("*", frozenset(range(24))))
nightly = st.tuples(_fields(0, 59), st.one_of(_fields(0, 4).map(_in_range), every_hour))
expressions = st.tuples(_fields(0, 59), _fields(0, 23), _fields(1, 31), _fields(1, 12), _fields(0, 7))


def _fires(fields: tuple[Field, ...], local: datetime) -> bool:
    minute, hour, day, month, weekday = fields
    if local.minute not in minute.numbers or local.hour not in hour.numbers or local.month not in month.numbers:
        return False
    is_day = local.day in day.numbers
    is_weekday = local.isoweekday() in weekday.numbers or local.isoweekday() % 7 in weekday.numbers
    needs_both = "*" in day.text or "*" in weekday.text
    return (is_day and is_weekday) if needs_both else (is_day or is_weekday)


def _walk(fields: tuple[Field, ...], minutes: list[Minute]) -> Iterator[datetime]:
    fires_every_hour = len(fields[1].numbers) == 24
    for minute in minutes:
        is_due = _fires(fields, minute.local) and (fires_every_hour or not minute.is_repeated)
        was_skipped = not fires_every_hour and any(_fires(fields, local) for local in minute.skipped)
        if is_due or was_skipped:
            yield minute.moment


def _follow(crontab: Crontab, moment: datetime, end: datetime) -> Iterator[datetime]:
    following = crontab.next_after(moment)
    while following is not None and following < end:
        yield following
        following = crontab.next_after(following)


@settings(max_examples=40, deadline=None)
@given(expressions, st.sampled_from(PERIODS), st.integers(0, DAYS * 24 * 60 - 1), st.integers(0, 59))
def test_expressions_fire_at_the_minutes_that_a_walk_finds(
    fields: tuple[Field, ...], period: tuple[str, datetime], first: int, second: int
) -> None:
    """From any second of any period, the next times are those of the walk, and none comes between."""
    timezone, start = period
    moment = start + first * MINUTE + timedelta(seconds=second)
    expected = islice(_walk(fields, _minutes(timezone, start)[first + 1 :]), 20)
    found = _follow(Crontab(" ".join(field.text for field in fields), timezone), moment, start + timedelta(days=DAYS))
    assert list(expected) == list(islice(found, 20))


@settings(max_examples=40, deadline=None)
@given(nightly, st.sampled_from(PERIODS), st.integers(0, 24 * 60))
def test_nights_in_which_clocks_change_agree_with_a_walk(
    times: tuple[Field, Field], period: tuple[str, datetime], first: int
) -> None:
    """The same of times in the first hours of the day, from any minute of the 24 hours around the change."""
    timezone, start = period
    minutes = _minutes(timezone, start)
    changes = [number for number, one in enumerate(minutes) if one.skipped or one.is_repeated] or [5 * 24 * 60]
    at = changes[0] - 12 * 60 + first
    daily = Field("*", frozenset(range(32)))
    expected = islice(_walk((*times, daily, daily, daily), minutes[at + 1 :]), 60)
    crontab = Crontab(f"{times[0].text} {times[1].text} * * *", timezone)
    found = _follow(crontab, minutes[at].moment, start + timedelta(days=DAYS))
    assert list(expected) == list(islice(found, 60))
