"""The port of decision stores: what was decided, and counts of it.

To add one, add one module to `stores/` that offers a `DECISIONS` for a store of entries; nothing else names it.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, Protocol

from vestibule.contracts.decisions import (
    COUNTS_KEPT_DAYS,
    CleanCount,
    DecisionBatch,
    DecisionCount,
    DecisionFilter,
    DecisionPage,
    DecisionRecord,
    HitKind,
    day_of,
)
from vestibule.database_service.entries.store import Store

DAY_US = 86_400 * 1_000_000


class CountKey(NamedTuple):
    """What is counted: decisions of a day about a route, without an entity by their strictest action.

    With an entity, those in which it was found, by the action on it. Both are empty for decisions without findings.
    Hits of rules and allowances have a `HitKind` after `#` as their route, which no route of a service begins with,
    and the id of the rule or the allowance as their entity.
    """

    day: str
    tenant: str
    route: str
    entity: str
    action: str


class DecisionStore(Protocol):
    """Stores decisions. Every method raises `Unavailable` where the store cannot answer for certain."""

    async def prepare(self) -> None:
        """Create missing tables in the open store."""
        ...

    async def add(self, batch: DecisionBatch) -> int:
        """Record a batch with its counts if it starts where its file was recorded to, and return where that is then.

        A decision that is recorded already, by its id, is neither recorded nor counted again.
        """
        ...

    async def positions(self, files: Sequence[str]) -> Mapping[str, int]:
        """Return how far each of the files was recorded; those of which nothing was are absent."""
        ...

    async def page(self, wanted: DecisionFilter, limit: int, cursor: str | None) -> DecisionPage:
        """Return decisions, the newest first."""
        ...

    async def find(self, ids: Sequence[str], tenant: str | None, limit: int) -> list[DecisionRecord]:
        """Return the decisions that have one of these ids, or whose request, task or alert has; the oldest first."""
        ...

    async def counts(self, first: date, last: date, tenant: str | None) -> list[DecisionCount]:
        """Return the counts of the days from `first` to `last`, the oldest first; of all tenants if it is None."""
        ...

    async def hits(self, kind: HitKind, first: date, last: date, tenant: str | None) -> dict[str, int]:
        """Return in how many decisions of these days each rule decided, or each allowance applied, by its id."""
        ...

    async def sweep(self, limit: int) -> int:
        """Remove at most `limit` old decisions, and counts that are older still; return how many decisions."""
        ...


@dataclass(frozen=True, slots=True)
class DecisionStoreKind:
    """What a module of `stores/` offers: the stores of entries that it belongs to, and how to build it over one.

    The second argument of `build` is the number of days to keep decisions.
    """

    stores: tuple[type[Store], ...]
    build: Callable[[Store, int], DecisionStore]


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """What is older is removed: decisions by their time, counts by their day, and files by their last batch."""

    decisions_us: int
    counts_day: str
    files_s: float

    @classmethod
    def now(cls, keep_days: int) -> "Cutoffs":
        """Return the cutoffs of this moment."""
        now_s = time.time()
        kept_s = max(keep_days, COUNTS_KEPT_DAYS) * 86_400
        oldest = date.fromtimestamp(now_s - kept_s).isoformat()
        return cls(int(now_s * 1_000_000) - keep_days * DAY_US, oldest, now_s - kept_s)


def keys_of(record: DecisionRecord) -> list[CountKey]:
    """Return what a decision counts as."""
    start = day_of(record.time), record.tenant, record.route
    pairs = sorted({(one.entity, one.action.value) for one in record.findings})
    hits = {(kind, hit) for one in record.findings for kind in HitKind if (hit := one.id_of(kind)) is not None}
    return [
        CountKey(*start, "", record.action or ""),
        *(CountKey(*start, *pair) for pair in pairs),
        *(CountKey(*start[:2], route_of_hits(kind), hit, "") for kind, hit in sorted(hits)),
    ]


def route_of_hits(kind: HitKind) -> str:
    """Return what stands in place of the route where hits are counted."""
    return f"#{kind}"


def tally(records: Iterable[DecisionRecord], clean: Iterable[CleanCount]) -> "Counter[CountKey]":
    """Return what decisions and counts of clean requests add up to."""
    found = Counter(key for record in records for key in keys_of(record))
    for one in clean:
        found[CountKey(day_of(one.time), one.tenant, one.route, "", "")] += one.clean
    return found


def summarize(rows: Iterable[tuple[str, str, str, str, int]]) -> list[DecisionCount]:
    """Return counts by day and route of rows: day, route, entity, action, number."""
    found: dict[tuple[str, str], DecisionCount] = {}
    for day, route, entity, action, number in rows:
        one = found.setdefault((day, route), DecisionCount(day=day, route=route, clean=0, actions={}, entities={}))
        if entity:
            one.entities.setdefault(entity, {})[action] = number
        elif action:
            one.actions[action] = number
        else:
            one.clean = number
    return [found[key] for key in sorted(found)]
