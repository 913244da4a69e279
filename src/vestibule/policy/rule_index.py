"""Rules, and their index: each combination of conditions is resolved once, at its first use."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from vestibule.policy.decision import STRICTNESS, URGENCY, Action, RuleSeverity, Situation, Verdict

# Values that no rule names share a row, so only combinations of rules can fill the index, not callers.
MOST_VERDICTS = 50_000
ID_DIGITS = 12
Row = tuple[str | None, str | None, str | None, str | None]
# Between the name of a field and the number of a value in its list, where a form has several.
LIST_MARK = "/"


@dataclass(frozen=True, slots=True)
class Scope:
    """The scope of a rule; None matches everything."""

    entity: str | None = None
    group: str | None = None
    token: str | None = None
    key_prefix: str | None = None
    route: str | None = None
    field: str | None = None

    @property
    def narrowness(self) -> tuple[int, int, int, int, int]:
        """How narrow the scope is in each respect: entity over group, a longer prefix over a shorter one."""
        kind = 2 if self.entity else 1 if self.group else 0
        return kind, self.token is not None, len(self.key_prefix or ""), self.route is not None, self.field is not None

    def describe(self) -> str:
        """Return the scope in words."""
        parts = [self.entity or self.group or "everything"]
        parts += [f"from token {self.token}"] if self.token else []
        parts += [f"by {self.route}"] if self.route else []
        parts += [f"under keys {self.key_prefix}*"] if self.key_prefix else []
        parts += [f"in the field {self.field}"] if self.field else []
        return " ".join(parts)

    def as_json(self) -> dict[str, str | None]:
        """Return what ids and versions are made of: a condition that came later stands there only where it is set."""
        said = asdict(self)
        return said if self.field else {name: value for name, value in said.items() if name != "field"}


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """A rule with its scope; less specific rules apply where it has None. `layer` 1 is the file, 0 the fallback."""

    scope: Scope
    origin: str
    layer: int = 1
    action: Action | None = None
    threshold: float | None = None
    severity: RuleSeverity | None = None

    @property
    def id(self) -> str:
        """The start of the SHA-256 of what the rule says: the same wherever it stands in the file."""
        said = [self.layer, self.scope.as_json(), self.action, self.threshold, self.severity]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:ID_DIGITS]

    @property
    def precedence(self) -> tuple[int, ...]:
        """Sorts rules by how narrow they are, the narrowest first: each stands before those that it overrules."""
        return (-self.layer, *(-part for part in self.scope.narrowness))

    def is_narrower_than(self, other: "PolicyRule") -> bool:
        """Return whether this rule takes precedence over `other` wherever both apply.

        It does if its scope is at least as narrow in every respect, and narrower in one. If each rule is narrower in
        some respect, they are equals, and the stricter one decides.
        """
        if self.layer != other.layer:
            return self.layer > other.layer
        mine, theirs = self.scope.narrowness, other.scope.narrowness
        return mine != theirs and all(a >= b for a, b in zip(mine, theirs, strict=True))


class RuleIndex:
    """Finds the rule for an entity in a situation with two lookups, independent of the number of rules."""

    def __init__(self, rules: Iterable[PolicyRule], groups: Mapping[str, frozenset[str]]) -> None:
        rules = list(rules)
        self._anything = [rule for rule in rules if not (rule.scope.entity or rule.scope.group)]
        self._by_entity = _by_entity(rules, groups)
        self._tokens = {rule.scope.token for rule in rules if rule.scope.token}
        self._routes = {rule.scope.route for rule in rules if rule.scope.route}
        self._fields = {rule.scope.field for rule in rules if rule.scope.field}
        prefixes = {rule.scope.key_prefix for rule in rules if rule.scope.key_prefix}
        self._prefixes = [
            (length, {prefix for prefix in prefixes if len(prefix) == length})
            for length in sorted({len(prefix) for prefix in prefixes}, reverse=True)
        ]
        self._verdicts: dict[tuple[Row, str, str | None], Verdict] = {}

    def row_of(self, situation: Situation) -> Row:
        """Return the row of the index for `situation`."""
        return (
            situation.token_id if situation.token_id in self._tokens else None,
            situation.token_name if situation.token_name in self._tokens else None,
            situation.route if situation.route in self._routes else None,
            self.prefix_of(situation.key),
        )

    def prefix_of(self, key: str | None) -> str | None:
        """Return the longest prefix of `key` that a rule names, which is free of the caller's data."""
        if key is not None:
            for length, prefixes in self._prefixes:
                if key[:length] in prefixes:
                    return key[:length]
        return None

    def look_up(self, row: Row, entity: str, field: str | None = None) -> Verdict:
        """Return the verdict on `entity` in the situations of `row`, in a field of the request."""
        name = field and field.partition(LIST_MARK)[0]
        name = name if name in self._fields else None
        verdict = self._verdicts.get((row, entity, name))
        if verdict is None:
            if len(self._verdicts) >= MOST_VERDICTS:
                self._verdicts.clear()
            verdict = self._verdicts[row, entity, name] = resolve(self._matching(row, entity, name))
        return verdict

    def _matching(self, row: Row, entity: str, field: str | None) -> list[PolicyRule]:
        token_id, token_name, route, prefix = row
        tokens = {None, token_id, token_name}
        return [
            rule
            for rule in (*self._anything, *self._by_entity.get(entity, ()))
            if rule.scope.token in tokens
            and rule.scope.route in (None, route)
            and rule.scope.field in (None, field)
            and (rule.scope.key_prefix is None or (prefix or "").startswith(rule.scope.key_prefix))
        ]


def resolve(rules: Sequence[PolicyRule]) -> Verdict:
    """Return the verdict of several rules: each property comes from the narrowest rule that sets it.

    Between equals the stricter one decides: the stricter action, the lower threshold, the greater urgency. Of several
    that say the same action the verdict names the narrowest by `precedence`, whatever their order.
    """
    acting = _narrowest([rule for rule in rules if rule.action is not None])
    severities = [rule.severity for rule in _narrowest([rule for rule in rules if rule.severity]) if rule.severity]
    limited = _narrowest([rule for rule in rules if rule.threshold is not None])
    thresholds = [rule.threshold for rule in limited if rule.threshold is not None]
    decisive = min(acting, key=lambda rule: (-STRICTNESS[rule.action or Action.IGNORE], rule.precedence, rule.id))
    return Verdict(
        decisive.action or Action.BLOCK,
        min(thresholds, default=0.0),
        max(severities, key=URGENCY.__getitem__, default=None),
        decisive.origin,
        decisive.id,
    )


def _narrowest(rules: Sequence[PolicyRule]) -> list[PolicyRule]:
    return [rule for rule in rules if not any(other.is_narrower_than(rule) for other in rules)]


def _by_entity(rules: Sequence[PolicyRule], groups: Mapping[str, frozenset[str]]) -> dict[str, list[PolicyRule]]:
    found: dict[str, list[PolicyRule]] = {}
    for rule in rules:
        if rule.scope.entity:
            found.setdefault(rule.scope.entity, []).append(rule)
        elif rule.scope.group:
            for entity in groups[rule.scope.group]:
                found.setdefault(entity, []).append(rule)
    return found
