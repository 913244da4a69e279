"""Since when a policy is in force, and replays of drafts page by page."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from vestibule.client_service.policies import replay
from vestibule.client_service.policies.since import PolicySince
from vestibule.contracts.decisions import Action, DecisionFilter, DecisionPage, DecisionRecord, RecordedFinding
from vestibule.policy import Policy
from vestibule.policy.rule_index import PolicyRule, Scope

NOW = datetime.now(UTC)


def test_since_when_a_policy_is_in_force_outlives_a_restart(tmp_path: Path) -> None:
    """Another policy counts from its own beginning; a broken note, or a folder that cannot be written, from now."""
    path = tmp_path / "policy_since.json"
    first = PolicySince(path)
    first.note("v1")
    since = first.of("v1")
    again = PolicySince(path)
    again.note("v1")
    assert (since, None) == (again.of("v1"), again.of("v2"))
    again.note("v2")
    assert (None, True) == (again.of("v1"), again.of("v2") > since)  # type: ignore[operator]
    path.write_text("{")
    again.note("v2")
    assert again.of("v2") is not None
    unwritable = PolicySince(path / "below-a-file")
    unwritable.note("v3")
    assert unwritable.of("v3") is not None


def _policy(action: Action) -> Policy:
    return Policy([PolicyRule(Scope(), "here", 1, action)], {})


def _record(number: int, *actions: Action, allowance: str | None = None) -> DecisionRecord:
    found = [
        RecordedFinding(entity="IBAN_CODE", score=0.9, field=field, action=action, allowance=allowance)
        for field, action in zip(("key", "value", "key"), actions, strict=False)
    ]
    times = {"time": NOW - timedelta(minutes=number), "decision_id": f"{number:016x}"}
    return DecisionRecord(**times, route="/add", policy="p", detectors="d", findings=found)


class Recorded:
    """Pages of recorded decisions."""

    def __init__(self, *records: DecisionRecord, page: int = 2) -> None:
        self._records, self._page = records, page
        self.asked: list[DecisionFilter] = []

    async def read(self, wanted: DecisionFilter, limit: int, cursor: str | None) -> DecisionPage:
        self.asked.append(wanted)
        first = int(cursor or 0)
        after = first + min(limit, self._page)
        more = str(after) if after < len(self._records) else None
        return DecisionPage(decisions=list(self._records[first:after]), cursor=more)


async def test_a_replay_counts_what_changes_over_all_pages() -> None:
    """By request and by finding; what an allowance let pass, and what was clean, changes nothing."""
    recorded = Recorded(
        _record(1, Action.BLOCK, Action.MASK),
        _record(2, Action.ALERT),
        _record(3),
        _record(4, Action.IGNORE, allowance="a" * 16),
        _record(5, Action.MASK),
    )
    done = await replay.replay_recorded(recorded.read, _policy(Action.ALERT), "north", NOW - timedelta(days=1))
    result = done.result
    assert (True, 5, 4, 1) == (done.is_complete, done.examined, result.requests, result.clean)
    assert ({"north"}, 3) == ({one.tenant for one in recorded.asked}, len(recorded.asked))
    assert 2 == result.changed
    assert {(Action.BLOCK, Action.ALERT): 1, (Action.MASK, Action.ALERT): 1} == dict(result.changes)
    assert {(Action.BLOCK, Action.ALERT): 1, (Action.MASK, Action.ALERT): 2} == dict(
        result.by_entity["IBAN_CODE"].changes
    )
    assert (1, 0) == (result.blocked_now, result.blocked_then)


async def test_a_replay_is_bounded(monkeypatch) -> None:
    """It says that there is more, and how far it came."""
    monkeypatch.setattr(replay, "MAX_REPLAYED", 3)
    recorded = Recorded(*(_record(number, Action.MASK) for number in range(1, 9)))
    done = await replay.replay_recorded(recorded.read, _policy(Action.MASK), None, NOW - timedelta(days=1))
    assert (False, 4, NOW - timedelta(minutes=4)) == (done.is_complete, done.examined, done.oldest)
