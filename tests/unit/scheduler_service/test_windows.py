"""Maintenance windows cover their part in their time, and are stored."""

from datetime import UTC, datetime, timedelta

import pytest

from vestibule.contracts.errors import InvalidInput, MaintenanceNotFound
from vestibule.contracts.identity import EVERYTHING, Visibility
from vestibule.scheduler_service.maintenance import MaintenanceRepository, MaintenanceWindow

from .conftest import LocalEntries

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
# The last hour that a time can name.
LAST = (
    (datetime(9999, 12, 31, 22, tzinfo=UTC) - NOON) / timedelta(hours=1),
    (datetime(9999, 12, 31, 23, tzinfo=UTC) - NOON) / timedelta(hours=1),
)
HOUR = timedelta(hours=1)


def _window(begin: float = 0, end: float = 1, part: str = "database") -> MaintenanceWindow:
    return MaintenanceWindow(part=part, begins=NOON + begin * HOUR, ends=NOON + end * HOUR, author="ops")


@pytest.mark.parametrize(
    ("part", "hours", "is_covered"),
    [
        ("database", 0, True),
        ("database", 0.99, True),
        ("database", 1, False),
        ("database", -0.01, False),
        ("client", 0, False),
    ],
)
def test_a_window_covers_its_part_in_its_time(part: str, hours: float, is_covered: bool) -> None:
    """From its beginning to just before its end."""
    assert is_covered == _window().covers(part, NOON + hours * HOUR)


def test_a_window_for_all_covers_all() -> None:
    """Heartbeats too."""
    assert all(_window(part="all").covers(part, NOON) for part in ("client", "backlog", "heartbeat:backup"))


async def test_another_scheduler_knows_the_windows(store: LocalEntries) -> None:
    """Each reads what another wrote."""
    await MaintenanceRepository(store).add(_window(), NOON)
    other = MaintenanceRepository(store)
    await other.refresh()
    assert other.is_planned("database", NOON)


async def test_a_window_of_a_tenant_covers_heartbeats_of_that_tenant(store: LocalEntries) -> None:
    """Neither a part, nor the same name of another tenant; another tenant neither sees nor ends it."""
    windows = MaintenanceRepository(store)
    window = _window(part="all").model_copy(update={"tenant": "north"})
    await windows.add(window, NOON)
    tenants = ("north", "south", "~system")
    assert [True, False, False] == [windows.is_planned("heartbeat:backup", NOON, tenant) for tenant in tenants]
    assert not windows.is_planned("database", NOON)
    north, south = (Visibility(frozenset({name}), name) for name in ("north", "south"))
    assert ([window], []) == (windows.visible(north), windows.visible(south))
    with pytest.raises(MaintenanceNotFound):
        await windows.end(window.id, NOON, south)
    await windows.end(window.id, NOON, north)
    await windows.add(_window(part="heartbeat:backup"), NOON)
    assert [True] * 3 == [windows.is_planned("heartbeat:backup", NOON, tenant) for tenant in tenants]


async def test_an_active_window_ends_now_and_a_planned_one_is_deleted(store: LocalEntries) -> None:
    """The first is shown as over, the second is gone, and neither covers anything any more."""
    windows = MaintenanceRepository(store)
    under_way, to_come = _window(-1, 1), _window(2, 3)
    for window in (under_way, to_come):
        await windows.add(window, NOON)
        await windows.end(window.id, NOON, EVERYTHING)
    await windows.refresh()
    assert [(under_way.id, NOON)] == [(window.id, window.ends) for window in windows.known]
    with pytest.raises(MaintenanceNotFound):
        await windows.end(to_come.id, NOON, EVERYTHING)


@pytest.mark.parametrize(("begin", "end"), [(1, 1), (2, 1), (-2, -1), (0, 24 * 400), (24 * 4000, 24 * 4001), LAST])
async def test_an_invalid_window_is_refused(store: LocalEntries, begin: float, end: float) -> None:
    """One that ends before it begins, that is over, that lasts for more than a year, or that begins in ten years."""
    with pytest.raises(InvalidInput):
        await MaintenanceRepository(store).add(_window(begin, end), NOON)
