"""When something recurs: every so many seconds, or by a cron expression in a time zone.

The library cronsim reads cron expressions as Debian's cron does, over a clock that never changes. It accepts some forms
that crontab(5) does not have, or that people read otherwise (seconds in a sixth field, `mon/2`, `L/2`), so each field
is checked here first, and errors name the field. This module turns the local times into moments, since cronsim's own
arithmetic in zones loses times where clocks change by half an hour (`0 */6 * * *` in Australia/Lord_Howe).

- An expression that fires in every hour of the day follows the clock: it omits a skipped local time, and fires at both
  occurrences of a repeated one.
- Every other expression fires once for skipped local times, right after them, and only at the first occurrence of a
  repeated one.

Source: crontab(5) and cron(8) of Debian, on changes of local time of less than three hours; github.com/cuu508/cronsim.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from vestibule.contracts.schedules import Progress, Schedule

# No expression that fires needs more: a date falls on a given weekday again within 12 years, which are 4,383 days, and
# February 29 within 40 years, of which only the Februaries are examined.
MAX_DAYS_EXAMINED = 4_400
MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
HOURS_OF_A_DAY = 24
VALUE = "[0-9]{1,4}|[A-Z]{3}"
TERM = re.compile(rf"(?:\*|({VALUE})(?:-({VALUE}))?)(?:/([0-9]{{1,4}}))?")
# Special forms of single fields: a number or nothing, and its suffix.
LAST_DAY = re.compile("()(LW?)")
WEEKDAY_OF_MONTH = re.compile(f"({VALUE})(L|#[1-5])")


class InvalidRecurrence(ValueError):
    """Invalid cron expression or time zone, or it never fires. The message repeats nothing of either."""


class UnknownTimeZone(InvalidRecurrence):
    """The time zone database has no zone of that name."""


@dataclass(frozen=True)
class CronExpression:
    """The local times of a cron expression.

    Raises `InvalidRecurrence` where the expression is invalid.
    """

    text: str

    def after(self, local: datetime) -> Iterator[datetime]:
        """Return the local times after `local`, in order; it ends where the expression does not fire any more."""
        return self._simulate(local)

    @cached_property
    def fires_every_hour(self) -> bool:
        """Say whether it fires in every hour of the days on which it fires."""
        return len(self._simulate(datetime.min).hours) == HOURS_OF_A_DAY

    def _simulate(self, local: datetime) -> CronSim:
        try:
            return BoundedCronSim(self._normalized, local)
        except CronSimError:  # of a normalized expression only where its months do not have the day
            raise InvalidRecurrence("the cron expression never fires") from None

    @cached_property
    def _normalized(self) -> str:
        line = self.text.strip(" \t")
        if line.startswith("@"):
            if line.lower() not in MACROS:
                raise InvalidRecurrence(f"of the names with an @, the cron expression can be {', '.join(MACROS)}")
            return MACROS[line.lower()]
        texts = re.split("[ \t]+", line)
        if len(texts) != len(FIELDS):
            names = ", ".join(field.name for field in FIELDS)
            raise InvalidRecurrence(f"the cron expression must have five fields: {names}")
        return " ".join(field.normalize(text) for field, text in zip(FIELDS, texts, strict=True))


@dataclass(frozen=True)
class CronField:
    """One of the five fields: its name, its range, the names of its numbers, and what only this field can hold."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    special: re.Pattern[str] | None = None

    def normalize(self, text: str) -> str:
        """Return the field in numbers, and terms with a `*` first.

        cron looks at the first character alone for whether both day fields must match, so order would decide.

        Raises:
            InvalidRecurrence: cron does not have that form, or reads it unlike people do.
        """
        if not text.isascii():
            raise self._error("unknown form")
        terms = [self._normalize_term(term) for term in text.upper().split(",")]
        return ",".join(sorted(terms, key=lambda term: not term.startswith("*")))

    def _normalize_term(self, term: str) -> str:
        if self.special is not None and (found := self.special.fullmatch(term)):
            return f"{self._number(found[1]) if found[1] else ''}{found[2]}"
        found = TERM.fullmatch(term)
        if found is None:
            raise self._error("unknown form")
        first, last, step = found.groups()
        if last is not None:
            low, high = self._range(first, last)
            values = f"{low}-{high}"
        elif first is None:
            low, high, values = self.low, self.high, "*"
        elif step is None:
            return str(self._number(first))
        else:
            raise self._error("a step needs a * or a range")
        if step is None:
            return values
        if not 1 <= int(step) <= high - low:
            raise self._error("the step must be at least 1 and not longer than the range")
        return f"{values}/{int(step)}"

    def _range(self, first: str, last: str) -> tuple[int, int]:
        low, high = self._number(first), self._number(last)
        if last == "SUN" and low != self.low:
            high = self.high
        if high < low or last == "SUN" == first:
            raise self._error("the range goes backwards")
        return low, high

    def _number(self, text: str) -> int:
        if text in self.names:
            return self.low + self.names.index(text)
        if not text.isdigit():
            raise self._error("unknown name")
        if not self.low <= int(text) <= self.high:
            raise self._error(f"a number must be from {self.low} to {self.high}")
        return int(text)

    def _error(self, reason: str) -> InvalidRecurrence:
        return InvalidRecurrence(f"the {self.name} of the cron expression is invalid: {reason}")


