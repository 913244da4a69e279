"""Evaluates a policy: on sample texts with expected actions, and on recorded decisions."""

import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from vestibule.contracts.decisions import CleanCount, DecisionRecord, RecordedFinding
from vestibule.policy.decision import Action, Decision, FindingLike, Situation, strictest
from vestibule.policy.policy import KEY_FIELD, Policy

PASS = "pass"  # noqa: S105 - the outcome of a request that passes


class Sample(BaseModel):
    """A text, its request, and the expected outcome: one word, or an action by entity."""

    model_config = ConfigDict(extra="forbid")

    text: str
    expect: str | Mapping[str, Action] = Field(description=f"An action, `{PASS}` for none, or actions by entity")
    key: str | None = None
    route: str = "/add"
    token: str | None = None

    @property
    def situation(self) -> Situation:
        """Where the text comes from."""
        return Situation(self.route, self.token, self.token, self.key)


class InvalidSamples(ValueError):
    """The file of samples is invalid; the message has the place, and none of the texts."""


_samples = TypeAdapter(list[Sample])


def read_samples(path: Path) -> list[Sample]:
    """Return the samples in `path`: lines of JSON if it ends in `.jsonl`, else TOML with `[[samples]]`.

    Raises:
        InvalidSamples: the file cannot be read or is invalid.
    """
    try:
        content = path.read_bytes()
        given: Any
        if path.suffix == ".jsonl":
            given = [orjson.loads(line) for line in content.splitlines() if line.strip()]
        else:
            given = tomllib.loads(content.decode("utf-8")).get("samples", [])
        return _samples.validate_python(given)
    except ValidationError as error:
        mistake = error.errors()[0]
        place = "/".join(str(part) for part in mistake["loc"][1:2])
        number = int(mistake["loc"][0]) + 1 if mistake["loc"] else 1
        raise InvalidSamples(f"{path}, sample {number}: `{place}`: {mistake['msg']}") from None
    except (OSError, ValueError) as error:
        raise InvalidSamples(f"{path} cannot be read as samples ({type(error).__name__})") from None


def outcome_of(decision: Decision) -> str:
    """Return the strictest action that was taken, or withheld in a dry run, as one word."""
    return str(decision.strictest_withheld or decision.strictest or PASS)


def find_mismatches(
    samples: Sequence[Sample], policy: Policy, scan: Callable[[str, str | None], Sequence[FindingLike]]
) -> dict[int, str]:
    """Return the samples with another outcome than expected: a message by the sample's number, counted from 1.

    `scan` takes a text and its key.
    """
    mistakes: dict[int, str] = {}
    for number, sample in enumerate(samples, 1):
        findings = {"value": scan(sample.text, sample.key)}
        if sample.key is not None:
            findings[KEY_FIELD] = scan(sample.key, None)
        mistake = mismatch_of(sample, policy.decide(sample.situation, findings))
        if mistake:
            mistakes[number] = mistake
    return mistakes


def mismatch_of(sample: Sample, decision: Decision) -> str | None:
    """Return how a decision differs from the expected one; None if it does not."""
    if isinstance(sample.expect, str):
        outcome = outcome_of(decision)
        is_passed = sample.expect == PASS and outcome == Action.IGNORE
        return None if outcome == sample.expect or is_passed else f"expected {sample.expect}, got {outcome}"
    actual = decision.withheld if decision.is_dry_run else decision.actions
    if dict(sample.expect) == actual:
        return None
    return f"expected {_words(sample.expect)}, got {_words(actual)}"


def _words(actions: Mapping[str, Action]) -> str:
    return ", ".join(f"{entity} {action}" for entity, action in sorted(actions.items())) or PASS


class _RecordedSpan(NamedTuple):
    """A finding as it was recorded, without its offsets."""

    entity: str
    score: float
    start: int = 0
    end: int = 0


@dataclass(slots=True)
class Comparison:
    """The actions on an entity under both policies, and how many findings change from which action to which."""

    findings: int = 0
    now: Counter[Action] = field(default_factory=Counter)
    then: Counter[Action] = field(default_factory=Counter)
    changes: Counter[tuple[Action, Action]] = field(default_factory=Counter)


@dataclass(slots=True)
class Replay:
    """The outcome of a replay: recorded requests under their own policy and under another.

    `changed` counts the requests with a finding whose action changes, `changes` those whose strictest action does.
    """

    requests: int = 0
    clean: int = 0
    changed: int = 0
    changes: Counter[tuple[Action, Action]] = field(default_factory=Counter)
    blocked_now: int = 0
    blocked_then: int = 0
    by_entity: dict[str, Comparison] = field(default_factory=dict)


def replay(records: Iterable[DecisionRecord | CleanCount], policy: Policy, token_names: Mapping[str, str]) -> Replay:
    """Decide every record again under `policy`; `token_names` maps the ids of tokens to names.

    The actions that a dry run withheld count as taken. Records have no keys, so a rule for keys applies if the recorded
    policy named the same prefix or a longer one.
    """
    result = Replay()
    for record in records:
        if isinstance(record, CleanCount):
            result.clean += record.clean
        else:
            replay_one(result, record, policy, token_names)
    return result


def replay_one(result: Replay, record: DecisionRecord, policy: Policy, token_names: Mapping[str, str]) -> None:
    """Decide one record again, and add the outcome to `result`. What an allowance let pass still passes."""
    if not record.findings:
        result.clean += 1
        return
    name = token_names.get(record.token_id or "", record.token_name)
    situation = Situation(record.route, record.token_id, name, key=record.key_prefix)
    by_field: dict[str, list[RecordedFinding]] = {}
    for one in record.findings:
        by_field.setdefault(one.field, []).append(one)
    spans = {name: [_RecordedSpan(one.entity, one.score) for one in some] for name, some in by_field.items()}
    decision = policy.decide(situation, spans)
    # In the order in which the policy decides: field by field.
    recorded = [one for some in by_field.values() for one in some]
    decided = decision.would_have or [one.action for one in decision.findings]
    then = [Action.IGNORE if one.allowance else action for one, action in zip(recorded, decided, strict=True)]
    now = [one.would_have or one.action for one in recorded]
    _count(result, now, then)
    for one, before, after in zip(recorded, now, then, strict=True):
        comparison = result.by_entity.setdefault(one.entity, Comparison())
        comparison.findings += 1
        comparison.now[before] += 1
        comparison.then[after] += 1
        if before is not after:
            comparison.changes[before, after] += 1


def _count(result: Replay, now: list[Action], then: list[Action]) -> None:
    result.requests += 1
    result.blocked_now += Action.BLOCK in now
    result.blocked_then += Action.BLOCK in then
    result.changed += now != then
    before, after = strictest(now), strictest(then)
    if before is not after:
        result.changes[before, after] += 1
