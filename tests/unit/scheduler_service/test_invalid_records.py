"""A stored record that is not valid, torn or of another version, is skipped and logged once; it stops no other."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import structlog

from vestibule.contracts.entries import Pair
from vestibule.contracts.errors import MaintenanceNotFound
from vestibule.contracts.identity import EVERYTHING
from vestibule.scheduler_service.availability.availability_history import page_names
from vestibule.scheduler_service.availability.monitor_state import MonitorState
from vestibule.scheduler_service.heartbeats import HeartbeatRepository, Ping
from vestibule.scheduler_service.lease import Lease, Role
from vestibule.scheduler_service.maintenance import MaintenanceRepository, MaintenanceWindow

from .conftest import FallbackLocks, LocalEntries, SteadyClock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TORN = ["", "{", "[]", '{"name": 1}']


@pytest.mark.parametrize("torn", TORN)
async def test_a_torn_heartbeat_hides_no_other(store: LocalEntries, torn: str) -> None:
    """The next ping of that name begins anew."""
    heartbeats = HeartbeatRepository(store)
    await heartbeats.ping("backup", Ping.DONE, NOON, 60, 10, tenant="default")
    await store.write(Pair(key="heartbeat/other", value=torn))
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            await heartbeats.refresh()
    assert [("record_invalid", "Heartbeat")] == [(line["event"], line["kind"]) for line in lines]
    assert ["backup"] == [one.name for one in heartbeats.known]
    await heartbeats.ping("other", Ping.DONE, NOON, 60, 10, tenant="default")
    await heartbeats.refresh()
    assert ["backup", "other"] == [one.name for one in heartbeats.known]


@pytest.mark.parametrize("torn", TORN)
async def test_a_torn_window_hides_no_other(store: LocalEntries, torn: str) -> None:
    """It can be deleted."""
    windows = MaintenanceRepository(store)
    window = MaintenanceWindow.model_validate(
        {"part": "all", "from": NOON, "until": NOON + timedelta(hours=1), "author": "ops", "tenant": "default"}
    )
    await windows.add(window, NOON)
    await store.write(Pair(key="maintenance/0000000000000000", value=torn))
    await windows.refresh()
    assert [window.id] == [one.id for one in windows.known]
    with pytest.raises(MaintenanceNotFound):
        await windows.end("0" * 16, NOON, EVERYTHING)
    assert 1 == len(await store.read_all("maintenance/"))


@pytest.mark.parametrize("torn", TORN)
async def test_a_torn_lease_and_a_torn_state_are_replaced(store: LocalEntries, torn: str) -> None:
    """The lease when it was not renewed for long enough, the state of the parts and its pages by the next save."""
    clock = SteadyClock()
    lease = Lease(store, FallbackLocks(), "a:1", 15, clock)
    state = MonitorState(store, lease, {"database": True})
    for key in ("lease", "state", *page_names(datetime.now(UTC))):
        await store.write(Pair(key=key, value=torn))
    await lease.keep()
    assert Role.PASSIVE == lease.role
    clock.now_s += 15
    await lease.keep()
    assert Role.ACTIVE == lease.role
    await state.refresh()
    await state.save()
    (saved,) = await store.read_many(["state"])
    assert saved is not None
    assert ["database"] == [part["name"] for part in json.loads(saved.value)["parts"]]
