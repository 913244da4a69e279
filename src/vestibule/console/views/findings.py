"""What was found: sums of counts by entity, action and day, and the values that were found most, by fingerprint."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from vestibule.client.results.decisions import Decision, DecisionCount, DecisionCounts

# A table has at most so many columns of days; a longer span has several days in each.
MOST_COLUMNS = 14
SHADES = 4
CLEAN = "clean"
_STRICTEST_FIRST = ("block", "redact", "hash", "tokenize", "number", "fake", "mask", "alert", "ignore")
_TREATED = {
    "block": "blocked",
    "redact": "redacted",
    "hash": "hashed",
    "tokenize": "tokenized",
    "number": "numbered",
    "fake": "replaced by a fake",
    "mask": "masked",
    "alert": "let in, with an alert",
    "ignore": "let in",
}


@dataclass(frozen=True, slots=True)
class HeatCell:
    """In how many decisions an entity was found, and how dark that is shown: 0 to 4."""

    count: int
    shade: int


@dataclass(frozen=True, slots=True)
class HeatRow:
    """An entity with an action, over all columns."""

    entity: str
    action: str
    cells: list[HeatCell]
    total: int


@dataclass(frozen=True, slots=True)
class RouteSum:
    """The decisions about one route."""

    route: str
    clean: int
    found: int
    blocked: int

    @property
    def total(self) -> int:
        """All decisions about it."""
        return self.clean + self.found


@dataclass(frozen=True, slots=True)
class HeatTable:
    """Counts by entity and action, in columns of one or several days."""

    columns: list[tuple[date, date]]
    rows: list[HeatRow]
    routes: list[RouteSum]


@dataclass(slots=True)
class FoundValue:
    """A value that was found, by its fingerprint."""

    entity: str
    fingerprint: str
    count: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    tokens: dict[str, str] = field(default_factory=dict)
    last: datetime | None = None
    last_id: str = ""

    @property
    def action(self) -> str:
        """The action that was taken most."""
        return self.actions.most_common(1)[0][0]


@dataclass(slots=True)
class TokenSum:
    """The decisions of one token."""

    token_id: str | None
    name: str
    count: int = 0
    blocked: int = 0
    entities: Counter[str] = field(default_factory=Counter)


def heat_table(counts: Sequence[DecisionCount], first: date, last: date, route: str) -> HeatTable:
    """Return the counts of the days from `first` to `last`, of a route or of all."""
    columns = _columns(first, last)
    width = (columns[0][1] - columns[0][0]).days + 1
    sums: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * len(columns))
    for one in counts:
        if route and one.route != route:
            continue
        place = (date.fromisoformat(one.day) - first).days // width
        if not 0 <= place < len(columns):
            continue
        for entity, actions in one.entities.items():
            for action, count in actions.items():
                sums[entity, action][place] += count
    most = max((count for row in sums.values() for count in row), default=0)
    rows = [
        HeatRow(entity, action, [HeatCell(count, _shade(count, most)) for count in row], sum(row))
        for (entity, action), row in sums.items()
    ]
    totals = Counter[str]()
    for row in rows:
        totals[row.entity] += row.total
    rows.sort(key=lambda row: (-totals[row.entity], row.entity, _strictness(row.action)))
    return HeatTable(columns, rows, _routes(counts))


def found_values(decisions: Iterable[Decision], entity: str, most: int) -> list[FoundValue]:
    """Return the values that were found in most decisions, each of which counts once."""
    found: dict[tuple[str, str], FoundValue] = {}
    for decision in decisions:
        seen = {
            (one.entity, one.fingerprint): one.action
            for one in decision.findings
            if one.fingerprint and entity in {"", one.entity}
        }
        for (kind, fingerprint), action in seen.items():
            value = found.setdefault((kind, fingerprint), FoundValue(kind, fingerprint))
            value.count += 1
            value.actions[action] += 1
            if decision.token_id:
                value.tokens[decision.token_id] = decision.token_name or decision.token_id
            if value.last is None or decision.time > value.last:
                value.last, value.last_id = decision.time, decision.request_id or decision.decision_id
    return sorted(found.values(), key=lambda one: (-one.count, one.entity, one.fingerprint))[:most]


def token_sums(decisions: Iterable[Decision]) -> list[TokenSum]:
    """Return the recorded decisions by token, most first."""
    found: dict[str | None, TokenSum] = {}
    for one in decisions:
        of_token = found.setdefault(one.token_id, TokenSum(one.token_id, one.token_name or one.token_id or "none"))
        of_token.count += 1
        of_token.blocked += one.outcome == "blocked"
        of_token.entities.update({finding.entity for finding in one.findings})
    return sorted(found.values(), key=lambda one: -one.count)


def treated(decision: Decision) -> str:
    """Return what was done with a request, in words."""
    if decision.action is None:
        return CLEAN
    return _TREATED.get(decision.action, decision.action)


def found_entities(decision: Decision) -> list[tuple[str, int]]:
    """Return each entity that was found, and how often."""
    return sorted(Counter(one.entity for one in decision.findings).items())


def withheld(decision: Decision) -> list[tuple[str, str]]:
    """Return each entity of a dry run with the action that would have been taken."""
    found = {(one.entity, one.would_have) for one in decision.findings if one.would_have}
    return sorted((entity, would) for entity, would in found if would)


def counted_entities(counts: DecisionCounts) -> list[str]:
    """Return the entities that were found."""
    return sorted({entity for one in counts.counts for entity in one.entities})


def counted_routes(counts: DecisionCounts) -> list[str]:
    """Return the routes that were called."""
    return sorted({one.route for one in counts.counts})


def _columns(first: date, last: date) -> list[tuple[date, date]]:
    days = (last - first).days + 1
    width = -(-days // MOST_COLUMNS)
    starts = [first + timedelta(days=place) for place in range(0, days, width)]
    return [(start, min(last, start + timedelta(days=width - 1))) for start in starts]


def _routes(counts: Sequence[DecisionCount]) -> list[RouteSum]:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for one in counts:
        of_route = sums[one.route]
        of_route[0] += one.clean
        of_route[1] += sum(one.actions.values())
        of_route[2] += one.actions.get("block", 0)
    return sorted((RouteSum(route, *of_route) for route, of_route in sums.items()), key=lambda one: -one.total)


def _shade(count: int, most: int) -> int:
    """Return 0 for none, and else 1 to 4: what is a tenth of the most can still be told from nothing."""
    if not count:
        return 0
    return max(1, min(SHADES, round(math.sqrt(count / most) * SHADES)))


def _strictness(action: str) -> int:
    return _STRICTEST_FIRST.index(action) if action in _STRICTEST_FIRST else len(_STRICTEST_FIRST)


FILTERS = {
    "counted_entities": counted_entities,
    "counted_routes": counted_routes,
    "found_entities": found_entities,
    "treated": treated,
    "withheld": withheld,
}
