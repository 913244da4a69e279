"""Recurrence: cron expressions by APScheduler, corrected at changes of daylight saving time.

By itself APScheduler counts weekdays from Monday, has a time that an autumn night has twice come twice, and may then
not get past it. So here it counts local times, and these become moments here: a time that a spring night leaves out
comes as much later, and one that an autumn night has twice comes at the first; only where the hour is `*` or `*/n` it
comes at both.

Source: cron(8) of Vixie cron, on jobs around changes of the clock.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from vestibule.contracts.schedules import Progress, Schedule

FIELDS = ("minute", "hour", "day", "month", "day_of_week")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
# No zone's clock was changed by more in living memory, but for days that were left out.
NEAR = timedelta(hours=3)
TICK = timedelta(microseconds=1)


class InvalidRecurrence(ValueError):
    """Invalid cron expression or time zone, or it never fires."""


@dataclass(frozen=True)
class Crontab:
    """The times of a cron expression in a time zone."""

    line: str
    timezone: str

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first time after `moment`, None where there is none.

        Raises:
            InvalidRecurrence: the line or the zone is none.
        """
        found: datetime | None = None
        start = moment.astimezone(self._zone).replace(tzinfo=None) - (NEAR if self._is_near_change(moment) else TICK)
        for local in self._locals(start):
            earliest = min((one for one in self._moments(local) if one > moment), default=None)
            if earliest is not None and (found is None or earliest < found):
                found = earliest
            # A later local time may still be an earlier moment, but not by more than clocks are changed.
            if found is not None and local > found.astimezone(self._zone).replace(tzinfo=None) + NEAR:
                break
            if found is not None and not self._is_near_change(found):
                break
        return found

    def last_until(self, moment: datetime, since: datetime) -> datetime | None:
        """Return the last time after `since` and not after `moment`, None where there is none.

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

    def _locals(self, start: datetime) -> Iterator[datetime]:
        # UTC stands for a clock that is never changed.
        following = self._trigger.get_next_fire_time(None, start.replace(tzinfo=UTC))
        while following is not None:
            yield following.replace(tzinfo=None)
            following = self._trigger.get_next_fire_time(None, following + TICK)

    def _moments(self, local: datetime) -> Iterator[datetime]:
        first = local.replace(tzinfo=self._zone)
        yield first.astimezone(UTC)
        second = first.replace(fold=1)
        if self._comes_every_hour and second.utcoffset() < first.utcoffset():  # type: ignore[operator]
            yield second.astimezone(UTC)

    def _is_near_change(self, moment: datetime) -> bool:
        offsets = {(moment + away).astimezone(self._zone).utcoffset() for away in (-2 * NEAR, 2 * NEAR)}
        return len(offsets) > 1

    @cached_property
    def _comes_every_hour(self) -> bool:
        return self.line.split()[1].startswith("*")

    @cached_property
    def _zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.timezone)
        except (OSError, ValueError, LookupError):
            raise InvalidRecurrence("no time zone goes by that name") from None

    @cached_property
    def _trigger(self) -> Any:
        from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415 - only those who have schedules pay for it

        values = self.line.split()
        if len(values) != len(FIELDS) or not re.fullmatch(r"[0-9A-Za-z*/,\- ]+", self.line):
            raise InvalidRecurrence("a crontab line has five fields")
        values[-1] = _weekdays(values[-1].lower())
        try:
            return CronTrigger(**dict(zip(FIELDS, values, strict=True)), timezone=UTC)
        except (ValueError, TypeError):
            raise InvalidRecurrence("a field of the crontab line cannot be read") from None


def next_turn(schedule: Schedule, progress: Progress | None) -> float | None:
    """Return the Unix time of the next turn of a schedule, None where there is none any more."""
    last_at = schedule.created_at if progress is None else progress.turn_at
    if schedule.every_s is not None:
        return last_at + schedule.every_s
    following = Crontab(schedule.cron or "", schedule.timezone).next_after(datetime.fromtimestamp(last_at, UTC))
    return None if following is None else following.timestamp()


def check_crontab(line: str, timezone: str, now: datetime) -> None:
    """Make sure that a line can be followed.

    Raises:
        InvalidRecurrence: it cannot, or never comes.
    """
    if Crontab(line, timezone).next_after(now) is None:
        raise InvalidRecurrence("that never comes")


def _weekdays(field: str) -> str:
    """Return a field of weekdays with names in place of numbers, each by itself, as ranges may go over Sunday."""
    return ",".join(_weekday(part) for part in field.split(","))


def _weekday(part: str) -> str:
    found = re.fullmatch(r"(?:(\*)|([0-7])(?:-([0-7]))?)(?:/([1-7]))?", part)
    if not found:
        return part  # names, which APScheduler reads
    if found[1] and not found[4]:
        return part
    first = 0 if found[1] else int(found[2])
    last = 6 if found[1] else int(found[3] or (7 if found[4] else found[2]))
    if last < first:
        raise InvalidRecurrence("a range of weekdays goes backwards")
    days = dict.fromkeys(WEEKDAYS[number] for number in range(first, last + 1, int(found[4] or 1)))
    return ",".join(days)
