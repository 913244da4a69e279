"""The contract of every store of decisions: one suite for all of them."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from servers.stores import with_server
from vestibule.contracts.decisions import (
    Action,
    CleanCount,
    DecisionBatch,
    DecisionFilter,
    DecisionRecord,
    HitKind,
    RecordedFinding,
)
from vestibule.database_service.decisions import paging
from vestibule.database_service.decisions.decision_store import DecisionStore
from vestibule.database_service.main import build_decision_store, store_kinds
from vestibule.database_service.settings import DatabaseSettings

KINDS = store_kinds()
KEEP_DAYS = 30
NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
FILE = f"{NOW.date()}-{'0' * 16}"
TODAY = NOW.date()


@pytest.fixture(params=["memory", "sqlite", "postgresql", "dynamodb"])
async def decisions(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[DecisionStore]:
    """An empty store of each kind."""
    kind = with_server(KINDS[request.param], request)
    store = kind.build(DatabaseSettings(data_dir=tmp_path, database_url=f"{kind.scheme}:"))
    async with store:
        found = build_decision_store(store, KEEP_DAYS)
        await found.prepare()
        yield found


def decision(minutes_ago: float = 0, *found: tuple[str, Action], **given: Any) -> DecisionRecord:
    """Return a record with these findings."""
    findings = [RecordedFinding(entity=entity, score=0.9, field="value", action=action) for entity, action in found]
    known = {"route": "/add", "policy": "p1", "detectors": "d1", "token_id": "t1", "token_name": "reports"}
    times = {"time": NOW - timedelta(minutes=minutes_ago), "decision_id": secrets.token_hex(8)}
    return DecisionRecord(**{**known, **times, **given}, findings=findings)


def batch(*records: DecisionRecord, start: int = 0, clean: int = 0, file: str = FILE) -> DecisionBatch:
    counted = [CleanCount(time=NOW, tenant="default", route="/add", clean=clean, policy="p1", detectors="d1")]
    end = start + 100 * (len(records) + 1)
    return DecisionBatch(file=file, start=start, end=end, decisions=list(records), clean=counted if clean else [])


async def _ids(decisions: DecisionStore, limit: int = 100, **wanted: Any) -> list[str]:
    page = await decisions.page(DecisionFilter(**wanted), limit, None)
    return [one.decision_id for one in page.decisions]


MAIL, CARD = ("EMAIL_ADDRESS", Action.REDACT), ("CREDIT_CARD", Action.BLOCK)


async def test_a_record_is_returned_as_it_came(decisions: DecisionStore) -> None:
    """With all its members; the newest is first, whichever arrived first."""
    ids = {"request_id": "r-1", "task_id": "task-1", "alert_id": "a-1", "key_prefix": "tickets/"}
    old, new = decision(5, MAIL, CARD, **ids), decision(1, MAIL)
    await decisions.add(batch(new, old))
    page = await decisions.page(DecisionFilter(), 10, None)
    assert ([new, old], None) == (page.decisions, page.cursor)
    for one in (old.decision_id, "r-1", "task-1", "a-1"):
        assert [old] == await decisions.find([one, "unknown"], None, 10)
    assert [old, new] == await decisions.find([new.decision_id, old.decision_id, "r-1"], "default", 10)
    assert [] == await decisions.find([old.decision_id], "other", 10)


async def test_each_filter_applies_and_all_together(decisions: DecisionStore) -> None:
    """Tenant, token by id or name, route, entity, strictest action, outcome, and a span of time."""
    mail, card = decision(1, MAIL), decision(2, CARD, MAIL, route="/messages", token_id="t2", token_name="other")
    foreign = decision(3, ("IBAN_CODE", Action.ALERT), tenant="t", token_id=None, token_name=None)
    await decisions.add(batch(mail, card, foreign))
    expected = {
        ("tenant", "t"): [foreign],
        ("token", "t2"): [card],
        ("token", "reports"): [mail],
        ("token", "unknown"): [],
        ("route", "/messages"): [card],
        ("entity", "EMAIL_ADDRESS"): [mail, card],
        ("action", "block"): [card],
        ("outcome", "let_in"): [mail, foreign],
        ("since", NOW - timedelta(minutes=2)): [mail, card],
        ("until", NOW - timedelta(minutes=2)): [foreign],
    }
    for (name, value), records in expected.items():
        assert [one.decision_id for one in records] == await _ids(decisions, **{name: value}), name
    every = {"tenant": "default", "token": "other", "route": "/messages", "entity": "EMAIL_ADDRESS", "action": "block"}
    between = {"outcome": "blocked", "since": NOW - timedelta(hours=1), "until": NOW}
    assert [card.decision_id] == await _ids(decisions, **every, **between)
    assert [] == await _ids(decisions, **{**every, "entity": "IBAN_CODE"}, **between)


async def test_pages_show_each_decision_once(decisions: DecisionStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a page examines too few decisions to be full; what comes meanwhile is newer than all pages."""
    monkeypatch.setattr(paging, "WINDOWS", (2, 5))
    # Those of a minute have the same time.
    records = [decision(number // 4, MAIL, route="/add" if number % 9 else "/messages") for number in range(60)]
    start = await decisions.add(batch(*records))
    for wanted in (DecisionFilter(), DecisionFilter(entity="EMAIL_ADDRESS", route="/messages", tenant="default")):
        expected = sorted(one.decision_id for one in records if wanted.matches(one))
        page = await decisions.page(wanted, 5, None)
        found = [one.decision_id for one in page.decisions]
        records.append(decision(-60, MAIL, route="/messages"))
        start = await decisions.add(batch(records[-1], start=start))
        while page.cursor is not None:
            page = await decisions.page(wanted, 5, page.cursor)
            found += [one.decision_id for one in page.decisions]
        assert expected == sorted(found)


async def test_a_batch_counts_once(decisions: DecisionStore) -> None:
    """However often and by how many it is sent at a time, and cut anew; what starts elsewhere changes nothing."""
    first, second = decision(1, MAIL, MAIL, CARD), decision(2, MAIL)
    sent = batch(first, clean=5)
    assert [sent.end] * 8 == await asyncio.gather(*(decisions.add(sent) for _ in range(8)))
    assert sent.end == await decisions.add(batch(second, start=7))
    await decisions.add(batch(first, second, start=sent.end, clean=2))
    assert {FILE: sent.end + 300} == await decisions.positions([FILE, "unknown"])
    # The same decision in another file: the position is that file's, and the decision is counted once.
    await decisions.add(batch(first, file=f"{TODAY}-{'1' * 16}"))
    (counted,) = await decisions.counts(TODAY, TODAY, None)
    assert (7, {"block": 1, "redact": 1}) == (counted.clean, counted.actions)
    assert {"EMAIL_ADDRESS": {"redact": 2}, "CREDIT_CARD": {"block": 1}} == counted.entities


async def test_counts_are_of_days_routes_and_tenants(decisions: DecisionStore) -> None:
    """In UTC, by the time of the decision."""
    before = decision(24 * 60, MAIL)
    other = decision(1, CARD, tenant="t", route="/messages")
    await decisions.add(batch(before, other, decision(1, MAIL), clean=3))
    yesterday, today = TODAY - timedelta(days=1), TODAY
    every = await decisions.counts(yesterday, today, None)
    assert [(str(yesterday), "/add"), (str(today), "/add"), (str(today), "/messages")] == [
        (one.day, one.route) for one in every
    ]
    assert [{"block": 1}] == [one.actions for one in await decisions.counts(yesterday, today, "t")]
    assert [] == await decisions.counts(date(2020, 1, 1), date(2020, 1, 2), None)
    assert [] == await decisions.counts(date.max - timedelta(days=9), date.max, None)


async def test_old_decisions_are_removed_and_their_counts_stay(decisions: DecisionStore) -> None:
    """In pieces; a batch that is repeated afterwards counts nothing again."""
    old = [decision(24 * 60 * (KEEP_DAYS + 2) + number, MAIL) for number in range(5)]
    new = decision(0, MAIL)
    sent = batch(*old, new)
    await decisions.add(sent)
    assert [3, 2, 0] == [await decisions.sweep(3) for _ in range(3)]
    await decisions.add(sent)
    assert [new.decision_id] == await _ids(decisions)
    assert [new.decision_id] == await _ids(decisions, entity="EMAIL_ADDRESS")
    found = await decisions.counts(TODAY - timedelta(days=KEEP_DAYS + 4), TODAY, "default")
    assert 6 == sum(one.actions["redact"] for one in found)


async def test_hits_of_rules_and_allowances_are_counted_with_the_decisions(decisions: DecisionStore) -> None:
    """In how many decisions each decided, by tenant and day; the counts by route do not have them."""
    rule, other, allowance = "a" * 12, "b" * 12, "c" * 16
    mail = RecordedFinding(entity="EMAIL_ADDRESS", score=0.9, field="value", action=Action.IGNORE, rule_id=rule)
    records = [
        decision().model_copy(update={"findings": [mail, mail, mail.model_copy(update={"rule_id": other})]}),
        decision().model_copy(update={"findings": [mail.model_copy(update={"allowance": allowance})]}),
        decision(tenant="north").model_copy(update={"findings": [mail]}),
        decision(2 * 24 * 60).model_copy(update={"findings": [mail]}),
    ]
    for _ in range(2):  # a batch that is sent again counts once
        await decisions.add(batch(*records))
    assert {rule: 3, other: 1} == await decisions.hits(HitKind.RULE, TODAY, TODAY, None)
    assert {rule: 2, other: 1} == await decisions.hits(HitKind.RULE, TODAY, TODAY, "default")
    assert {rule: 4, other: 1} == await decisions.hits(HitKind.RULE, TODAY - timedelta(days=30), TODAY, None)
    assert {allowance: 1} == await decisions.hits(HitKind.ALLOWANCE, TODAY, TODAY, "default")
    assert {} == await decisions.hits(HitKind.ALLOWANCE, TODAY, TODAY, "north")
    assert {"/add"} == {one.route for one in await decisions.counts(TODAY - timedelta(days=30), TODAY, None)}
