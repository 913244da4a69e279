"""The filters of tasks in addresses and forms of the console."""

from datetime import UTC, datetime

import pytest

from vestibule.console.pages.tasks.filters import ACTIONS, STATES, TaskFilters, seconds_of
from vestibule.contracts.errors import InvalidInput
from vestibule.contracts.tasks import TaskState


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("", None), (" ", None), ("90", 90), ("90 s", 90), ("15 min", 900), ("1.5h", 5400), ("2 d", 172_800)],
)
def test_a_time_span_is_read_as_people_write_it(text: str, seconds: float | None) -> None:
    """With or without a unit or a space; an empty one is none."""
    assert seconds == seconds_of("every", text)


@pytest.mark.parametrize("text", ["soon", "-1", "5 years", "1e9", "1 h 5 min", "\u0665 s!"])
def test_what_is_no_time_span_names_its_field(text: str) -> None:
    """The form says which field it is, and what would be right."""
    with pytest.raises(InvalidInput) as raised:
        seconds_of("older_than", text)
    assert [{"where": "older than", "expected": "must be a time span such as 90 s, 15 min, 2 h or 1 d"}] == list(
        raised.value.extra["errors"]  # type: ignore[call-overload]
    )


def test_a_time_without_a_zone_is_in_utc() -> None:
    """A field of a browser has no zone."""
    expected = datetime(2026, 1, 31, 12, tzinfo=UTC)
    for text in ("2026-01-31T12:00", "2026-01-31T13:00+01:00"):
        assert expected == TaskFilters(due_before=text).chosen()["due_before"]
    with pytest.raises(InvalidInput):
        TaskFilters(due_before="tomorrow").chosen()


def test_an_empty_filter_is_none() -> None:
    """The address of an empty form finds everything."""
    assert {"all_tenants": False} == {name: one for name, one in TaskFilters().chosen().items() if one is not None}
    assert {} == TaskFilters(token=" ").members


def test_each_state_has_the_actions_that_the_service_allows() -> None:
    """No page offers what would match nothing."""
    assert set(STATES) == set(TaskState)
    assert ["retry", "cancel", "drop"] == TaskFilters().actions
    assert {"retry", "drop"} == set(TaskFilters(state="dead").actions)
    assert [] == TaskFilters(state="succeeded").actions
    assert {state for states in ACTIONS.values() for state in states} == set(TaskState) - {"succeeded"}
