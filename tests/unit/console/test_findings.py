"""Sums of findings, and the order of a timeline."""

from datetime import UTC, date, datetime, timedelta

import pytest

from vestibule.client.results.decisions import (
    Decision,
    DecisionCount,
    DecisionRates,
    RateMinute,
    RecordedFinding,
    Trace,
    TraceEvent,
)
from vestibule.console.views.findings import found_values, heat_table, token_sums
from vestibule.console.views.moments import day_of, days_before, moment_of
from vestibule.console.views.rates import rate_chart, rate_rows, rate_sums
from vestibule.console.views.timeline import event_tone, in_order, summary_of
from vestibule.contracts.errors import InvalidInput

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
FIRST, LAST = date(2026, 1, 1), date(2026, 1, 31)


def _count(day: str, route: str, blocked: int) -> DecisionCount:
    return DecisionCount(
        day=day, route=route, clean=10, actions={"block": blocked}, entities={"EMAIL_ADDRESS": {"block": blocked}}
    )


def test_a_long_span_has_several_days_in_a_column() -> None:
    """No day is left out or counted twice, and the darkest is the column with most."""
    counts = [_count(f"2026-01-{day:02}", "/add", 2) for day in range(1, 32)] + [_count("2026-01-31", "/run", 1)]
    table = heat_table(counts, FIRST, LAST, "")
    assert 11 == len(table.columns)
    assert (FIRST, LAST) == (table.columns[0][0], table.columns[-1][1])
    (row,) = table.rows
    assert (63, 63) == (row.total, sum(cell.count for cell in row.cells))
    assert 4 == row.cells[0].shade
    assert ["/add", "/run"] == [one.route for one in table.routes]
    assert 1 == heat_table(counts, FIRST, LAST, "/run").rows[0].total


def test_a_little_is_told_from_nothing() -> None:
    """One finding beside ten thousand is shown."""
    table = heat_table([_count("2026-01-30", "/add", 10_000), _count("2026-01-31", "/add", 1)], FIRST, LAST, "")
    assert 1 <= table.rows[0].cells[-1].shade <= 4
    assert 0 == table.rows[0].cells[1].shade


def _decision(number: int, token: str, *fingerprints: str) -> Decision:
    findings = [
        RecordedFinding(entity="EMAIL_ADDRESS", score=0.9, field="value", action="block", fingerprint=one)
        for one in fingerprints
    ]
    return Decision(
        time=NOON + timedelta(minutes=number),
        decision_id=str(number),
        token_id=token,
        token_name=f"name of {token}",
        route="/add",
        policy="p",
        detectors="d",
        outcome="blocked",
        action="block",
        findings=findings,
    )


def test_a_value_counts_once_in_a_decision() -> None:
    """However often it stands in it."""
    decisions = [_decision(1, "a", "x", "x"), _decision(2, "b", "x", "y")]
    one, two = found_values(decisions, "EMAIL_ADDRESS", 10)
    assert ("x", 2, {"a", "b"}, "2") == (one.fingerprint, one.count, set(one.tokens), one.last_id)
    assert ("y", 1) == (two.fingerprint, two.count)
    assert [] == found_values(decisions, "CREDIT_CARD", 10)
    assert [("a", 1, 1), ("b", 1, 1)] == [(one.token_id, one.count, one.blocked) for one in token_sums(decisions)]


def test_the_end_of_a_task_stands_behind_its_last_attempt() -> None:
    """Whichever was recorded first. What belongs to others stays where it is."""
    ended = TraceEvent(at=NOON, kind="task_ended", task_id="t", state="succeeded")
    attempt = TraceEvent(at=NOON + timedelta(milliseconds=2), kind="attempt", task_id="t")
    other = TraceEvent(at=NOON + timedelta(milliseconds=3), kind="attempt", task_id="u", cause="timeout")
    assert [attempt, ended, other] == in_order([ended, attempt, other])
    assert [ended, other] == in_order([ended, other])
    assert ["good", "good", "bad"] == [event_tone(one) for one in (attempt, ended, other)]


def test_a_head_says_that_something_was_blocked() -> None:
    """Also where the request came in and its result was refused."""
    events = [
        TraceEvent(at=NOON, kind="request", request_id="r", token_id="t", route="/messages", outcome="let_in"),
        TraceEvent(at=NOON, kind="decision", decision_id="1", outcome="let_in", key_prefix="orders/"),
        TraceEvent(at=NOON + timedelta(seconds=2), kind="decision", decision_id="2", outcome="blocked", alert_id="a"),
    ]
    summary = summary_of(Trace(id="r", events=events))
    assert ("blocked", "orders/", ["a"]) == (summary.outcome, summary.key_prefix, summary.alert_ids)
    assert 2 == summary.lasted.total_seconds()


def test_rates_add_up() -> None:
    """The sums above the curve, what it draws, and the table without empty minutes."""
    minutes = [RateMinute(at=NOON + timedelta(minutes=one), clean=one * 3, actions={}) for one in range(3)]
    minutes.append(RateMinute(at=NOON + timedelta(minutes=3), clean=0, actions={"block": 1, "redact": 2}))
    rates = DecisionRates(minutes=minutes)
    sums = rate_sums(rates)
    assert (12, 3, 1) == (sums.requests, sums.found, sums.blocked)
    assert [[0, 3, 6, 3], [0, 0, 0, 1]] == rate_chart(rates)["data"][1:]
    assert [3, 2, 1] == [int((minute.at - NOON).total_seconds() // 60) for minute, _sums in rate_rows(rates)]


def test_times_of_a_form_are_in_utc() -> None:
    """Unless they say otherwise; what is no time is a mistake of its field."""
    assert NOON == moment_of("2026-01-31T12:00", "since")
    assert NOON == moment_of("2026-01-31T14:00+02:00", "since")
    assert moment_of("", "since") is None
    assert date(1, 1, 1) == days_before(date(1, 1, 2), 7)
    for call in (lambda: moment_of("noon", "since"), lambda: day_of("x", "until", FIRST)):
        with pytest.raises(InvalidInput) as raised:
            call()
        assert raised.value.extra["errors"]
