"""The bars of a part's history, and the sentence about the whole system."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vestibule.client.results.scheduler import (
    Availability,
    Heartbeat,
    HistoryInterval,
    MaintenanceWindow,
    PartStatus,
    SystemStatus,
)
from vestibule.console.pages.overview import next_window
from vestibule.console.views.history import bars_of, due, headline, subject_words

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ALL = Availability(hour=1.0, day=1.0, month=1.0)


def _part(name: str = "database", state: str = "up", **members: Any) -> PartStatus:
    given = {"last_answer_at": NOON, "latency_ms": 2.0, "misses_in_a_row": 0, "down_since": None, "note": None}
    return PartStatus(
        **{"name": name, "state": state, **given, "in_maintenance": False, "availability": ALL, **members}
    )


def _heartbeat(state: str) -> Heartbeat:
    members = {"period_s": 60.0, "grace_s": 5.0, "last_at": NOON, "started_at": None, "took_s": None, "pings": 1}
    return Heartbeat(name="backup", tenant="default", state=state, **members)


def _status(*parts: PartStatus, heartbeats: tuple[Heartbeat, ...] = ()) -> SystemStatus:
    empty: dict[str, Any] = {"maintenance": [], "incidents": []}
    known = {"at": NOON, "role": "active", "holder": "h", "saved_at": NOON}
    return SystemStatus(**known, parts=list(parts), heartbeats=list(heartbeats), **empty)


def test_a_bar_says_when_and_how_much() -> None:
    """Good, a hitch, an outage, maintenance, and no data: each has a tone and a text."""
    counts = [(10, 10, 0), (100, 95, 0), (10, 2, 0), (0, 0, 10), (0, 0, 0)]
    intervals = [
        HistoryInterval(
            until=NOON + number * timedelta(minutes=30),
            asked=asked,
            answered=answered,
            planned=planned,
            latency_ms=3.25,
        )
        for number, (asked, answered, planned) in enumerate(counts)
    ]
    bars = bars_of(_part(history=intervals))
    assert ["good", "warning", "bad", "planned", "none"] == [bar.tone for bar in bars]
    assert "11:30 to 12:00 UTC: 100% of the probes answered, 3.25 ms on average" == bars[0].label
    assert [] == bars_of(_part())


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (_status(_part(), _part("store")), ("good", "All parts are up.")),
        (_status(_part(state="down"), _part("store", "degraded")), ("bad", "The database is down.")),
        (
            _status(_part(state="down"), _part("business_logic", "down")),
            ("bad", "The database and the business logic are down."),
        ),
        (_status(_part("store", "degraded")), ("warning", "The store is degraded.")),
        (_status(_part(), heartbeats=(_heartbeat("missed"),)), ("bad", "The heartbeat backup is missing.")),
        (_status(_part(state="down", in_maintenance=True)), ("info", "Maintenance is in progress.")),
        (
            _status(_part(), _part("store", "unknown")),
            ("good", "The parts are up that were probed already; the others take a few seconds."),
        ),
        (_status(_part(state="unknown")), ("info", "There is no data yet: the first probes take a few seconds.")),
    ],
)
def test_the_worst_is_said_first(status: SystemStatus, expected: tuple[str, str]) -> None:
    """What is down, then heartbeats, then what is slow; what is planned is no news."""
    assert expected == headline(status)


def test_the_next_window_is_the_one_that_goes_on_or_comes() -> None:
    """One that is over is none."""

    def window(begins_h: int, hours: int) -> MaintenanceWindow:
        begins = NOON + timedelta(hours=begins_h)
        return MaintenanceWindow(part="all", begins=begins, ends=begins + timedelta(hours=hours), author="ann")

    past, active, later = window(-5, 1), window(-1, 2), window(3, 1)
    assert active == next_window([later, active, past], NOON)
    assert later == next_window([later, past], NOON)
    assert next_window([past], NOON) is None


def test_subjects_are_words() -> None:
    """A name that somebody gave stays as it is."""
    assert ["Business logic", "Heartbeat nightly-backup", "Everything"] == [
        subject_words(one) for one in ("business_logic", "heartbeat:nightly-backup", "all")
    ]
    assert NOON + timedelta(seconds=60) == due(_heartbeat("up"))
