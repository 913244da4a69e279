"""The page and the badges show the status in words as well as in colours, and user input as text only."""

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibule.scheduler_service.availability.availability_history import AvailabilityHistory, ProbeCounts
from vestibule.scheduler_service.availability.parts import Incident, IncidentKind, PartState
from vestibule.scheduler_service.heartbeats import HeartbeatState
from vestibule.scheduler_service.lease import Role
from vestibule.scheduler_service.maintenance import MaintenanceWindow
from vestibule.scheduler_service.status_page.page import StatusPage, draw_badge
from vestibule.scheduler_service.status_page.page_view import duration, percent, sum_up, view_page
from vestibule.scheduler_service.status_page.status import Availability, HeartbeatStatus, PartStatus, Status

NOON = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
MARKUP = "<script>alert(1)</script>"


def _part(name: str, state: PartState = PartState.UP, *, in_maintenance: bool = False) -> PartStatus:
    return PartStatus(
        name=name,
        state=state,
        last_answer_at=NOON,
        latency_ms=2.5,
        misses_in_a_row=0,
        down_since=NOON - timedelta(minutes=7) if state is PartState.DOWN else None,
        note=None,
        in_maintenance=in_maintenance,
        availability=Availability(hour=1, day=0.99995, month=None),
    )


def _heartbeat(state: HeartbeatState) -> HeartbeatStatus:
    return HeartbeatStatus(
        name="backup",
        tenant="default",
        state=state,
        period_s=60,
        grace_s=5,
        last_at=NOON,
        started_at=None,
        took_s=None,
        pings=1,
    )


def _status(*parts: PartStatus, heartbeats: list[HeartbeatStatus] | None = None, reason: str = "") -> Status:
    window = MaintenanceWindow(part="all", begins=NOON, ends=NOON + timedelta(hours=1), reason=reason, author="ops")
    return Status(
        at=NOON,
        role=Role.ACTIVE,
        holder="a:1",
        saved_at=NOON,
        parts=list(parts),
        heartbeats=heartbeats or [],
        maintenance=[window] if reason else [],
        incidents=[Incident(subject="store", kind=IncidentKind.DOWN, began=NOON - timedelta(hours=2), ended=NOON)],
    )


@pytest.mark.parametrize(
    ("parts", "heartbeats", "expected"),
    [
        ([_part("client"), _part("store")], [], ("All systems operational", "up")),
        ([_part("client", PartState.DOWN)], [], ("Client service is down", "down")),
        ([_part("client", PartState.DOWN), _part("queue", PartState.DOWN)], [], ("2 parts are down", "down")),
        ([_part("queue", PartState.DEGRADED)], [], ("Redis is degraded", "degraded")),
        ([_part("queue")], [_heartbeat(HeartbeatState.MISSED)], ("backup missed its heartbeat", "down")),
        ([_part("queue", PartState.DOWN, in_maintenance=True)], [], ("Maintenance in progress", "planned")),
        ([_part("queue", PartState.OFF), _part("client", PartState.UNKNOWN)], [], ("No data yet", "calm")),
        ([_part("queue", PartState.OFF), _part("client")], [], ("All systems operational", "up")),
    ],
)
def test_the_headline_is_the_worst_state(
    parts: list[PartStatus], heartbeats: list[HeartbeatStatus], expected: tuple[str, str]
) -> None:
    """The outage, in a few words; planned and switched-off parts do not count."""
    assert expected == sum_up(_status(*parts, heartbeats=heartbeats))


def _draw(status: Status, history: AvailabilityHistory | None = None) -> str:
    return StatusPage.read(10).draw(view_page(status, history or AvailabilityHistory()))


class _Outline(HTMLParser):
    """Records open elements, and elements with a name."""

    VOID = frozenset({"meta", "link", "rect", "path", "circle"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID or tag == "rect":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()


def test_the_page_is_well_formed_and_says_what_it_shows() -> None:
    """Every element ends, every image has a label, sections have headings, and states are words."""
    history = AvailabilityHistory()
    history.count("store", NOON, ProbeCounts(9, 10, 30))
    history.count("store", NOON - timedelta(hours=3), ProbeCounts(planned=4))
    parts = [_part("store"), _part("client", PartState.DOWN), _part("business_logic", PartState.OFF)]
    page = _draw(_status(*parts, heartbeats=[_heartbeat(HeartbeatState.LATE)], reason="new disks"), history)
    outline = _Outline(page)
    assert [] == outline.open
    ids = {attributes["id"] for _, attributes in outline.seen if "id" in attributes}
    sections = [attributes["aria-labelledby"] for tag, attributes in outline.seen if tag == "section"]
    assert set(sections) <= ids
    assert len(sections) >= 3
    pictures = [attributes for tag, attributes in outline.seen if tag == "svg"]
    assert all("aria-label" in picture or picture.get("aria-hidden") == "true" for picture in pictures)
    for words in ("down for 7 min", "disabled", "late", "active", "90.00% answered", ": maintenance", "100%"):
        assert words in page
    assert '<html lang="en">' in page


def test_without_scripts_the_page_reloads() -> None:
    """A browser without scripts reloads it by a meta element."""
    assert '<noscript><meta http-equiv="refresh" content="15"></noscript>' in _draw(_status(_part("client")))


def test_user_input_is_escaped() -> None:
    """Markup in a reason appears as it was typed."""
    page = _draw(_status(_part("client"), reason=MARKUP))
    assert MARKUP not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


@pytest.mark.parametrize("state", PartState)
def test_every_state_has_a_badge(state: PartState) -> None:
    """A well-formed image with a label."""
    badge = ElementTree.fromstring(draw_badge(_part("business_logic", state)))
    assert "svg" == badge.tag.rpartition("}")[2]
    assert badge.attrib["aria-label"].startswith("business logic: ")


@given(st.floats(0, 1))
def test_only_full_availability_is_100_percent(share: float) -> None:
    """However close to it, 100% is shown where every probe was answered."""
    assert (share == 1) == (percent(share) == "100%")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.25, "0.25 s"), (10, "10 s"), (90, "1 min 30 s"), (3600, "1 h"),
        (3900, "1 h 5 min"), (90_000, "1 d 1 h"), (timedelta(seconds=43.3), "43 s"),
    ],
)  # fmt: skip
def test_lengths_of_time_are_short(seconds: float | timedelta, expected: str) -> None:
    """At most two units."""
    assert expected == duration(seconds)
