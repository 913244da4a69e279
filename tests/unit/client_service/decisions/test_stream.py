"""Streams of decisions: how many a token, a tenant and all may have, and samples that count what they leave out."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from vestibule.client_service.api.decisions import MOST_A_SECOND
from vestibule.client_service.decisions import stream
from vestibule.client_service.decisions.audit import DecisionAudit
from vestibule.client_service.decisions.publisher import KEYS, TIERS, DecisionPublisher, key_for
from vestibule.client_service.decisions.rates import RateCounter
from vestibule.client_service.decisions.stream import DecisionStream, Listener
from vestibule.contracts.decisions import DecisionFilter, DecisionKind, DecisionRecord, Outcome
from vestibule.contracts.errors import Unavailable
from vestibule.policy import Decision, Situation
from vestibule.policy.decision_log import DecisionLog

ALL = DecisionFilter()


async def test_a_tenant_with_many_tokens_leaves_places_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A place is free again when its stream ends."""
    monkeypatch.setattr(stream, "MAX_PER_TOKEN", 2)
    monkeypatch.setattr(stream, "MAX_PER_TENANT", 3)
    monkeypatch.setattr(stream, "MAX_LISTENERS", 5)
    decisions = DecisionStream(Redis())

    async def begun(token_id: str, tenant: str) -> AsyncIterator[bytes]:
        events = decisions.listen(ALL, token_id, tenant)
        assert b": listening\n\n" == await anext(events)
        return events

    of_one = [await begun(token_id, "t") for token_id in ("a", "a", "b")]
    for token_id in ("a", "b", "c"):
        with pytest.raises(Unavailable):
            decisions.listen(ALL, token_id, "t")
    of_other = [await begun(token_id, "u") for token_id in ("d", "e")]
    with pytest.raises(Unavailable):
        decisions.listen(ALL, "g", "v")
    await of_one.pop().aclose()  # type: ignore[attr-defined]
    of_one.append(await begun("c", "t"))
    for events in (*of_one, *of_other):
        await events.aclose()  # type: ignore[attr-defined]
    assert not decisions._holders


def _record(number: int, **more: Any) -> DecisionRecord:
    given = {
        "time": datetime.now(UTC),
        "decision_id": f"{number:016x}",
        "route": "/add",
        "policy": "p",
        "detectors": "d",
    }
    return DecisionRecord(**given, **more)


def _events(content: bytes) -> list[tuple[str, dict[str, Any]]]:
    blocks = [dict(line.split(": ", 1) for line in one.split("\n")) for one in content.decode().split("\n\n") if one]
    return [(one["event"], orjson.loads(one["data"])) for one in blocks]


def test_a_sample_has_so_many_a_second_and_counts_the_rest_once_a_second() -> None:
    """What was left out is not missed; nothing is rendered for it, and what another filter wants is not counted."""
    now = 100.0
    listener = Listener(DecisionFilter(outcome=Outcome.LET_IN), 2, lambda: now)
    rendered: list[int] = []

    def offer(*numbers: int) -> None:
        for number in numbers:
            record = _record(number)
            listener.offer(record, lambda: rendered.append(number) or stream._event(record))  # noqa: B023 - called at once

    offer(1, 2, 3)
    listener.offer(_record(4, outcome=Outcome.BLOCKED), lambda: pytest.fail("nobody wants it"))
    kinds = [name for name, _data in _events(listener.take())]
    assert ["decision", "decision", "sampled"] == kinds
    now += 0.5
    offer(5, 6)
    assert b"" == listener.take()
    assert 0.5 == listener.silence_s(10)
    listener.leave_out(DecisionKind("", "/add", None, None, Outcome.LET_IN, None, ()), 0)
    assert not listener.woken.is_set(), "there is nothing to be told before the second is over"
    now += 0.5
    offer(7)
    (kept, (name, told)) = _events(listener.take())
    assert ("decision", "sampled", {"left_out": 2}) == (kept[0], name, told)
    assert [1, 2, 7] == rendered
    assert 10 == listener.silence_s(10)


def _publisher(tmp_path: Path) -> tuple[DecisionPublisher, DecisionAudit]:
    log = DecisionLog(tmp_path, 7, lambda _error, _lines: None)
    publisher = DecisionPublisher(RateCounter(log))
    return publisher, DecisionAudit(log, publisher, lambda value, _tenant: value, "d")


def _decide(audit: DecisionAudit, route: str, times: int) -> None:
    for _ in range(times):
        audit.record(Decision("p"), Situation(route, "id", "reports"), {})


@pytest.mark.parametrize("has_other", [False, True])
def test_a_process_makes_records_of_so_many_and_counts_the_others_by_kind(tmp_path: Path, has_other: bool) -> None:
    """A rare kind is not crowded out by a frequent one. Whoever takes all changes that for everybody."""
    publisher, audit = _publisher(tmp_path)
    publisher._note([b"1" if has_other else None, b"1", None, None])
    _decide(audit, "/add", 1000)
    _decide(audit, "/run", 3)
    decisions = DecisionStream(Redis())
    of_all, of_rare = Listener(DecisionFilter(), 5), Listener(DecisionFilter(route="/run"), 5)
    decisions._listeners += [of_all, of_rare]
    while (message := publisher._take()) is not None:
        decisions._receive(message)
    assert (1003, 5) == (of_all.left_out + len(of_all.waiting), len(of_all.waiting))
    assert (0, 3) == (of_rare.left_out, len(of_rare.waiting))
    assert {0} == {one.missed for one in decisions._listeners}


def test_a_lost_message_is_missed_with_all_that_it_counts(tmp_path: Path) -> None:
    """The next one says how many there were, in full or counted."""
    publisher, audit = _publisher(tmp_path)
    publisher._note([None, b"1", None, None])
    decisions = DecisionStream(Redis())
    listener = Listener(DecisionFilter(), 1000)
    decisions._listeners.append(listener)
    for is_lost in (False, True, False):
        _decide(audit, "/add", 50)
        message = publisher._take()
        assert message is not None
        if not is_lost:
            decisions._receive(message)
    assert (100, 50) == (len(listener.waiting) + listener.left_out, listener.missed)


def test_keys_say_how_many_are_wanted() -> None:
    """Each bound has the tier that is not less; without one everything is wanted."""
    assert [KEYS[1], KEYS[1], KEYS[2], KEYS[3]] == [key_for(one) for one in (1, 10, 11, 1000)]
    assert KEYS[0] == key_for(None)
    assert MOST_A_SECOND == TIERS[-1]
