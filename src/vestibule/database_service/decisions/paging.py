"""How a page of decisions is found within milliseconds, among millions and for any combination of filters.

Each filter has an index in the order of time. The rarest filter leads: its newest decisions are examined, `WINDOWS` at
a time, until there are enough that all other filters match. So a page costs the same however rare a combination is;
where it is very rare, the page is short, and the next one goes on from there.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vestibule.contracts.decisions import DecisionFilter, DecisionPage, DecisionRecord, to_us

# How many decisions a page examines, the second time only if the first ones were not enough.
WINDOWS = (200, 600)
# As far as filters are counted, to find the rarest.
COUNTED = 600
MAX_PAGE = 500
LATEST = 2**62
Position = tuple[int, int]


@dataclass(frozen=True, slots=True)
class DecisionDialect:
    """How a store writes statements: what stands before a table, and how a parameter is marked by its number."""

    prefix: str
    mark: Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement and its parameters, which are numbered from 1."""

    text: str
    parameters: list[Any]


Read = Callable[[Statement], Awaitable[Sequence[Any]]]


class DecisionStatements:
    """The statements for one filter."""

    # ruff: noqa: S608 - the statements below consist of constants; values are parameters

    def __init__(self, dialect: DecisionDialect, conditions: Mapping[str, str], since_us: int) -> None:
        """Take the conditions by column (`entity` is one), and the time from which decisions are wanted."""
        self.conditions = conditions
        self._dialect = dialect
        self._since_us = since_us

    def count(self, leading: str, before: Position) -> Statement:
        """Return the statement that counts what a condition alone matches, up to `COUNTED`."""
        given: list[Any] = []
        source = self._source(leading, before, given)
        return Statement(f"SELECT count(*) FROM (SELECT 1 FROM {source} LIMIT {COUNTED}) AS counted", given)

    def page(self, leading: str | None, before: Position, window: int, limit: int) -> Statement:
        """Return the statement of at most `limit` decisions among `window`: time, number and record of each."""
        given: list[Any] = []
        newest = f"{self._newest(leading, before, given)} LIMIT {window}"
        filters = "".join(f" AND {self._filter(name, given)}" for name in self.conditions if name != leading)
        text = (
            f"SELECT d.at_us, d.seq, d.record FROM ({newest}) AS w"
            f" CROSS JOIN {self._dialect.prefix}decisions AS d WHERE d.seq = w.seq{filters}"
            f" ORDER BY w.at_us DESC, w.seq DESC LIMIT {self._mark(limit, given)}"
        )
        return Statement(text, given)

    def end_of_window(self, leading: str | None, before: Position, window: int) -> Statement:
        """Return the statement of the last position of a window, without a row if the window reaches the end."""
        given: list[Any] = []
        return Statement(f"{self._newest(leading, before, given)} LIMIT 1 OFFSET {window - 1}", given)

    def _newest(self, leading: str | None, before: Position, given: list[Any]) -> str:
        return f"SELECT at_us, seq FROM {self._source(leading, before, given)} ORDER BY at_us DESC, seq DESC"

    def _source(self, leading: str | None, before: Position, given: list[Any]) -> str:
        table = f"{self._dialect.prefix}{'decision_entities' if leading == 'entity' else 'decisions'}"
        since, at, seq = (self._mark(value, given) for value in (self._since_us, *before))
        condition = f"at_us >= {since} AND (at_us, seq) < ({at}, {seq})"
        if leading is not None:
            condition = f"{leading} = {self._mark(self.conditions[leading], given)} AND {condition}"
        return f"{table} WHERE {condition}"

    def _filter(self, name: str, given: list[Any]) -> str:
        value = self._mark(self.conditions[name], given)
        if name != "entity":
            return f"d.{name} = {value}"
        entities = f"{self._dialect.prefix}decision_entities"
        same = f"e.entity = {value} AND e.at_us = d.at_us AND e.seq = d.seq"
        return f"EXISTS (SELECT 1 FROM {entities} AS e WHERE {same})"

    def _mark(self, value: Any, given: list[Any]) -> str:
        given.append(value)
        return self._dialect.mark(len(given))


async def find_page(statements: DecisionStatements, read: Read, before: Position, limit: int) -> DecisionPage:
    """Return the decisions before a position, the newest first, at most `limit`."""
    leading = next(iter(statements.conditions), None)
    if len(statements.conditions) > 1:
        numbers = {name: (await read(statements.count(name, before)))[0][0] for name in statements.conditions}
        leading = min(numbers, key=numbers.__getitem__)
    # Alone it examines nothing that it does not return.
    windows = WINDOWS if len(statements.conditions) > 1 else (limit + 1,)
    rows: list[Any] = []
    end: Position | None = before
    for window in windows:
        if end is None or len(rows) > limit:
            break
        rows += await read(statements.page(leading, end, window, limit + 1 - len(rows)))
        last = await read(statements.end_of_window(leading, end, window)) if len(rows) <= limit else ()
        end = (last[0][0], last[0][1]) if last else None
    if len(rows) > limit:
        end = (rows[limit - 1][0], rows[limit - 1][1])
    records = [DecisionRecord.model_validate_json(row[2]) for row in rows[:limit]]
    return DecisionPage(decisions=records, cursor=None if end is None else f"{end[0]}.{end[1]}")


def conditions_of(wanted: DecisionFilter, token_column: str) -> dict[str, str]:
    """Return the conditions of a filter by column; the token stands in `token_column`."""
    given = {
        "tenant": wanted.tenant,
        token_column: wanted.token,
        "route": wanted.route,
        "entity": wanted.entity,
        "action": wanted.action,
        "outcome": wanted.outcome,
    }
    return {name: str(value) for name, value in given.items() if value is not None}


def range_of(wanted: DecisionFilter, cursor: str | None) -> tuple[int, Position]:
    """Return from when to before which position decisions are wanted."""
    since_us = 0 if wanted.since is None else max(0, to_us(wanted.since))
    ends = [(LATEST, 0)]
    if wanted.until is not None:
        ends.append((max(0, to_us(wanted.until)), 0))
    if cursor is not None:
        at_us, _, seq = cursor.partition(".")
        ends.append((int(at_us), int(seq)))
    return since_us, min(ends)
