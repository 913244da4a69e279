"""Whoever is missed is told once, and once that they are back; a clock on the wall that is set makes nobody missed."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vestibule.alerts import AlertEngine
from vestibule.contracts.errors import HeartbeatNotFound, InvalidInput
from vestibule.scheduler_service.availability.incidents import Incidents
from vestibule.scheduler_service.heartbeats import heartbeats
from vestibule.scheduler_service.heartbeats.heartbeats import HeartbeatState, HeartbeatWatch, Ping
from vestibule.scheduler_service.operator_inputs import Books

from .conftest import Kept, SteadyClock, StoreNearby

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PERIOD_S, GRACE_S = 60.0, 10.0
MISSED, BACK = "HeartbeatMissed", "HeartbeatRecovered"


class Desk:
    """What one scheduler has of heartbeats, with time that passes on both clocks."""

    def __init__(self, store: StoreNearby, alerts: AlertEngine, clock: SteadyClock) -> None:
        self.books = Books(store)
        self.clock = clock
        self.now = NOON
        self.planned: set[str] = set()
        self.incidents = Incidents()
        self.restart(alerts)

    def restart(self, alerts: AlertEngine, start_grace_s: float = 0) -> None:
        options: dict[str, Any] = {"start_grace_s": start_grace_s, "clock": self.clock}
        self.watch = HeartbeatWatch(
            self.books.heartbeats, lambda: self.incidents, alerts, lambda part, _at: part in self.planned, **options
        )

    async def ping(self, ping: Ping = Ping.DONE, name: str = "backup") -> None:
        await self.books.heartbeats.ping(name, ping, self.now, PERIOD_S, GRACE_S)

    async def pass_time(self, seconds: float, step_s: float = 5) -> None:
        for _ in range(int(seconds / step_s)):
            self.now += timedelta(seconds=step_s)
            self.clock.now_s += step_s
            await self.look()

    async def look(self) -> None:
        await self.books.read()
        await self.watch.check(self.now)

    @property
    def state(self) -> HeartbeatState:
        return self.books.heartbeats.known[0].state(self.now)


@pytest.fixture
def desk(store: StoreNearby, alerts: AlertEngine, clock: SteadyClock) -> Desk:
    """A scheduler that watches."""
    return Desk(store, alerts, clock)


async def test_who_is_heard_of_in_time_is_not_told_of(desk: Desk, kept: Kept) -> None:
    """For as long as the pings come, within period and grace, nothing happens."""
    for _ in range(20):
        await desk.ping()
        await desk.pass_time(PERIOD_S + GRACE_S - 5)
    assert ([], HeartbeatState.LATE) == (kept.types, desk.state)


async def test_who_is_missed_is_told_once_and_the_return_once(desk: Desk, kept: Kept) -> None:
    """However long it lasts; both alerts have the same subject, and the incident has an end."""
    await desk.ping()
    await desk.pass_time(600)
    assert ([MISSED], HeartbeatState.MISSED) == (kept.types, desk.state)
    await desk.ping()
    await desk.pass_time(30)
    assert ([MISSED, BACK], HeartbeatState.UP) == (kept.types, desk.state)
    assert {"heartbeat:backup"} == {alert.subject for alert in kept.alerts}
    assert [True] == [incident.ended is not None for incident in desk.incidents.listed]


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_clock_that_is_set_makes_nobody_missed(desk: Desk, kept: Kept, hours: int) -> None:
    """Set forth, nobody is missed who is not; set back, who is missed is told all the same."""
    await desk.ping()
    await desk.pass_time(20)
    desk.now += timedelta(hours=hours)
    await desk.pass_time(40)
    assert [] == kept.types
    await desk.pass_time(20)
    assert [MISSED] == kept.types


async def test_a_missed_one_outlives_the_scheduler(desk: Desk, kept: Kept, alerts: AlertEngine) -> None:
    """The next scheduler does not tell of it again, and tells of the return."""
    await desk.ping()
    await desk.pass_time(100)
    desk.restart(alerts, start_grace_s=30)
    await desk.pass_time(100)
    assert [MISSED] == kept.types
    await desk.ping()
    await desk.pass_time(10)
    assert [MISSED, BACK] == kept.types


async def test_a_time_without_scheduler_makes_nobody_missed_at_once(
    desk: Desk, kept: Kept, alerts: AlertEngine
) -> None:
    """Who could not be heard because nobody listened has the grace of the start; who stays away is told then."""
    await desk.ping()
    await desk.pass_time(5)
    desk.now += timedelta(hours=3)
    desk.restart(alerts, start_grace_s=30)
    await desk.pass_time(25)
    assert [] == kept.types
    await desk.pass_time(10)
    assert [MISSED] == kept.types


async def test_a_failure_is_told_at_once(desk: Desk, kept: Kept) -> None:
    """And success after it is the return."""
    await desk.ping(Ping.FAIL)
    await desk.pass_time(5)
    assert ([MISSED], HeartbeatState.FAILED) == (kept.types, desk.state)
    await desk.ping()
    await desk.pass_time(5)
    assert [MISSED, BACK] == kept.types


async def test_what_has_started_has_its_grace_to_end(desk: Desk, kept: Kept) -> None:
    """A run that hangs is told after the grace, however long the period is; one that ends says how long it took."""
    await desk.ping(Ping.START)
    await desk.pass_time(5)
    assert HeartbeatState.RUNNING is desk.state
    await desk.ping()
    await desk.pass_time(5)
    assert 5 == desk.books.heartbeats.known[0].took_s
    await desk.ping(Ping.START)
    await desk.pass_time(20)
    assert [MISSED] == kept.types


async def test_maintenance_holds_it_back(desk: Desk, kept: Kept) -> None:
    """Nobody is told within a window; after it they are."""
    desk.planned = {"heartbeat:backup"}
    await desk.ping()
    await desk.pass_time(200)
    assert [] == kept.types
    desk.planned = set()
    await desk.pass_time(5)
    assert [MISSED] == kept.types


async def test_a_store_that_takes_nothing_repeats_no_alert(desk: Desk, kept: Kept, store: StoreNearby) -> None:
    """With a full disk the miss is told once, and remembered in the store when it can be."""
    await desk.ping()
    await desk.look()
    store.is_full = True
    await desk.pass_time(300)
    assert [MISSED] == kept.types
    store.is_full = False
    await desk.look()
    await desk.books.read()
    assert desk.books.heartbeats.known[0].is_told


async def test_pings_at_once_are_all_counted(desk: Desk) -> None:
    """None of several that write at the same time is lost."""
    await asyncio.gather(*(desk.ping() for _ in range(5)))
    await desk.books.read()
    assert 5 == desk.books.heartbeats.known[0].pings


async def test_who_is_deleted_is_forgotten(desk: Desk, kept: Kept) -> None:
    """Nothing is told of it any more, and it cannot be deleted twice."""
    await desk.ping()
    await desk.look()
    await desk.books.heartbeats.delete("backup")
    await desk.pass_time(200)
    assert ([], []) == (kept.types, desk.books.heartbeats.known)
    with pytest.raises(HeartbeatNotFound):
        await desk.books.heartbeats.delete("backup")


async def test_there_is_a_bound(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that makes names up cannot fill the store; those that are known go on."""
    monkeypatch.setattr(heartbeats, "MOST", 2)
    for name in ("one", "two", "one"):
        await desk.ping(name=name)
    with pytest.raises(InvalidInput):
        await desk.ping(name="three")
