"""The history of a part as bars, one for each interval: its tone, and what it says."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from vestibule.client.results.scheduler import Heartbeat, HistoryInterval, PartStatus, SystemStatus
from vestibule.console.views.formatting import percent

# Below this share of answers an interval was an outage rather than a hitch.
OUTAGE_BELOW = 0.9
LOST = {"missed": "is missing", "failed": "has failed"}


class HistoryBar(NamedTuple):
    """One interval of the history."""

    tone: str
    label: str


def bars_of(part: PartStatus) -> list[HistoryBar]:
    """Return the bars of a part, the oldest first; none where it has no history."""
    intervals = part.history or []
    length = _length_of(intervals)
    return [_bar(one, length) for one in intervals]


def headline(status: SystemStatus) -> tuple[str, str]:
    """Return how the system is as a tone and a sentence: what is down comes first."""
    lost = [f"The heartbeat {one.name} {LOST[one.state]}." for one in status.heartbeats if one.state in LOST]
    if down := _parts(status, "down"):
        return "bad", f"{_listed(down)} {_be(down)} down."
    if lost:
        return "bad", lost[0] if len(lost) == 1 else f"{len(lost)} heartbeats were missed or failed."
    if slow := _parts(status, "degraded"):
        return "warning", f"{_listed(slow)} {_be(slow)} degraded."
    return _calm(status)


def _calm(status: SystemStatus) -> tuple[str, str]:
    if any(part.in_maintenance for part in status.parts):
        return "info", "Maintenance is in progress."
    if all(part.state in ("unknown", "off") for part in status.parts):
        return "info", "There is no data yet: the first probes take a few seconds."
    if any(part.state == "unknown" for part in status.parts):
        return "good", "The parts are up that were probed already; the others take a few seconds."
    return "good", "All parts are up."


def due(heartbeat: Heartbeat) -> datetime | None:
    """Return when a heartbeat is expected next; None before its first ping."""
    return None if heartbeat.last_at is None else heartbeat.last_at + timedelta(seconds=heartbeat.period_s)


def subject_words(subject: str) -> str:
    """Return what an incident or a window is about: `Business logic`, `Heartbeat nightly-backup`, `Everything`."""
    kind, _, name = subject.partition(":")
    if name:
        return f"{kind.capitalize()} {name}"
    return "Everything" if subject == "all" else subject.replace("_", " ").capitalize()


def answered(share: float | None) -> str:
    """Return a share of answered probes; a dash without any probe."""
    return "–" if share is None else percent(share)


def _bar(one: HistoryInterval, length: timedelta) -> HistoryBar:
    form = "%d %b" if length >= timedelta(days=1) else "%H:%M"
    when = f"{one.until - length:{form}} to {one.until:{form}} UTC"
    if not one.asked:
        return HistoryBar("planned", f"{when}: maintenance") if one.planned else HistoryBar("none", f"{when}: no data")
    share = one.answered / one.asked
    tone = "good" if share == 1 else "warning" if share >= OUTAGE_BELOW else "bad"
    mean = f", {one.latency_ms:.3g} ms on average" if one.latency_ms is not None else ""
    planned = ", some of it maintenance" if one.planned else ""
    return HistoryBar(tone, f"{when}: {percent(share)} of the probes answered{mean}{planned}")


def _length_of(intervals: Sequence[HistoryInterval]) -> timedelta:
    return intervals[1].until - intervals[0].until if len(intervals) > 1 else timedelta(0)


def _parts(status: SystemStatus, state: str) -> list[str]:
    found = [part.name for part in status.parts if part.state == state and not part.in_maintenance]
    return ["the " + name.replace("_", " ") for name in found]


def _be(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _listed(names: Sequence[str]) -> str:
    text = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return text[0].upper() + text[1:]


FILTERS = {"answered": answered, "bars_of": bars_of, "due": due, "headline": headline, "subject_words": subject_words}
