"""Statements that read a page of matching tasks: which index they walk, and how far.

Each index ends in `seq`, so a walk finds the newest first and stops when the page is full. Of a combination of filters
one is walked, and the others are checked on what it finds. Where few of those match, a page ends after `EXAMINED` tasks
and names where the next one starts: no combination takes longer than that.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vestibule.contracts.task_ledger import TaskCount, TaskFilter
from vestibule.contracts.tasks import UNFINISHED, TaskState

# ruff: noqa: S608 - the statements below consist of constants and marks of parameters
# The most tasks that one page examines.
EXAMINED = 1_000
# Several services accept tasks, each with its own clock.
CLOCKS_DIFFER_S = 5.0
NEWEST = 2**63 - 1

# States in which nearly all tasks are, or were for a moment; tasks in any other are in indexes of their own.
COMMON = frozenset({TaskState.QUEUED, TaskState.SUCCEEDED})
IS_RARE = "state NOT IN ('queued', 'succeeded')"
# A part of the id of a request, which its index has.
REQUEST_PREFIX = "substr(request_id, 1, 8)"
# A page of more walks takes longer than one that examines all tasks in their order.
MOST_WALKS = 100

# What the tasks of a walk have in common, by column.
Walk = Mapping[str, str]
Statement = tuple[str, Sequence[Any]]


def has_few(count: int) -> bool:
    """Say whether one page can examine so many tasks."""
    return count <= EXAMINED


def walks_of(chosen: TaskFilter, counts: Sequence[TaskCount]) -> Sequence[Walk]:
    """Return walks that find all matching tasks, the shorter ones as far as the counts say; none if there is no task.

    The counts are those of the tenant, or of all.
    """
    tenant = {} if chosen.tenant is None else {"tenant": chosen.tenant}
    if chosen.key_digests is not None:
        # A digest is of one tenant.
        return [{"key_digest": digest} for digest in chosen.key_digests]
    matching = [
        count
        for count in counts
        if chosen.processor in (None, count.processor) and (not chosen.states or count.state in chosen.states)
    ]
    in_states = sum(count.tasks for count in matching)
    rare: list[Walk] = [{**tenant, "state": state} for state in dict.fromkeys(chosen.states)]
    are_rare = bool(chosen.states) and COMMON.isdisjoint(chosen.states)
    for column, value in (("cause", chosen.cause), ("token_id", chosen.token_id)):
        if value is not None:
            # How many tasks a token or a cause has is not counted.
            walk = {**({} if column == "token_id" else tenant), column: value}
            return rare if are_rare and in_states <= EXAMINED else [walk]
    if are_rare:
        of_states = sum(count.tasks for count in counts if count.state in chosen.states)
        of_processor = sum(count.tasks for count in counts if count.processor == chosen.processor)
        if chosen.processor is None or of_states < of_processor:
            return rare
    if not tenant and chosen.processor is None:
        return [{}] if in_states else []
    # All tasks of a tenant are in no index, but those of each of its processors are.
    owners = dict.fromkeys((count.tenant, count.processor) for count in matching)
    if len(owners) > MOST_WALKS:
        return [{}]
    return [{"tenant": owner, "processor": processor} for owner, processor in owners]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between the databases: the table, the ranges of unfinished tasks, the order, and the marks.

    `order` is the expression by which the indexes of walks are ordered.
    """

    table: str
    order: str
    waiting: str
    sent: str
    mark: Callable[[int], str]