FIELDS = (
    CronField("minute", 0, 59),
    CronField("hour", 0, 23),
    CronField("day of month", 1, 31, special=LAST_DAY),
    CronField("month", 1, 12, MONTHS),
    CronField("day of week", 0, 7, WEEKDAYS, WEEKDAY_OF_MONTH),
)


class BoundedCronSim(CronSim):
    """Ends the search after `MAX_DAYS_EXAMINED` days without a match, where cronsim searches 50 years."""

    days_examined = 0

    def match_day(self, d: date) -> bool:
        """Say whether the expression fires on a day.

        Raises:
            StopIteration: no day matched.
        """
        if super().match_day(d):
            self.days_examined = 0
            return True
        self.days_examined += 1
        if self.days_examined > MAX_DAYS_EXAMINED:
            raise StopIteration
        return False


MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Crontab:
    """The times of a cron expression in a time zone."""

    line: str
    timezone: str

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first time after `moment`, or None.

        Raises:
            InvalidRecurrence: the expression or the zone is invalid.
        """
        here = moment.astimezone(self._zone)
        # Two offsets where the local time is repeated. The search starts at the earlier of both local times.
        offsets = {here.utcoffset() or timedelta(), here.replace(fold=1 - here.fold).utcoffset() or timedelta()}
        start = moment.astimezone(UTC).replace(tzinfo=None) + min(offsets)
        occurrences = len(offsets) if self._expression.fires_every_hour else 1
        found = [self._next_of(occurrence, start, moment) for occurrence in range(occurrences)]
        return min((time for time in found if time is not None), default=None)

    def last_until(self, moment: datetime, since: datetime) -> datetime | None:
        """Return the last time after `since` and not after `moment`, or None.

        Raises what `next_after` raises.
        """
        for back in (timedelta(hours=1), timedelta(days=1), timedelta(days=32), moment - since):
            last = None
            following = self.next_after(max(since, moment - back))
            while following is not None and following <= moment:
                last, following = following, self.next_after(following)
            if last is not None or moment - back <= since:
                return last
        return None

    def _next_of(self, occurrence: int, start: datetime, moment: datetime) -> datetime | None:
        for local in self._expression.after(start):
            time = self._moment(local, occurrence)
            if time is not None and time > moment:
                return time
        return None

    def _moment(self, local: datetime, occurrence: int) -> datetime | None:
        while True:
            time = local.replace(tzinfo=self._zone, fold=occurrence).astimezone(UTC)
            if time.astimezone(self._zone).replace(tzinfo=None, fold=0) == local:
                return time
            if self._expression.fires_every_hour:
                return None
            local += MINUTE  # a skipped time

    @cached_property
    def _expression(self) -> CronExpression:
        return CronExpression(self.line)

    @cached_property
    def _zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.timezone)
        except (OSError, ValueError, LookupError):
            raise UnknownTimeZone("the time zone is unknown") from None


def next_turn(schedule: Schedule, progress: Progress | None) -> float | None:
    """Return the Unix time of the next turn of a schedule, or None: a paused one has none."""
    if schedule.paused_at is not None:
        return None
    last_at = schedule.created_at if progress is None else progress.counts_from
    if schedule.every_s is not None:
        return last_at + schedule.every_s
    following = Crontab(schedule.cron or "", schedule.timezone).next_after(datetime.fromtimestamp(last_at, UTC))
    return None if following is None else following.timestamp()


def next_turns(schedule: Schedule, progress: Progress | None, count: int) -> list[float]:
    """Return the Unix times of the next turns of a schedule, `count` at most."""
    found: list[float] = []
    following = next_turn(schedule, progress)
    while following is not None and len(found) < count:
        found.append(following)
        following = next_turn(schedule, Progress(turn_at=following, turns=0))
    return found


def check_crontab(line: str, timezone: str, now: datetime) -> None:
    """Make sure that a cron expression fires.

    Raises:
        InvalidRecurrence: it is invalid, or it never fires.
    """
    if Crontab(line, timezone).next_after(now) is None:
        raise InvalidRecurrence("the cron expression never fires")
