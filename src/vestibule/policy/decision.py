"""The actions on findings, and the input and the outcome of a decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple, Protocol

from vestibule.contracts.decisions import STRICTNESS, Action, Outcome, strictest
from vestibule.contracts.identity import DEFAULT_TENANT

__all__ = [
    "STRICTNESS",
    "Action",
    "DecidedFinding",
    "Decision",
    "FindingLike",
    "Findings",
    "Outcome",
    "RuleSeverity",
    "Situation",
    "Verdict",
    "strictest",
    "strictest_by_entity",
    "value_of",
]


class RuleSeverity(StrEnum):
    """The urgency of a finding, the least urgent first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


URGENCY = {severity: place for place, severity in enumerate(RuleSeverity)}


class FindingLike(Protocol):
    """A finding in a text, as the policy needs it; offsets in code points."""

    @property
    def entity(self) -> str: ...

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...

    @property
    def score(self) -> float: ...


class Situation(NamedTuple):
    """The context of a decision: caller, route, key, tenant and task, and whether the caller wants a receipt."""

    route: str
    token_id: str | None = None
    token_name: str | None = None
    key: str | None = None
    tenant: str = DEFAULT_TENANT
    task_id: str | None = None
    wants_receipt: bool = False


class Verdict(NamedTuple):
    """The rule for one entity in one situation; a finding below the threshold is ignored."""

    action: Action
    threshold: float
    severity: RuleSeverity | None
    rule: str
    rule_id: str


class DecidedFinding(NamedTuple):
    """A finding in one field of a request, its action, and the rule that decided.

    `allowance` is the id of the allowance by which the value passes, if any.
    """

    field: str
    found: FindingLike
    action: Action
    severity: RuleSeverity | None = None
    rule: str | None = None
    rule_id: str | None = None
    allowance: str | None = None


@dataclass(frozen=True)
class Decision:
    """The decision on a request: the findings, each with the action that is taken.

    A policy has one for all requests without findings, so what follows from it is computed once.
    """

    policy_version: str
    findings: Sequence[DecidedFinding] = ()
    # In a dry run: the actions that would have been taken, in the order of `findings`.
    would_have: Sequence[Action] | None = None
    # Whether it is recorded although there are no findings.
    is_kept: bool = False

    @cached_property
    def outcome(self) -> Outcome:
        """The strictest action decides over the whole request."""
        return Outcome.BLOCKED if any(one.action is Action.BLOCK for one in self.findings) else Outcome.LET_IN

    @property
    def strictest(self) -> Action | None:
        """The strictest action that was taken; None without findings."""
        return strictest([one.action for one in self.findings]) if self.findings else None

    @property
    def strictest_withheld(self) -> Action | None:
        """The strictest action that a dry run withheld; None without findings, or outside a dry run."""
        return strictest(list(self.would_have)) if self.would_have else None

    @property
    def with_withheld(self) -> list[tuple[DecidedFinding, Action | None]]:
        """Each finding with the action that a dry run withheld; None outside a dry run."""
        return list(zip(self.findings, self.would_have or (None,) * len(self.findings), strict=True))

    @cached_property
    def is_dry_run(self) -> bool:
        """Whether actions were only recorded and not taken."""
        return self.would_have is not None

    @cached_property
    def actions(self) -> dict[str, Action]:
        """The strictest action that was taken for each entity."""
        return strictest_by_entity(self.findings, [one.action for one in self.findings])

    @property
    def withheld(self) -> dict[str, Action]:
        """The strictest action that a dry run withheld for each entity."""
        return strictest_by_entity(self.findings, self.would_have or ())

    @property
    def suspicious(self) -> list[DecidedFinding]:
        """The findings that raise an alert: all that are not ignored."""
        return [one for one in self.findings if one.action is not Action.IGNORE]


def value_of(one: DecidedFinding, texts: Mapping[str, str]) -> str:
    """Return the text of a finding."""
    return texts[one.field][one.found.start : one.found.end]


def strictest_by_entity(decided: Sequence[DecidedFinding], actions: Sequence[Action]) -> dict[str, Action]:
    """Return the strictest of `actions` for each entity in `decided`, which are in the same order."""
    by_entity: dict[str, list[Action]] = {}
    for one, action in zip(decided, actions, strict=bool(actions)):
        by_entity.setdefault(one.found.entity, []).append(action)
    return {entity: strictest(taken) for entity, taken in sorted(by_entity.items())}


Findings = Mapping[str, Sequence[FindingLike]]
