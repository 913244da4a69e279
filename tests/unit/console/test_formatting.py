"""How values stand on pages, and which addresses and pieces of a text they are made of."""

from datetime import UTC, datetime, timedelta

import pytest

from vestibule.client.results.detection import ForeseenFinding
from vestibule.console.pages.policy import split
from vestibule.console.pages.sign_in import _own_address
from vestibule.console.views.formatting import ago, duration, number, percent, tone, with_query

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 ms"),
        (0.85, "850 ms"),
        (1.25, "1.2 s"),
        (12, "12 s"),
        (60, "1 min"),
        (185, "3 min 5 s"),
        (3600, "1 h"),
        (11_100, "3 h 5 min"),
        (86_400 * 2 + 3600, "2 d 1 h"),
        (86_400 * 12 + 3600, "12 d"),
    ],
)
def test_a_time_span_stands_in_its_largest_units(seconds: float, text: str) -> None:
    """Two below ten, one above."""
    assert text == duration(seconds)


def test_times_stand_as_a_person_says_them() -> None:
    """Past and future."""
    assert ["5 min ago", "in 2 h", "now"] == [
        ago(NOW - timedelta(minutes=5), NOW),
        ago(NOW + timedelta(hours=2), NOW),
        ago(NOW, NOW),
    ]


def test_numbers_do_not_hide_what_is_left() -> None:
    """A ratio that is not whole is never shown as 100%."""
    assert ["12,345", "0.25"] == [number(12_345), number(0.25)]
    assert ["0%", "99.99%", "100%", "50.00%"] == [percent(0), percent(0.99999), percent(1), percent(0.5)]


def test_a_query_has_the_members_that_are_given() -> None:
    """And quotes them."""
    assert "/tasks?key=a%26b+c&limit=0" == with_query("/tasks", state="", key="a&b c", cursor=None, limit=0)
    assert "/tasks" == with_query("/tasks", state="")


def test_every_state_has_a_tone() -> None:
    """One that nobody knows is quiet."""
    assert ["good", "bad", "quiet", "quiet"] == [tone("succeeded"), tone("failed"), tone("something"), tone(None)]


def _finding(start: int, end: int) -> ForeseenFinding:
    return ForeseenFinding(entity="PERSON", start=start, end=end, score=1.0, action="block", rule=None)


def test_a_text_is_split_at_its_findings() -> None:
    """Offsets count code points; of findings that overlap the first and longest is shown; no text is lost."""
    text = "𝕏 mail bob@x.example, call 1"
    findings = [_finding(7, 20), _finding(7, 10), _finding(9, 25), _finding(27, 28)]
    pieces = split(text, findings)
    assert text == "".join(piece.text for piece in pieces)
    assert ["bob@x.example", "1"] == [piece.text for piece in pieces if piece.finding]
    assert [] == split("", [])


@pytest.mark.parametrize("foreign", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "", "/a\nb"])
def test_sign_in_goes_on_to_addresses_of_the_console_alone(foreign: str) -> None:
    """Whatever a link says."""
    assert "/" == _own_address(foreign)
    assert "/tasks?state=failed&key=a%2Fb" == _own_address("/tasks?state=failed&key=a%2Fb")