@dataclass(slots=True)
class PageStatements:
    """Writes the statements of one page."""

    dialect: Dialect
    columns: str
    chosen: TaskFilter
    walks: Sequence[Walk]
    # Whether the few tasks that are due are examined, and no walk.
    is_by_due: bool = False
    parameters: list[Any] = field(default_factory=list)

    @property
    def are_wanted(self) -> bool:
        """Whether all that match are unfinished, so that few need to be examined while few are."""
        states = self.chosen.states
        return self.chosen.due_before is not None or (bool(states) and UNFINISHED.issuperset(states))

    def due(self) -> Statement:
        """Return the statement that counts the unfinished tasks that can match, up to one too many."""
        self.parameters = []
        return f"SELECT count(*) FROM ({self._unfinished()}) AS due", self.parameters

    def floor(self, before: int) -> Statement | None:
        """Return the statement for the newest task that the page no longer examines; None if it examines no more."""
        if self.is_by_due or not any(self._others(walk) for walk in self.walks):
            return None
        self.parameters = []
        bound = self._bind(before)
        parts = [
            f"SELECT seq FROM {self.dialect.table} WHERE {self._equal(walk)} AND {self._order(walk)} < {bound}"
            f" ORDER BY {self._order(walk)} DESC LIMIT 1 OFFSET {max(1, EXAMINED // len(self.walks)):d}"
            for walk in self.walks
        ]
        return f"SELECT max(seq) FROM ({_union(parts)}) AS ends", self.parameters

    def page(self, before: int, floor: int, limit: int) -> Statement:
        """Return the statement for at most `limit` tasks between two numbers, which are not among them."""
        self.parameters = []
        newer, older = self._bind(before), self._bind(floor)
        parts = [
            f"SELECT seq FROM {self.dialect.table} WHERE {self._equal(walk)}"
            f" AND {self._order(walk)} < {newer} AND {self._order(walk)} > {older}"
            f"{''.join(f' AND {condition}' for condition in self._others(walk))}"
            f" ORDER BY {self._order(walk)} DESC LIMIT {limit:d}"
            for walk in self.walks
        ]
        # The rows are read at the end: where nothing else is to be checked, the walks read the index alone.
        chosen = f"SELECT seq FROM ({_union(parts)}) AS found ORDER BY seq DESC LIMIT {limit:d}"
        statement = f"SELECT {self.columns}, seq FROM {self.dialect.table} WHERE seq IN ({chosen}) ORDER BY seq DESC"
        return statement, self.parameters

    def _order(self, walk: Walk) -> str:
        return self.dialect.order if walk else "seq"

    def _equal(self, walk: Walk) -> str:
        if self.is_by_due:
            return f"seq IN ({self._unfinished()})"
        equal = [f"{column} = {self._bind(value)}" for column, value in walk.items()]
        # By this the planner knows that the index has them.
        partial = [IS_RARE] if "state" in walk else []
        return " AND ".join([*equal, *partial]) or "seq >= 0"

    def _unfinished(self) -> str:
        """Return the statement of the unfinished tasks that can match, each range of an index up to one too many.

        The order has no meaning; by it the planner takes the index although it may expect many of them.
        """
        ranges = [f"{one} AND due_at IS NOT NULL" for one in (self.dialect.waiting, self.dialect.sent)]
        if self.chosen.due_before is not None:
            ranges = [f"{self.dialect.waiting} AND due_at <= {self._bind(self.chosen.due_before)}"]
        return _union(
            [
                f"SELECT seq FROM {self.dialect.table} WHERE {one} ORDER BY due_at LIMIT {EXAMINED + 1:d}"
                for one in ranges
            ]
        )

    def _others(self, walk: Walk) -> list[str]:
        """Return the conditions that the walk does not meet; as expressions, so that no other index is taken."""
        chosen = self.chosen
        values = {
            "tenant": chosen.tenant,
            "processor": chosen.processor,
            "token_id": chosen.token_id,
            "cause": chosen.cause,
        }
        others = [
            f"({column} || '') = {self._bind(value)}"
            for column, value in values.items()
            if value is not None and column not in walk
        ]
        if chosen.states and "state" not in walk:
            others.append(f"(state || '') IN ({', '.join(self._bind(state.value) for state in chosen.states)})")
        if chosen.key_digests is not None and "key_digest" not in walk:
            marks = ", ".join(self._bind(digest) for digest in chosen.key_digests) or "NULL"
            others.append(f"(key_digest || '') IN ({marks})")
        if chosen.submitted_before is not None:
            others.append(f"submitted_at + 0 <= {self._bind(chosen.submitted_before)}")
        if chosen.due_before is not None and not self.is_by_due:
            others.append(f"sent_at IS NULL AND due_at + 0 <= {self._bind(chosen.due_before)}")
        return others

    def _bind(self, value: Any) -> str:
        self.parameters.append(value)
        return self.dialect.mark(len(self.parameters))


def _union(parts: Sequence[str]) -> str:
    return " UNION ALL ".join(f"SELECT * FROM ({part}) AS part{number}" for number, part in enumerate(parts))


@dataclass(frozen=True, slots=True)
class PageEnd:
    """Where a page ends: the number of its last task, or the task that it no longer examined."""

    numbers: Sequence[int]
    floor: int
    limit: int

    @property
    def cursor(self) -> str | None:
        """Where the next page starts; None after the last one."""
        if len(self.numbers) > self.limit:
            return str(self.numbers[self.limit - 1])
        return str(self.floor + 1) if self.floor >= 0 else None
