"""The timeline of a request: what its head says, and the tone of each event."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from vestibule.client.results.decisions import Trace, TraceEvent

AT_ONCE = timedelta(seconds=1)
# The tone of an event whose kind says it; others are by outcome, state, severity or cause.
_TONES = {
    "alert": "warning",
    "alert_elsewhere": "warning",
    "silenced": "warning",
    "task_cancelled": "warning",
    "task_dropped": "warning",
    "task_accepted": "info",
    "task_running": "info",
    "task_retried": "info",
    "result_written": "good",
}
_BY_STATE = {
    "succeeded": "good",
    "delivered": "good",
    "done": "good",
    "failed": "bad",
    "given_up": "bad",
    "resolved": "good",
    "acknowledged": "info",
    "open": "warning",
}


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """What a timeline is about: the first request, and what became of it."""

    began: datetime
    lasted: timedelta
    token_id: str | None
    token_name: str | None
    tenant: str | None
    route: str | None
    outcome: str | None
    key_prefix: str | None
    request_id: str | None
    decisions: list[TraceEvent]
    alert_ids: list[str]
    task_ids: list[str]


def summary_of(trace: Trace) -> TraceSummary:
    """Return what the head of a timeline says."""
    events = trace.events
    first = next((one for one in events if one.kind == "request"), events[0])
    decisions = [one for one in events if one.kind == "decision"]
    outcomes = [one.outcome for one in decisions if one.outcome]
    return TraceSummary(
        began=events[0].at,
        lasted=events[-1].at - events[0].at,
        token_id=first.token_id,
        token_name=first.token_name,
        tenant=first.tenant,
        route=first.route,
        outcome="blocked" if "blocked" in outcomes else first.outcome,
        key_prefix=next((one.key_prefix for one in decisions if one.key_prefix), None),
        request_id=first.request_id,
        decisions=[one for one in decisions if one.decision_id],
        alert_ids=_each_once(one.alert_id for one in events),
        task_ids=_each_once(one.task_id for one in events),
    )


def in_order(events: Sequence[TraceEvent]) -> list[TraceEvent]:
    """Return events with the end of a task behind its last attempt, whose end is recorded a moment later."""
    ordered = list(events)
    for place, (one, following) in enumerate(itertools.pairwise(events)):
        is_end = (one.kind, following.kind, one.task_id) == ("task_ended", "attempt", following.task_id)
        if is_end and following.at - one.at < AT_ONCE:
            ordered[place : place + 2] = [following, one]
    return ordered


def event_tone(event: TraceEvent) -> str:
    """Return the tone of an event."""
    if event.kind in {"request", "decision"}:
        return {"blocked": "bad", "let_in": "good"}.get(event.outcome or "", "calm")
    if event.kind == "attempt":
        return "bad" if event.cause else "good"
    if event.kind == "alert":
        return {"critical": "bad", "info": "info"}.get(event.severity or "", "warning")
    return _TONES.get(event.kind) or _BY_STATE.get(event.state or "", "calm")


def clock_time(at: datetime) -> str:
    """Return the time of a day to a thousandth of a second."""
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03}"


def _each_once(ids: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(one for one in ids if one))


FILTERS = {"clock_time": clock_time, "event_tone": event_tone}
