"""Maintenance windows cover what they say, and are kept."""

from datetime import UTC, datetime, timedelta

import pytest

from vestibule.contracts.errors import InvalidInput, MaintenanceNotFound
from vestibule.scheduler_service.maintenance.windows import MaintenanceWindow
from vestibule.scheduler_service.operator_inputs import OperatorInputs

from .conftest import StoreNearby

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
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
    """From its begin to just before its end."""
    assert is_covered == _window().covers(part, NOON + hours * HOUR)


def test_a_window_for_all_covers_all() -> None:
    """Heartbeats too."""
    assert all(_window(part="all").covers(part, NOON) for part in ("client", "backlog", "heartbeat:backup"))


async def test_another_scheduler_knows_the_windows(store: StoreNearby) -> None:
    """What one wrote the others read."""
    await OperatorInputs(store).windows.add(_window(), NOON)
    other = OperatorInputs(store)
    await other.read()
    assert other.windows.is_planned("database", NOON)


async def test_a_window_is_ended_now_and_one_to_come_is_taken_back(store: StoreNearby) -> None:
    """The first is shown as over, the second is gone, and neither covers anything any more."""
    operator_inputs = OperatorInputs(store)
    under_way, to_come = _window(-1, 1), _window(2, 3)
    for window in (under_way, to_come):
        await operator_inputs.windows.add(window, NOON)
        await operator_inputs.windows.end(window.id, NOON)
    await operator_inputs.read()
    assert [(under_way.id, NOON)] == [(window.id, window.ends) for window in operator_inputs.windows.known]
    with pytest.raises(MaintenanceNotFound):
        await operator_inputs.windows.end(to_come.id, NOON)


@pytest.mark.parametrize(("begin", "end"), [(1, 1), (2, 1), (-2, -1), (0, 24 * 400)])
async def test_a_window_that_makes_no_sense_is_refused(store: StoreNearby, begin: float, end: float) -> None:
    """One that ends before it begins, that is over, or that lasts for more than a year."""
    with pytest.raises(InvalidInput):
        await OperatorInputs(store).windows.add(_window(begin, end), NOON)
