"""Cron expressions fire when crontab(5) says, also where clocks change, and doubtful ones are refused."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from cronsim import CronSim

from vestibule.service_kit.recurrence import MAX_DAYS_EXAMINED, Crontab, InvalidRecurrence, check_crontab

BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
MONDAY = "2026-11-23 00:01"
AUTUMN = "2026-10-24 12:00"  # at 3:00 of the 25th clocks in Berlin are set back to 2:00, which is 1:00 UTC
SPRING = "2026-03-28 12:00"  # at 2:00 of the 29th clocks in Berlin are set forward to 3:00, which is 1:00 UTC


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _times(line: str, timezone: str, start: str, count: int) -> list[str]:
    found, moment = [], _utc(start)
    for _ in range(count):
        following = Crontab(line, timezone).next_after(moment)
        assert following is not None
        moment = following
        found.append(f"{moment:%Y-%m-%d %H:%M}")
    return found


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("*/20 8 * * *", ["11-23 08:00", "11-23 08:20", "11-23 08:40", "11-24 08:00"]),
        ("10-30/10 8 * * *", ["11-23 08:10", "11-23 08:20", "11-23 08:30", "11-24 08:10"]),
        ("5,*/30 8 * * *", ["11-23 08:00", "11-23 08:05", "11-23 08:30", "11-24 08:00"]),
        ("0 22-23,6 * * *", ["11-23 06:00", "11-23 22:00", "11-23 23:00", "11-24 06:00"]),
        ("  0\t0  1 dec *  ", ["12-01 00:00"]),
        ("0 0 1 Jan,DEC *", ["12-01 00:00", "2027-01-01 00:00", "2027-12-01 00:00"]),
        # Weekdays: 0 and 7 are Sunday.
        ("0 0 * * 0", ["11-29 00:00", "12-06 00:00"]),
        ("0 0 * * 7", ["11-29 00:00", "12-06 00:00"]),
        ("0 0 * * 05", ["11-27 00:00", "12-04 00:00"]),
        ("0 0 * * 5-7", ["11-27 00:00", "11-28 00:00", "11-29 00:00", "12-04 00:00"]),
        ("0 0 * * fri-sun", ["11-27 00:00", "11-28 00:00", "11-29 00:00", "12-04 00:00"]),
        ("0 0 * * Sun-tue", ["11-24 00:00", "11-29 00:00", "11-30 00:00", "12-01 00:00"]),
        ("0 0 * * mon-5", ["11-24 00:00", "11-25 00:00", "11-26 00:00", "11-27 00:00", "11-30 00:00"]),
        ("0 0 * * */2", ["11-24 00:00", "11-26 00:00", "11-28 00:00", "11-29 00:00"]),
        ("0 0 * * 1-5/2", ["11-25 00:00", "11-27 00:00", "11-30 00:00"]),
        ("0 0 * * sat,1", ["11-28 00:00", "11-30 00:00"]),
        # Either day field, unless one has a *: then both.
        ("0 9 13 * 5", ["11-27 09:00", "12-04 09:00", "12-11 09:00", "12-13 09:00", "12-18 09:00"]),
        ("0 9 13 * *", ["12-13 09:00", "2027-01-13 09:00"]),
        ("0 9 */2 * 5", ["11-27 09:00", "12-11 09:00", "12-25 09:00", "2027-01-01 09:00"]),
        ("0 9 13 * */2", ["12-13 09:00", "2027-02-13 09:00"]),
        ("0 9 9,*/15 * 1", ["2027-02-01 09:00", "2027-03-01 09:00", "2027-05-31 09:00"]),
        # The last days, and weekdays by their number in the month.
        ("0 0 L * *", ["11-30 00:00", "12-31 00:00", "2027-01-31 00:00", "2027-02-28 00:00"]),
        ("0 0 lw * *", ["11-30 00:00", "12-31 00:00", "2027-01-29 00:00", "2027-02-26 00:00"]),
        ("0 0 15,L * *", ["11-30 00:00", "12-15 00:00", "12-31 00:00"]),
        ("0 0 * * 5L", ["11-27 00:00", "12-25 00:00", "2027-01-29 00:00"]),
        ("0 0 * * friL,sun#1", ["11-27 00:00", "12-06 00:00", "12-25 00:00", "2027-01-03 00:00"]),
        ("0 0 * * mon#1", ["12-07 00:00", "2027-01-04 00:00"]),
        ("0 0 * * 1#5", ["11-30 00:00", "2027-03-29 00:00"]),
        ("0 0 31 * *", ["12-31 00:00", "2027-01-31 00:00", "2027-03-31 00:00"]),
        ("0 0 31 4,5 *", ["2027-05-31 00:00"]),
        ("0 0 29 2 *", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("0 0 * 2 mon#5", ["2044-02-29 00:00", "2072-02-29 00:00"]),
        ("@hourly", ["11-23 01:00", "11-23 02:00"]),
        ("@daily", ["11-24 00:00", "11-25 00:00"]),
        ("@Midnight", ["11-24 00:00", "11-25 00:00"]),
        ("@weekly", ["11-29 00:00", "12-06 00:00"]),
        ("@monthly", ["12-01 00:00", "2027-01-01 00:00"]),
        ("@yearly", ["2027-01-01 00:00", "2028-01-01 00:00"]),
        ("@annually", ["2027-01-01 00:00", "2028-01-01 00:00"]),
    ],
)
def test_expressions_fire_as_crontab_says(line: str, expected: list[str]) -> None:
    """Each form fires at the times that a calendar gives, after Monday, 2026-11-23 at 0:01."""
    in_full = [time if time.startswith("20") else f"2026-{time}" for time in expected]
    assert in_full == _times(line, "UTC", MONDAY, len(expected))


@pytest.mark.parametrize(
    ("line", "start", "expected"),
    [
        ("0 0 29 2 *", "2096-03-01 00:00", "2104-02-29 00:00"),  # 2100 is no leap year
        ("0 0 */11 * 3L", "2041-01-01 00:00", "2050-02-23 00:00"),  # the last Wednesday is a 23rd: of Februaries only
    ],
)
def test_rare_expressions_are_not_given_up(line: str, start: str, expected: str) -> None:
    """The limit on the search is above what the rarest dates need."""
    assert [expected] == _times(line, "UTC", start, 1)


@pytest.mark.parametrize(
    ("line", "timezone", "start", "expected"),
    [
        # A skipped time: once, right after.
        ("30 2 * * *", BERLIN, SPRING, ["03-29 01:00", "03-30 00:30"]),
        ("0,30 2 * * *", BERLIN, SPRING, ["03-29 01:00", "03-30 00:00", "03-30 00:30"]),
        ("0 2,3 * * *", BERLIN, SPRING, ["03-29 01:00", "03-30 00:00", "03-30 01:00"]),
        ("*/20 2 * * *", BERLIN, SPRING, ["03-29 01:00", "03-30 00:00", "03-30 00:20"]),
        ("0 */2 * * *", BERLIN, "2026-03-28 22:30", ["03-28 23:00", "03-29 01:00", "03-29 02:00"]),
        ("30 2 * * *", NEW_YORK, "2026-03-08 00:00", ["03-08 07:00", "03-09 06:30"]),
        ("15 2 * * *", LORD_HOWE, "2026-10-03 00:00", ["10-03 15:30", "10-04 15:15"]),
        ("0 0 * * *", "America/Havana", "2026-03-07 06:00", ["03-08 05:00", "03-09 04:00"]),
        # A repeated time: once, at the first occurrence.
        ("30 2 * * *", BERLIN, AUTUMN, ["10-25 00:30", "10-26 01:30"]),
        ("*/30 2 * * *", BERLIN, AUTUMN, ["10-25 00:00", "10-25 00:30", "10-26 01:00"]),
        ("30 2 * * *", BERLIN, "2026-10-25 01:10", ["10-26 01:30"]),
        ("0 2,3 * * *", BERLIN, "2026-10-25 01:10", ["10-25 02:00", "10-26 01:00"]),
        ("0 */2 * * *", BERLIN, "2026-10-24 21:30", ["10-24 22:00", "10-25 00:00", "10-25 03:00"]),
        ("30 1 * * *", NEW_YORK, "2026-11-01 00:00", ["11-01 05:30", "11-02 06:30"]),
        ("45 1 * * *", LORD_HOWE, "2026-04-04 00:00", ["04-04 14:45", "04-05 15:15"]),
        # Where cronsim by itself loses 6:00, as clocks change by half an hour.
        ("0 */6 * * *", LORD_HOWE, "2026-04-04 12:00", ["04-04 13:00", "04-04 19:30", "04-05 01:30"]),
        ("0 */6 * * *", LORD_HOWE, "2026-10-03 12:00", ["10-03 13:30", "10-03 19:00", "10-04 01:00"]),
        # What fires in every hour follows the clock.
        ("30 * * * *", BERLIN, "2026-10-25 00:00", ["10-25 00:30", "10-25 01:30", "10-25 02:30"]),
        ("0,30 0-23 * * *", BERLIN, "2026-10-25 00:45", ["10-25 01:00", "10-25 01:30", "10-25 02:00"]),
        ("30 * * * *", BERLIN, "2026-03-29 00:00", ["03-29 00:30", "03-29 01:30", "03-29 02:30"]),
        ("45 * * * *", LORD_HOWE, "2026-04-04 14:00", ["04-04 14:45", "04-04 15:15", "04-04 16:15"]),
        ("15 * * * *", LORD_HOWE, "2026-10-03 14:00", ["10-03 14:45", "10-03 16:15"]),
    ],
)
def test_skipped_and_repeated_times_fire_once(line: str, timezone: str, start: str, expected: list[str]) -> None:
    """Where clocks change, nothing is lost and nothing fires twice. Times are in UTC."""
    assert [f"2026-{time}" for time in expected] == _times(line, timezone, start, len(expected))


def test_a_skipped_day_fires_at_its_end() -> None:
    """Samoa left out 2011-12-30: what is due on it fires as the 31st begins, which is 10:00 UTC."""
    assert ["2011-12-30 10:00"] == _times("0 9 30 12 *", "Pacific/Apia", "2011-12-28 00:00", 1)


@pytest.mark.parametrize("line", ["*/30 * * * *", "0 * * * *", "15 */1 * * *"])
@pytest.mark.parametrize("start", [AUTUMN, SPRING])
def test_what_fires_every_hour_fires_in_even_steps(line: str, start: str) -> None:
    """What runs every hour or half-hour does so through both nights, none left out and none twice."""
    found = [_utc(time) for time in _times(line, BERLIN, start, 24)]
    step = timedelta(minutes=30) if line.startswith("*/30") else timedelta(hours=1)
    assert {step} == {later - earlier for earlier, later in pairwise(found)}


@pytest.mark.parametrize("back", [timedelta(seconds=1), timedelta(hours=3), timedelta(days=5), timedelta(days=800)])
def test_of_what_was_missed_the_last_is_found(back: timedelta) -> None:
    """After any pause the last time that has passed is found, and none where none has."""
    now = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
    expected = datetime(2026, 11, 23, 12, 0, tzinfo=UTC) if back > timedelta(seconds=30) else None
    assert expected == Crontab("* * * * *", BERLIN).last_until(now, now - back)
    yearly = datetime(2026, 2, 1, 0, 0, tzinfo=UTC) if back > timedelta(days=300) else None
    assert yearly == Crontab("0 0 1 2 *", "UTC").last_until(now, now - back)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "five fields"),
        ("* * * *", "five fields"),
        ("0 * * * * *", "five fields"),  # no seconds
        ("TZ=UTC * * * * *", "five fields"),
        ("@reboot", "can be @hourly"),
        ("@every 5m", "can be @hourly"),
        ("60 * * * *", "minute"),
        ("-1 * * * *", "minute"),
        ("5/15 * * * *", "minute"),  # a step of a single value
        ("*/0 * * * *", "minute"),
        ("*/90 * * * *", "minute"),  # that would be every hour
        ("10-20/11 * * * *", "minute"),
        ("*/5/5 * * * *", "minute"),
        ("50-10 * * * *", "minute"),
        ("1,,2 * * * *", "minute"),
        ("0~59 * * * *", "minute"),
        ("H * * * *", "minute"),
        ("0\n0 0 * * *", "minute"),
        ("0 24 * * *", "hour"),
        ("0 22-6 * * *", "hour"),
        ("0 9-L * * *", "hour"),
        ("0 0 0 * *", "day of month"),
        ("0 0 32 * *", "day of month"),
        ("0 0 ? * *", "day of month"),
        ("0 0 15W * *", "day of month"),
        ("0 0 L-3 * *", "day of month"),
        ("0 0 L/2 * *", "day of month"),
        ("0 0 last * *", "day of month"),
        ("0 0 lastfoo * *", "day of month"),
        ("0 0 5L * *", "day of month"),
        ("0 0 \u0663 * *", "day of month"),  # a three in Arabic digits
        ("0 0 1 13 *", "month"),
        ("0 0 1 foo *", "month"),
        ("0 0 1 jan/2 *", "month"),
        ("0 0 1 nov-feb *", "month"),
        ("0 0 1 january *", "month"),
        ("0 0 * * 8", "day of week"),
        ("0 0 * * mon/2", "day of week"),
        ("0 0 * * 1/2", "day of week"),
        ("0 0 * * 6-2", "day of week"),
        ("0 0 * * sat-mon", "day of week"),
        ("0 0 * * sun-sun", "day of week"),
        ("0 0 * * 5-0", "day of week"),
        ("0 0 * * fr\u0131", "day of week"),  # a letter whose capital is an I
        ("0 0 * * L", "day of week"),
        ("0 0 * * lastfoo", "day of week"),
        ("0 0 * * 5#0", "day of week"),
        ("0 0 * * 5#6", "day of week"),
        ("0 0 * * 1-5#2", "day of week"),
        ("0 0 * * 1-5L", "day of week"),
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 4 *", "never fires"),
        ("0 0 30,31 2 */2", "never fires"),
        ("* * */20 * 1L", "never fires"),
        ("0 0 */9 2 mon#5", "never fires"),
    ],
)
def test_doubtful_expressions_are_refused_by_field(line: str, reason: str) -> None:
    """What cron does not know, reads unlike people do, or never fires is refused. The message names the field."""
    with pytest.raises(InvalidRecurrence, match=reason):
        check_crontab(line, "UTC", _utc(MONDAY))


def test_messages_repeat_nothing_of_the_expression() -> None:
    """A caller's words do not come back in a message."""
    for line in ("secret * * * *", "@secret", "0 0 1 sec *", "0 0 * * secret#1", "secret"):
        with pytest.raises(InvalidRecurrence) as caught:
            check_crontab(line, "UTC", _utc(MONDAY))
        assert "sec" not in str(caught.value).lower()


@pytest.mark.parametrize("timezone", ["Europe/Atlantis", "../etc/passwd", "Europe", ""])
def test_unknown_zones_are_refused(timezone: str) -> None:
    """A zone that does not exist is refused."""
    with pytest.raises(InvalidRecurrence, match="time zone"):
        check_crontab("0 0 * * *", timezone, _utc(MONDAY))


def test_impossible_expressions_take_a_bounded_number_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty that never fire end after the limit each, and those that name impossible dates at once."""
    steps: list[Any] = []
    match_day = CronSim.match_day
    monkeypatch.setattr(CronSim, "match_day", lambda self, day: steps.append(day) or match_day(self, day))
    for lines, limit in ((["0 0 30 2 *", "0 0 31 4 *"], 0), (["* * */20 * 1L", "0 0 */9 2 mon#5"], MAX_DAYS_EXAMINED)):
        steps.clear()
        for line in lines * 10:
            with pytest.raises(InvalidRecurrence):
                check_crontab(line, BERLIN, _utc(MONDAY))
        assert len(steps) <= 20 * (limit + 1 if limit else 0)
