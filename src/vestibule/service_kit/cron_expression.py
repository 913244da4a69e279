"""Cron expressions as Debian's cron reads them, over a clock that never changes.

The library cronsim reads them. It accepts some forms that crontab(5) does not have, or that people read otherwise
(seconds in a sixth field, `mon/2`, `L/2`), so each field is checked here first, and errors name the field.

Source: crontab(5) of Debian; https://github.com/cuu508/cronsim.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from cronsim import CronSim, CronSimError

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
# What single fields hold besides: a number or nothing, and what follows it.
LAST_DAY = re.compile("()(LW?)")
WEEKDAY_OF_MONTH = re.compile(f"({VALUE})(L|#[1-5])")


class InvalidRecurrence(ValueError):
    """Invalid cron expression or time zone, or it never fires. The message repeats nothing of either."""


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
    """Ends after so many days on which the expression does not fire, where cronsim searches 50 years."""

    days_examined = 0

    def match_day(self, d: date) -> bool:
        """Say whether the expression fires on a day.

        Raises:
            StopIteration: it did not fire on any of so many days.
        """
        if super().match_day(d):
            self.days_examined = 0
            return True
        self.days_examined += 1
        if self.days_examined > MAX_DAYS_EXAMINED:
            raise StopIteration
        return False
