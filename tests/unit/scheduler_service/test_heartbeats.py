"""Whoever is missed is told once, and once that they are back; a clock on the wall that is set makes nobody missed."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vestibule.alerts import AlertEngine
from vestibule.contracts.errors import HeartbeatNotFound, InvalidInput
from vestibule.scheduler_service.availability.incidents import Incidents
from vestibule.scheduler_service.heartbeats import heartbeats
from vestibule.scheduler_service.heartbeats.heartbeats import HeartbeatMonitor, HeartbeatState, Ping
from vestibule.scheduler_service.operator_inputs import OperatorInputs

from .conftest import Kept, SteadyClock, StoreNearby

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PERIOD_S, GRACE_S = 60.0, 10.0
MISSED, BACK = "HeartbeatMissed", "HeartbeatRecovered"


class StatusServicePart:
    """What one scheduler has of heartbeats, with time that passes on both clocks."""

    def __init__(self, store: StoreNearby, alerts: AlertEngine, clock: SteadyClock) -> None:
        self.operator_inputs = OperatorInputs(store)
        self.clock = clock
        self.now = NOON
        self.planned: set[str] = set()
        self.incidents = Incidents()
        self.restart(alerts)

    def restart(self, alerts: AlertEngine, start_grace_s: float = 0) -> None:
        options: dict[str, Any] = {"start_grace_s": start_grace_s, "clock": self.clock}
        self.monitor = HeartbeatMonitor(
            self.operator_inputs.heartbeats,
            lambda: self.incidents,
            alerts,
            lambda part, _at: part in self.planned,
            **options,
        )

    async def ping(self, ping: Ping = Ping.DONE, name: str = "backup") -> None:
        await self.operator_inputs.heartbeats.ping(name, ping, self.now, PERIOD_S, GRACE_S)

    async def pass_time(self, seconds: float, step_s: float = 5) -> None:
        for _ in range(int(seconds / step_s)):
            self.now += timedelta(seconds=step_s)
            self.clock.now_s += step_s
            await self.look()

    async def look(self) -> None:
        await self.operator_inputs.read()
        await self.monitor.check(self.now)

    @property
    def state(self) -> HeartbeatState:
        return self.operator_inputs.heartbeats.known[0].state(self.now)


@pytest.fixture
def status_service(store: StoreNearby, alerts: AlertEngine, clock: SteadyClock) -> StatusServicePart:
    """A scheduler that watches."""
    return StatusServicePart(store, alerts, clock)


async def test_who_is_heard_of_in_time_is_not_told_of(status_service: StatusServicePart, kept: Kept) -> None:
    """For as long as the pings come, within period and grace, nothing happens."""
    for _ in range(20):
        await status_service.ping()
        await status_service.pass_time(PERIOD_S + GRACE_S - 5)
    assert ([], HeartbeatState.LATE) == (kept.types, status_service.state)


async def test_who_is_missed_is_told_once_and_the_return_once(status_service: StatusServicePart, kept: Kept) -> None:
    """However long it lasts; both alerts have the same subject, and the incident has an end."""
    await status_service.ping()
    await status_service.pass_time(600)
    assert ([MISSED], HeartbeatState.MISSED) == (kept.types, status_service.state)
    await status_service.ping()
    await status_service.pass_time(30)
    assert ([MISSED, BACK], HeartbeatState.UP) == (kept.types, status_service.state)
    assert {"heartbeat:backup"} == {alert.subject for alert in kept.alerts}
    assert [True] == [incident.ended is not None for incident in status_service.incidents.listed]


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_clock_that_is_set_makes_nobody_missed(
    status_service: StatusServicePart, kept: Kept, hours: int
) -> None:
    """Set forth, nobody is missed who is not; set back, who is missed is told all the same."""
    await status_service.ping()
    await status_service.pass_time(20)
    status_service.now += timedelta(hours=hours)
    await status_service.pass_time(40)
    assert [] == kept.types
    await status_service.pass_time(20)
    assert [MISSED] == kept.types


async def test_a_missed_one_outlives_the_scheduler(
    status_service: StatusServicePart, kept: Kept, alerts: AlertEngine
) -> None:
    """The next scheduler does not tell of it again, and tells of the return."""
    await status_service.ping()
    await status_service.pass_time(100)
    status_service.restart(alerts, start_grace_s=30)
    await status_service.pass_time(100)
    assert [MISSED] == kept.types
    await status_service.ping()
    await status_service.pass_time(10)
    assert [MISSED, BACK] == kept.types


async def test_a_time_without_scheduler_makes_nobody_missed_at_once(
    status_service: StatusServicePart, kept: Kept, alerts: AlertEngine
) -> None:
    """Who could not be heard because nobody listened has the grace of the start; who stays away is told then."""
    await status_service.ping()
    await status_service.pass_time(5)
    status_service.now += timedelta(hours=3)
    status_service.restart(alerts, start_grace_s=30)
    await status_service.pass_time(25)
    assert [] == kept.types
    await status_service.pass_time(10)
    assert [MISSED] == kept.types


async def test_a_failure_is_told_at_once(status_service: StatusServicePart, kept: Kept) -> None:
    """And success after it is the return."""
    await status_service.ping(Ping.FAIL)
    await status_service.pass_time(5)
    assert ([MISSED], HeartbeatState.FAILED) == (kept.types, status_service.state)
    await status_service.ping()
    await status_service.pass_time(5)
    assert [MISSED, BACK] == kept.types


async def test_what_has_started_has_its_grace_to_end(status_service: StatusServicePart, kept: Kept) -> None:
    """A run that hangs is told after the grace, however long the period is; one that ends says how long it took."""
    await status_service.ping(Ping.START)
    await status_service.pass_time(5)
    assert HeartbeatState.RUNNING is status_service.state
    await status_service.ping()
    await status_service.pass_time(5)
    assert 5 == status_service.operator_inputs.heartbeats.known[0].took_s
    await status_service.ping(Ping.START)
    await status_service.pass_time(20)
    assert [MISSED] == kept.types


async def test_maintenance_holds_it_back(status_service: StatusServicePart, kept: Kept) -> None:
    """Nobody is told within a window; after it they are."""
    status_service.planned = {"heartbeat:backup"}
    await status_service.ping()
    await status_service.pass_time(200)
    assert [] == kept.types
    status_service.planned = set()
    await status_service.pass_time(5)
    assert [MISSED] == kept.types


async def test_a_store_that_takes_nothing_repeats_no_alert(
    status_service: StatusServicePart, kept: Kept, store: StoreNearby
) -> None:
    """With a full disk the miss is told once, and remembered in the store when it can be."""
    await status_service.ping()
    await status_service.look()
    store.is_full = True
    await status_service.pass_time(300)
    assert [MISSED] == kept.types
    store.is_full = False
    await status_service.look()
    await status_service.operator_inputs.read()
    assert status_service.operator_inputs.heartbeats.known[0].is_told


async def test_pings_at_once_are_all_counted(status_service: StatusServicePart) -> None:
    """None of several that write at the same time is lost."""
    await asyncio.gather(*(status_service.ping() for _ in range(5)))
    await status_service.operator_inputs.read()
    assert 5 == status_service.operator_inputs.heartbeats.known[0].pings


async def test_who_is_deleted_is_forgotten(status_service: StatusServicePart, kept: Kept) -> None:
    """Nothing is told of it any more, and it cannot be deleted twice."""
    await status_service.ping()
    await status_service.look()
    await status_service.operator_inputs.heartbeats.delete("backup")
    await status_service.pass_time(200)
    assert ([], []) == (kept.types, status_service.operator_inputs.heartbeats.known)
    with pytest.raises(HeartbeatNotFound):
        await status_service.operator_inputs.heartbeats.delete("backup")


async def test_there_is_a_bound(status_service: StatusServicePart, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that makes names up cannot fill the store; those that are known go on."""
    monkeypatch.setattr(heartbeats, "MOST", 2)
    for name in ("one", "two", "one"):
        await status_service.ping(name=name)
    with pytest.raises(InvalidInput):
        await status_service.ping(name="three")
