"""The content of the status page: texts and tones."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from vestibule.contracts.identity import DEFAULT_TENANT, SYSTEM_TENANT
from vestibule.scheduler_service.availability.availability_history import AvailabilityHistory, ProbeCounts
from vestibule.scheduler_service.availability.parts import PARTS, Incident, IncidentKind, PartState
from vestibule.scheduler_service.heartbeats import HeartbeatState
from vestibule.scheduler_service.maintenance import EVERYTHING, MaintenanceWindow
from vestibule.scheduler_service.status_page.status import INTERVALS, HeartbeatStatus, HistorySpan, PartStatus, Status

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


BARS, BAR_WIDTH = INTERVALS[HistorySpan.DAY]
SHOWN_INCIDENTS = 20
SHOWN_AFTER_END = timedelta(days=1)
TONE_COLOURS = {"up": "#1a7f4b", "degraded": "#d08a1c", "down": "#c0262d", "planned": "#3557c4", "calm": "#6b7587"}


def clock_time(at: datetime) -> str:
    """Return the time of day: 23:59:01."""
    return f"{at:%H:%M:%S}"


def moment(at: datetime, now: datetime) -> str:
    """Return a time, with its date where that is not today."""
    if at.date() == now.date():
        return f"{at:%H:%M}"
    return f"{at.day} {at:%b, %H:%M}" if at.year == now.year else f"{at.day} {at:%b %Y, %H:%M}"


def duration(seconds: float | timedelta) -> str:
    """Return a duration in at most two units: 2 h 5 min. A `timedelta` is rounded to seconds."""
    total_s = round(seconds.total_seconds()) if isinstance(seconds, timedelta) else seconds
    if total_s < MINUTE_S:
        return f"{total_s:.3g} s"
    whole_s = int(total_s)
    for unit_s, unit, lesser_s, lesser in ((DAY_S, "d", HOUR_S, "h"), (HOUR_S, "h", MINUTE_S, "min")):
        if whole_s >= unit_s:
            rest = whole_s % unit_s // lesser_s
            return f"{whole_s // unit_s} {unit}" + (f" {rest} {lesser}" if rest else "")
    rest = whole_s % MINUTE_S
    return f"{whole_s // MINUTE_S} min" + (f" {rest} s" if rest else "")


def percent(share: float | None) -> str:
    """Return a percentage; only a share of exactly 1 is 100%."""
    if share is None:
        return "–"
    if share == 1:
        return "100%"
    return f"{min(share * 100, 99.99):.2f}%"


def milliseconds(value: float | None) -> str:
    """Return a latency."""
    return "–" if value is None else f"{value:.3g} ms" if value < 1000 else f"{value / 1000:.3g} s"


PART_LOOKS = {
    PartState.UP: ("up", "up"),
    PartState.DEGRADED: ("degraded", "degraded"),
    PartState.DOWN: ("down", "down"),
    PartState.OFF: ("calm", "disabled"),
    PartState.UNKNOWN: ("calm", "unknown"),
}
HEARTBEAT_TONES = {
    HeartbeatState.UP: "up",
    HeartbeatState.RUNNING: "planned",
    HeartbeatState.LATE: "degraded",
    HeartbeatState.MISSED: "down",
    HeartbeatState.FAILED: "down",
}
INCIDENT_LOOKS = {
    IncidentKind.DOWN: ("down", "down"),
    IncidentKind.DEGRADED: ("degraded", "degraded"),
    IncidentKind.MISSED: ("down", "missed"),
}


@dataclass(frozen=True, slots=True)
class Bar:
    """The availability of a part in one interval."""

    tone: str
    label: str


@dataclass(frozen=True, slots=True)
class PartView:
    """A part."""

    title: str
    tone: str
    word: str
    bars: list[Bar]
    summary: str
    facts: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class PageView:
    """The page."""

    at: datetime
    headline: str
    tone: str
    holder: str | None
    parts: list[PartView]
    heartbeats: list[HeartbeatStatus]
    windows: list[MaintenanceWindow]
    incidents: list[Incident]
    more_incidents: int

    @property
    def icon(self) -> str:
        """The favicon, as a data URL."""
        circle = f'<circle cx="8" cy="8" r="7" fill="{TONE_COLOURS[self.tone]}"/>'
        return "data:image/svg+xml," + quote(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">{circle}</svg>', safe="/:="
        )


def view_page(status: Status, history: AvailabilityHistory) -> PageView:
    """Return the content of the page."""
    headline, tone = sum_up(status)
    return PageView(
        at=status.at,
        headline=headline,
        tone=tone,
        holder=status.holder,
        parts=[_view_part(part, history, status.at) for part in status.parts],
        heartbeats=status.heartbeats,
        windows=[one for one in status.maintenance if one.ends > status.at - SHOWN_AFTER_END],
        incidents=status.incidents[:SHOWN_INCIDENTS],
        more_incidents=max(0, len(status.incidents) - SHOWN_INCIDENTS),
    )


def sum_up(status: Status) -> tuple[str, str]:
    """Return the headline of the page and its tone."""
    missing = (HeartbeatState.MISSED, HeartbeatState.FAILED)
    down = [title_of(part.name) for part in status.parts if part.state is PartState.DOWN and not part.in_maintenance]
    missed = [owner_of(one.tenant) + one.name for one in status.heartbeats if one.state in missing]
    degraded = [title_of(part.name) for part in status.parts if part.state is PartState.DEGRADED]
    planned = [part for part in status.parts if part.in_maintenance]
    if down:
        return (f"{down[0]} is down" if len(down) == 1 else f"{len(down)} parts are down"), "down"
    if missed:
        return (
            f"{missed[0]} missed its heartbeat" if len(missed) == 1 else f"{len(missed)} heartbeats are missing"
        ), "down"
    if degraded:
        return (
            f"{degraded[0]} is degraded" if len(degraded) == 1 else f"{len(degraded)} parts are degraded"
        ), "degraded"
    if planned:
        return "Maintenance in progress", "planned"
    if all(part.state in (PartState.UNKNOWN, PartState.OFF) for part in status.parts):
        return "No data yet", "calm"
    return "All systems operational", "up"


def title_of(subject: str) -> str:
    """Return the title of a part or a heartbeat."""
    if subject == EVERYTHING:
        return "Everything"
    return PARTS[subject].title if subject in PARTS else subject.removeprefix("heartbeat:")


def owner_of(tenant: str) -> str:
    """Return how a name begins on the page: with its tenant, unless that is the default tenant or none."""
    return "" if tenant in (DEFAULT_TENANT, SYSTEM_TENANT) else f"{tenant}/"


def _view_part(part: PartStatus, history: AvailabilityHistory, now: datetime) -> PartView:
    title = title_of(part.name)
    tone, word = PART_LOOKS[part.state]
    if part.in_maintenance:
        tone, word = "planned", f"maintenance, {word}"
    elif part.down_since is not None:
        word = f"{word} for {duration(now - part.down_since)}"
    if part.state is PartState.OFF:
        return PartView(title, tone, word, [], "", [])
    over = part.availability
    shares = [("hour", percent(over.hour)), ("day", percent(over.day)), ("30 days", percent(over.month))]
    facts = [*shares, ("last answer in", milliseconds(part.latency_ms))]
    if part.note:
        facts.append(("now", part.note))
    bars = [_bar(end, counts, now) for end, counts in history.bars(part.name, now, BARS, BAR_WIDTH)]
    summary = f"{title}, the last 24 hours: {percent(over.day)} of the probes were answered"
    return PartView(title, tone, word, bars, summary, facts)


def _bar(end: datetime, counts: ProbeCounts, now: datetime) -> Bar:
    when = f"{moment(end - BAR_WIDTH, now)} to {clock_time(end)[:5]} UTC"
    if not counts.asked:
        return Bar("planned", f"{when}: maintenance") if counts.planned else Bar("none", f"{when}: no data")
    share = counts.answered / counts.asked
    tone = "up" if share == 1 else "degraded" if share >= 0.9 else "down"
    planned = ", some of it maintenance" if counts.planned else ""
    latency = f", {milliseconds(counts.latency_ms / counts.answered)} on average" if counts.answered else ""
    return Bar(tone, f"{when}: {percent(share)} answered{latency}{planned}")


def window_phase(window: MaintenanceWindow, now: datetime) -> str:
    """Say whether a window is planned, active or over."""
    return "planned" if now < window.begins else "active" if now < window.ends else "over"
