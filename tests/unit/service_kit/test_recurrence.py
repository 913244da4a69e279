"""Crontab lines come when people expect them, also where clocks change."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from vestibule.service_kit.recurrence import Crontab, InvalidRecurrence, check_crontab

BERLIN = "Europe/Berlin"
AUTUMN = datetime(2026, 10, 24, 12, tzinfo=UTC)  # at 3:00 of the 25th, clocks are set back to 2:00
SPRING = datetime(2026, 3, 28, 12, tzinfo=UTC)  # at 2:00 of the 29th, clocks are set forth to 3:00


def _times(line: str, timezone: str, start: datetime, count: int) -> list[str]:
    found, moment = [], start
    for _ in range(count):
        following = Crontab(line, timezone).next_after(moment)
        assert following is not None
        moment = following
        found.append(moment.strftime("%a %d %H:%M"))
    return found


def test_weekdays_are_those_of_crontab() -> None:
    """0 and 7 are Sunday, ranges and steps count from there, and names mean what they say."""
    monday = datetime(2026, 11, 23, 0, 1, tzinfo=UTC)
    for field, expected in {
        "0": ["Sun 29", "Sun 06"],
        "7": ["Sun 29", "Sun 06"],
        "1-5": ["Tue 24", "Wed 25", "Thu 26", "Fri 27", "Mon 30"],
        "5-7": ["Fri 27", "Sat 28", "Sun 29", "Fri 04"],
        "*/2": ["Tue 24", "Thu 26", "Sat 28", "Sun 29"],
        "sat,1": ["Sat 28", "Mon 30"],
    }.items():
        assert [f"{day} 00:00" for day in expected] == _times(f"0 0 * * {field}", "UTC", monday, len(expected))


def test_a_time_that_a_night_has_twice_comes_once() -> None:
    """In the night in which clocks are set back a daily task runs at the first 2:30, and is not stuck there."""
    assert ["Sun 25 00:30", "Mon 26 01:30"] == _times("30 2 * * *", BERLIN, AUTUMN, 2)


def test_a_time_that_a_night_leaves_out_comes_later() -> None:
    """In the night in which clocks are set forth a daily task runs at 3:30, as late as the clock is forth."""
    assert ["Sun 29 01:30", "Mon 30 00:30"] == _times("30 2 * * *", BERLIN, SPRING, 2)


@pytest.mark.parametrize("line", ["*/30 * * * *", "0 * * * *", "15 */1 * * *"])
@pytest.mark.parametrize("start", [AUTUMN, SPRING])
def test_what_comes_all_day_comes_in_even_steps(line: str, start: datetime) -> None:
    """What runs every hour or half-hour does so through both nights, none left out and none twice."""
    moment, found = start, []
    while moment < start + timedelta(days=1):
        following = Crontab(line, BERLIN).next_after(moment)
        assert following is not None
        moment = following
        found.append(moment)
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
    ("line", "timezone"),
    [
        ("* * * *", "UTC"),
        ("60 * * * *", "UTC"),
        ("0 0 30 2 *", "UTC"),
        ("0 0 * * 6-2", "UTC"),
        ("@daily", "UTC"),
        ("0 0 * * *", "Europe/Atlantis"),
        ("0 0 * * *", "../etc/passwd"),
    ],
)
def test_what_never_comes_is_refused(line: str, timezone: str) -> None:
    """Lines that cannot be read, zones that do not exist and days that never come are refused."""
    with pytest.raises(InvalidRecurrence):
        check_crontab(line, timezone, AUTUMN)
