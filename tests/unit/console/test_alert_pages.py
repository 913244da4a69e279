"""What the pages of alerts work out by themselves: filters, and which silence holds a group back."""

from datetime import UTC, datetime, timedelta

import pytest

from vestibule.alerts import AlertType
from vestibule.client.results.alerts import AlertGroup, Silence
from vestibule.console.pages.alerts.filters import TYPES
from vestibule.console.pages.alerts.groups import silencing
from vestibule.console.views.moments import as_entered, hours_of, time_of
from vestibule.contracts.errors import InvalidInput

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def _group(**changes: object) -> AlertGroup:
    members = {"id": "g", "type": "Secret", "severity": "critical", "count": 1, "first": NOW, "last": NOW}
    members |= {"entities": ["API_KEY", "JWT"], "token_id": "t1", "token_name": "orders", "tenant": "north"}
    members |= {"state": "open", "state_by": None, "state_reason": None, "state_since": None}
    return AlertGroup(**{**members, **changes})


def _silence(**changes: object) -> Silence:
    members = {"id": "s", "type": None, "token_id": None, "entity": None, "author": "ann", "tenant": "~system"}
    members |= {"reason": "r", "start": NOW, "end": NOW, "alerts": 0, "notifications": 0}
    members |= {"changed_by": None, "changed_reason": None, "changed_at": None}
    return Silence(**{**members, **changes})


def test_the_types_are_those_that_there_are() -> None:
    """The form of filters has every type, as the services name them."""
    assert list(TYPES) == [one.value for one in AlertType]


@pytest.mark.parametrize(
    ("silence", "holds"),
    [
        ({}, True),
        ({"type": "Secret", "token_id": "t1", "entity": "JWT"}, True),
        ({"tenant": "north"}, True),
        ({"type": "PersonalData"}, False),
        ({"token_id": "t2"}, False),
        ({"entity": "API"}, False),
        ({"tenant": "south"}, False),
    ],
)
def test_a_silence_holds_back_what_it_matches(silence: dict[str, str], holds: bool) -> None:
    """Each condition that it has is met, and it is of the same tenant or of the operator."""
    assert holds == bool(silencing(_group(), [_silence(**silence)]))


def test_a_time_is_a_span_or_a_time() -> None:
    """A span counts back from now, a time without a zone is in UTC, and the field of the browser shows either."""
    assert NOW - timedelta(hours=24) == time_of("24h", "since", NOW)
    assert NOW == time_of("2026-01-31T12:00", "since")
    assert NOW == time_of("2026-01-31T13:00:00+01:00", "since")
    assert time_of("", "since") is None
    assert "2026-01-31T12:00" == as_entered("2026-01-31T13:00:00+01:00")
    assert ("", "") == (as_entered(""), as_entered("soon"))


@pytest.mark.parametrize("text", ["soon", "99999d" * 2, "24", "99999999d"])
def test_a_time_that_is_none_is_told(text: str) -> None:
    """The form says what it takes."""
    with pytest.raises(InvalidInput, match="since"):
        time_of(text, "since")


def test_hours_are_a_number() -> None:
    """What is none is told; the service knows the bounds."""
    assert 0.5 == hours_of("0.5")
    with pytest.raises(InvalidInput, match="number"):
        hours_of("many")
