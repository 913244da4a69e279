"""Replays recorded decisions under another policy."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from vestibule.policy.action import Action
from vestibule.policy.audit.decision_log import CleanCount, DecisionRecord
from vestibule.policy.decision import Situation
from vestibule.policy.policy import Policy


class _RecordedSpan(NamedTuple):
    """A finding as it was recorded, without its offsets."""

    entity: str
    score: float
    start: int = 0
    end: int = 0


@dataclass(slots=True)
class Comparison:
    """The actions on an entity under both policies."""

    findings: int = 0
    now: Counter[Action] = field(default_factory=Counter)
    then: Counter[Action] = field(default_factory=Counter)


@dataclass(slots=True)
class Replay:
    """The outcome of a replay: recorded requests under their own policy and under another."""

    requests: int = 0
    clean: int = 0
    blocked_now: int = 0
    blocked_then: int = 0
    by_entity: dict[str, Comparison] = field(default_factory=dict)


def replay(records: Iterable[DecisionRecord | CleanCount], policy: Policy, token_names: Mapping[str, str]) -> Replay:
    """Decide every record again under `policy`; `token_names` gives the name that goes with a token's id.

    Of a dry run, what would have been done counts as done. Keys were not kept: a rule for keys applies where the policy
    of that time named the same prefix, or a longer one.
    """
    result = Replay()
    for record in records:
        if isinstance(record, CleanCount):
            result.clean += record.clean
        else:
            _compare(result, record, policy, token_names)
    return result


def _compare(result: Replay, record: DecisionRecord, policy: Policy, token_names: Mapping[str, str]) -> None:
    situation = Situation(record.route, record.token_id, token_names.get(record.token_id or ""), key=record.key_prefix)
    findings = {
        name: [_RecordedSpan(one.entity, one.score) for one in record.findings if one.field == name]
        for name in dict.fromkeys(one.field for one in record.findings)
    }
    decision = policy.decide(situation, findings)
    then = list(decision.would_have or [one.action for one in decision.findings])
    now = [one.would_have or one.action for one in record.findings]
    result.requests += 1
    result.blocked_now += Action.BLOCK in now
    result.blocked_then += Action.BLOCK in then
    for one, action in zip(record.findings, now, strict=True):
        comparison = result.by_entity.setdefault(one.entity, Comparison())
        comparison.findings += 1
        comparison.now[action] += 1
    for decided, action in zip(decision.findings, then, strict=True):
        result.by_entity[decided.found.entity].then[action] += 1
