"""A missed heartbeat raises one alert, its return another; setting the wall clock raises none."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vestibule.alerts import AlertEngine
from vestibule.contracts.entries import Pair
from vestibule.contracts.errors import HeartbeatNotFound, InvalidInput
from vestibule.contracts.identity import Visibility
from vestibule.scheduler_service import heartbeats
from vestibule.scheduler_service.availability.parts import Incident, IncidentKind, Incidents
from vestibule.scheduler_service.heartbeats import (
    Heartbeat,
    HeartbeatMonitor,
    HeartbeatRepository,
    HeartbeatState,
    Ping,
)

from .conftest import LocalEntries, RecordingChannel, SteadyClock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PERIOD_S, GRACE_S = 60.0, 10.0
MISSED, BACK = "HeartbeatMissed", "HeartbeatRecovered"


class HeartbeatScheduler:
    """The heartbeat parts of one scheduler, with time that passes on both clocks."""

    def __init__(self, store: LocalEntries, alerts: AlertEngine, clock: SteadyClock) -> None:
        self.heartbeats = HeartbeatRepository(store)
        self.clock = clock
        self.now = NOON
        self.planned: set[str] = set()
        self.incidents = Incidents()
        self.restart(alerts)

    def restart(self, alerts: AlertEngine, start_grace_s: float = 0) -> None:
        options: dict[str, Any] = {"start_grace_s": start_grace_s, "clock": self.clock}
        self.monitor = HeartbeatMonitor(
            self.heartbeats,
            lambda: self.incidents,
            alerts,
            lambda part, _at, _tenant: part in self.planned,
            **options,
        )

    async def ping(self, ping: Ping = Ping.DONE, name: str = "backup", tenant: str = "default") -> None:
        await self.heartbeats.ping(name, ping, self.now, PERIOD_S, GRACE_S, tenant=tenant)

    async def pass_time(self, seconds: float, step_s: float = 5) -> None:
        for _ in range(int(seconds / step_s)):
            self.now += timedelta(seconds=step_s)
            self.clock.now_s += step_s
            await self.look()

    async def look(self) -> None:
        await self.heartbeats.refresh()
        await self.monitor.check(self.now)

    @property
    def state(self) -> HeartbeatState:
        return self.heartbeats.known[0].state(self.now)


@pytest.fixture
def scheduler(store: LocalEntries, alerts: AlertEngine, clock: SteadyClock) -> HeartbeatScheduler:
    """A scheduler that monitors heartbeats."""
    return HeartbeatScheduler(store, alerts, clock)


async def test_a_ping_in_time_raises_no_alert(scheduler: HeartbeatScheduler, kept: RecordingChannel) -> None:
    """For as long as the pings come, within period and grace, nothing happens."""
    for _ in range(20):
        await scheduler.ping()
        await scheduler.pass_time(PERIOD_S + GRACE_S - 5)
    assert ([], HeartbeatState.LATE) == (kept.types, scheduler.state)


async def test_a_missed_heartbeat_raises_one_alert_and_its_return_one(
    scheduler: HeartbeatScheduler, kept: RecordingChannel
) -> None:
    """However long it lasts; both alerts have the same subject, and the incident has an end."""
    await scheduler.ping()
    await scheduler.pass_time(600)
    assert ([MISSED], HeartbeatState.MISSED) == (kept.types, scheduler.state)
    await scheduler.ping()
    await scheduler.pass_time(30)
    assert ([MISSED, BACK], HeartbeatState.UP) == (kept.types, scheduler.state)
    assert {"heartbeat:backup"} == {alert.subject for alert in kept.alerts}
    assert [True] == [incident.ended is not None for incident in scheduler.incidents.listed]


@pytest.mark.parametrize("hours", [1, -1])
async def test_setting_the_clock_makes_no_heartbeat_missed(
    scheduler: HeartbeatScheduler, kept: RecordingChannel, hours: int
) -> None:
    """Set forward, no heartbeat counts as missed that is not; set back, a missed one raises its alert all the same."""
    await scheduler.ping()
    await scheduler.pass_time(20)
    scheduler.now += timedelta(hours=hours)
    await scheduler.pass_time(40)
    assert [] == kept.types
    await scheduler.pass_time(20)
    assert [MISSED] == kept.types


async def test_a_missed_one_outlives_the_scheduler(
    scheduler: HeartbeatScheduler, kept: RecordingChannel, alerts: AlertEngine
) -> None:
    """The next scheduler raises no second alert, and one for the return."""
    await scheduler.ping()
    await scheduler.pass_time(100)
    scheduler.restart(alerts, start_grace_s=30)
    await scheduler.pass_time(100)
    assert [MISSED] == kept.types
    await scheduler.ping()
    await scheduler.pass_time(10)
    assert [MISSED, BACK] == kept.types


async def test_a_time_without_scheduler_makes_no_heartbeat_missed_at_once(
    scheduler: HeartbeatScheduler, kept: RecordingChannel, alerts: AlertEngine
) -> None:
    """After the start a sender has the start grace to ping; an alert follows only if it does not."""
    await scheduler.ping()
    await scheduler.pass_time(5)
    scheduler.now += timedelta(hours=3)
    scheduler.restart(alerts, start_grace_s=30)
    await scheduler.pass_time(25)
    assert [] == kept.types
    await scheduler.pass_time(10)
    assert [MISSED] == kept.types


async def test_a_failure_raises_an_alert_at_once(scheduler: HeartbeatScheduler, kept: RecordingChannel) -> None:
    """Success after it is the return."""
    await scheduler.ping(Ping.FAIL)
    await scheduler.pass_time(5)
    assert ([MISSED], HeartbeatState.FAILED) == (kept.types, scheduler.state)
    await scheduler.ping()
    await scheduler.pass_time(5)
    assert [MISSED, BACK] == kept.types


async def test_what_has_started_has_its_grace_to_end(scheduler: HeartbeatScheduler, kept: RecordingChannel) -> None:
    """A run that hangs raises an alert after the grace, however long the period is; one that ends has a duration."""
    await scheduler.ping(Ping.START)
    await scheduler.pass_time(5)
    assert HeartbeatState.RUNNING is scheduler.state
    await scheduler.ping()
    await scheduler.pass_time(5)
    assert 5 == scheduler.heartbeats.known[0].took_s
    await scheduler.ping(Ping.START)
    await scheduler.pass_time(20)
    assert [MISSED] == kept.types


async def test_maintenance_suppresses_the_alert(scheduler: HeartbeatScheduler, kept: RecordingChannel) -> None:
    """There is no alert within a window; it follows after the window."""
    scheduler.planned = {"heartbeat:backup"}
    await scheduler.ping()
    await scheduler.pass_time(200)
    assert [] == kept.types
    scheduler.planned = set()
    await scheduler.pass_time(5)
    assert [MISSED] == kept.types


async def test_a_full_store_repeats_no_alert(
    scheduler: HeartbeatScheduler, kept: RecordingChannel, store: LocalEntries
) -> None:
    """With a full disk there is one alert, which is recorded in the store when that is possible."""
    await scheduler.ping()
    await scheduler.look()
    store.is_full = True
    await scheduler.pass_time(300)
    assert [MISSED] == kept.types
    store.is_full = False
    await scheduler.look()
    await scheduler.heartbeats.refresh()
    assert scheduler.heartbeats.known[0].is_alerted


async def test_pings_at_once_are_all_counted(scheduler: HeartbeatScheduler) -> None:
    """None of several that write at the same time is lost."""
    await asyncio.gather(*(scheduler.ping() for _ in range(5)))
    await scheduler.heartbeats.refresh()
    assert 5 == scheduler.heartbeats.known[0].pings


async def test_a_name_is_one_of_its_tenant(scheduler: HeartbeatScheduler, kept: RecordingChannel) -> None:
    """Two tenants have heartbeats of one name; each has its own state, alert, incident and end."""
    await scheduler.ping()
    await scheduler.ping(Ping.FAIL, tenant="north")
    await scheduler.look()
    assert [("north", MISSED, "heartbeat:backup")] == [(one.tenant, one.type, one.subject) for one in kept.alerts]
    await scheduler.ping(tenant="north")
    await scheduler.ping(Ping.FAIL)
    await scheduler.look()
    assert {("default", MISSED), ("north", BACK)} == {(one.tenant, one.type) for one in kept.alerts[1:]}
    ended = {incident.tenant: incident.ended is not None for incident in scheduler.incidents.listed}
    assert {"north": True, "default": False} == ended
    for tenant, state in (("north", HeartbeatState.UP), ("default", HeartbeatState.FAILED)):
        own = Visibility(frozenset({tenant}), tenant)
        assert [(tenant, state)] == [(one.tenant, one.state(NOON)) for one in scheduler.heartbeats.visible(own)]
    with pytest.raises(HeartbeatNotFound):
        await scheduler.heartbeats.delete("backup", "south")
    await scheduler.heartbeats.delete("backup", "north")
    await scheduler.heartbeats.refresh()
    assert ["default"] == [one.tenant for one in scheduler.heartbeats.known]


async def test_heartbeats_of_versions_without_tenants_are_the_default_tenants(store: LocalEntries) -> None:
    """What an earlier version stored is found under the same key, and an open incident of it can end."""
    earlier = Heartbeat(name="backup", period_s=60, grace_s=5, last_at=NOON).model_dump_json(exclude={"tenant"})
    await store.write(Pair(key="heartbeat/backup", value=earlier))
    repository = HeartbeatRepository(store)
    await repository.ping("backup", Ping.DONE, NOON, None, None, tenant="default")
    await repository.refresh()
    assert [("backup", "default", 1)] == [(one.name, one.tenant, one.pings) for one in repository.known]
    listed = [{"subject": subject, "kind": "missed", "began": NOON} for subject in ("heartbeat:backup", "store")]
    incidents = Incidents.model_validate({"listed": listed})
    assert ["default", "~system"] == [one.tenant for one in incidents.listed]
    incidents.end("heartbeat:backup", IncidentKind.MISSED, NOON, "default")
    assert [True, False] == [one.ended is not None for one in incidents.listed]


async def test_a_tenant_takes_no_place_from_another(store: LocalEntries, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own maximum of heartbeats and of incidents that are kept."""
    monkeypatch.setattr(heartbeats, "MOST", 2)
    repository = HeartbeatRepository(store)
    for tenant in ("north", "default", "south"):
        for name in ("a", "b"):
            await repository.ping(name, Ping.DONE, NOON, None, None, tenant=tenant)
        with pytest.raises(InvalidInput):
            await repository.ping("c", Ping.DONE, NOON, None, None, tenant=tenant)
    incidents = Incidents(listed=[_missed("north", number) for number in range(300)] + [_missed("south", 1)])
    incidents.prune(NOON)
    assert {"north": 200, "south": 1} == Counter(one.tenant for one in incidents.listed)
    south = Visibility(frozenset({"south"}), "south")
    assert ["south"] == [one.tenant for one in incidents.visible(south)]


def _missed(tenant: str, number: int) -> Incident:
    return Incident(subject=f"heartbeat:h{number}", tenant=tenant, kind=IncidentKind.MISSED, began=NOON)


async def test_a_deleted_heartbeat_raises_no_alert(scheduler: HeartbeatScheduler, kept: RecordingChannel) -> None:
    """It raises no alert any more, and cannot be deleted twice."""
    await scheduler.ping()
    await scheduler.look()
    await scheduler.heartbeats.delete("backup", "default")
    await scheduler.pass_time(200)
    assert ([], []) == (kept.types, scheduler.heartbeats.known)
    with pytest.raises(HeartbeatNotFound):
        await scheduler.heartbeats.delete("backup", "default")


async def test_the_number_of_heartbeats_is_limited(
    scheduler: HeartbeatScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller that invents names cannot fill the store; known heartbeats go on."""
    monkeypatch.setattr(heartbeats, "MOST", 2)
    for name in ("one", "two", "one"):
        await scheduler.ping(name=name)
    with pytest.raises(InvalidInput):
        await scheduler.ping(name="three")
