"""Decisions in the same PostgreSQL database as the entries."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, cast

import orjson

from vestibule.contracts.decisions import (
    DecisionBatch,
    DecisionCount,
    DecisionFilter,
    DecisionPage,
    DecisionRecord,
    HitKind,
)
from vestibule.database_service.decisions.decision_store import (
    Cutoffs,
    DecisionStoreKind,
    keys_of,
    route_of_hits,
    summarize,
    tally,
)
from vestibule.database_service.decisions.paging import (
    DecisionDialect,
    DecisionStatements,
    Statement,
    conditions_of,
    find_page,
    range_of,
)
from vestibule.database_service.entries.store import Store
from vestibule.database_service.entries.stores.postgresql import PostgresqlStore

if TYPE_CHECKING:
    from vestibule.database_service.entries.postgresql.connections import Connections

# ruff: noqa: S608 - the statements below consist of constants
ADD = "SELECT vestibule.add_decisions($1, $2, $3, $4, $5)"
POSITIONS = "SELECT file, position FROM vestibule.decision_files WHERE file = ANY ($1)"
HAS_ID = "SELECT 1 FROM vestibule.decisions WHERE token_id = $1 LIMIT 1"
BY_IDS = "\nUNION ".join(
    f"SELECT at_us, seq, tenant, record FROM vestibule.decisions WHERE {name} = ANY ($1)"
    for name in ("decision_id", "request_id", "task_id", "alert_id")
)
FIND = f"""
    SELECT record FROM ({BY_IDS}) AS found WHERE $2::text IS NULL OR tenant = $2 ORDER BY at_us, seq LIMIT $3
"""
COUNTS = """
    SELECT day, route, entity, action, sum(number)::bigint FROM vestibule.decision_counts
    WHERE day BETWEEN $1 AND $2 AND route NOT LIKE '#%' AND ($3::text IS NULL OR tenant = $3)
    GROUP BY day, route, entity, action
"""
HITS = """
    SELECT entity, sum(number)::bigint FROM vestibule.decision_counts
    WHERE day BETWEEN $1 AND $2 AND route = $4 AND ($3::text IS NULL OR tenant = $3) GROUP BY entity
"""
SWEEP = "SELECT vestibule.sweep_decisions($1, $2, $3, $4)"
DIALECT = DecisionDialect("vestibule.", "${}".format)


class PostgresqlDecisionStore:
    """Decisions in tables beside the entries; several database services may work on them at the same time."""

    def __init__(self, connections: "Connections", keep_days: int) -> None:
        self._connections = connections
        self._keep_days = keep_days

    async def prepare(self) -> None:
        """Do nothing: the migrations of the store create the tables."""

    async def add(self, batch: DecisionBatch) -> int:
        """Record a batch if it goes on where its file was recorded to; return how far it is recorded."""
        rows = {record.decision_id: _row(record) for record in batch.decisions}
        clean = [{**key._asdict(), "number": number} for key, number in tally((), batch.clean).items()]
        texts = (orjson.dumps(list(rows.values())).decode(), orjson.dumps(clean).decode())
        ((position,),) = await self._connections.change(ADD, batch.file, batch.start, batch.end, *texts)
        return int(position)

    async def positions(self, files: Sequence[str]) -> Mapping[str, int]:
        """Return how far each of the files was recorded."""
        return {row["file"]: row["position"] for row in await self._connections.read(POSITIONS, list(files))}

    async def page(self, wanted: DecisionFilter, limit: int, cursor: str | None) -> DecisionPage:
        """Return decisions, the newest first."""
        is_id = wanted.token is None or bool(await self._connections.read(HAS_ID, wanted.token))
        conditions = conditions_of(wanted, "token_id" if is_id else "token_name")
        since_us, before = range_of(wanted, cursor)
        return await find_page(DecisionStatements(DIALECT, conditions, since_us), self._read, before, limit)

    async def _read(self, statement: Statement) -> list[Any]:
        return await self._connections.read(statement.text, *statement.parameters)

    async def find(self, ids: Sequence[str], tenant: str | None, limit: int) -> list[DecisionRecord]:
        """Return the decisions that have one of these ids, or whose request, task or alert has."""
        rows = await self._connections.read(FIND, list(ids), tenant, limit)
        return [DecisionRecord.model_validate_json(row["record"]) for row in rows]

    async def counts(self, first: date, last: date, tenant: str | None) -> list[DecisionCount]:
        """Return the counts of these days."""
        rows = await self._connections.read(COUNTS, first.isoformat(), last.isoformat(), tenant)
        return summarize(tuple(row) for row in rows)

    async def hits(self, kind: HitKind, first: date, last: date, tenant: str | None) -> dict[str, int]:
        """Return in how many decisions of these days each rule decided, or each allowance applied, by its id."""
        given = (first.isoformat(), last.isoformat(), tenant, route_of_hits(kind))
        return {row[0]: row[1] for row in await self._connections.read(HITS, *given)}

    async def sweep(self, limit: int) -> int:
        """Remove old decisions, and counts that are older still."""
        cutoffs = Cutoffs.now(self._keep_days)
        given = (cutoffs.decisions_us, limit, cutoffs.counts_day, cutoffs.files_s)
        ((removed,),) = await self._connections.change(SWEEP, *given)
        return int(removed)


def _row(record: DecisionRecord) -> dict[str, Any]:
    return {
        "decision_id": record.decision_id,
        "at_us": record.at_us,
        "tenant": record.tenant,
        "token_id": record.token_id,
        "token_name": record.token_name,
        "route": record.route,
        "action": record.action,
        "outcome": record.outcome,
        "request_id": record.request_id,
        "task_id": record.task_id,
        "alert_id": record.alert_id,
        "record": record.model_dump_json(exclude_none=True),
        "entities": record.entities,
        "counts": [key._asdict() for key in keys_of(record)],
    }


def build(store: Store, keep_days: int) -> PostgresqlDecisionStore:
    """Return the decisions in the database of `store`."""
    return PostgresqlDecisionStore(cast(PostgresqlStore, store).connections, keep_days)


DECISIONS = DecisionStoreKind((PostgresqlStore,), build)
