"""When something recurs: every so many seconds, or by a cron expression in a time zone.

`CronExpression` gives local times over a clock that never changes, and this module turns these into moments. cronsim's
own arithmetic in zones loses times where clocks change by half an hour (`0 */6 * * *` in Australia/Lord_Howe).

- An expression that fires in every hour of the day follows the clock: it omits a skipped local time, and fires at both
  occurrences of a repeated one.
- Every other expression fires once for skipped local times, right after them, and only at the first occurrence of a
  repeated one.

Source: cron(8) of Debian, on changes of local time of less than three hours.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from vestibule.contracts.schedules import Progress, Schedule
from vestibule.service_kit.cron_expression import CronExpression, InvalidRecurrence

__all__ = ["Crontab", "InvalidRecurrence", "UnknownTimeZone", "check_crontab", "next_turn"]
MINUTE = timedelta(minutes=1)


class UnknownTimeZone(InvalidRecurrence):
    """The time zone database has no zone of that name."""


@dataclass(frozen=True)
class Crontab:
    """The times of a cron expression in a time zone."""

    line: str
    timezone: str

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first time after `moment`, None where there is none.

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
    """Return the Unix time of the next turn of a schedule, None where there is none."""
    last_at = schedule.created_at if progress is None else progress.turn_at
    if schedule.every_s is not None:
        return last_at + schedule.every_s
    following = Crontab(schedule.cron or "", schedule.timezone).next_after(datetime.fromtimestamp(last_at, UTC))
    return None if following is None else following.timestamp()


def check_crontab(line: str, timezone: str, now: datetime) -> None:
    """Make sure that a cron expression fires.

    Raises:
        InvalidRecurrence: it is invalid, or it never fires.
    """
    if Crontab(line, timezone).next_after(now) is None:
        raise InvalidRecurrence("the cron expression never fires")
