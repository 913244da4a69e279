"""The ledger of tasks in the same PostgreSQL database as the entries."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from vestibule.contracts.task_ledger import LedgerTask, NewTask, Recorded, TaskChange
from vestibule.contracts.tasks import TaskState
from vestibule.database_service.entries.store import Store
from vestibule.database_service.entries.stores.postgresql import PostgresqlStore
from vestibule.database_service.tasks.ledger import (
    KEEP_ERASED_S,
    LONGEST_LEASE_S,
    MAX_DATA_CHARS,
    NOT_DONE,
    LedgerKind,
    StoredTask,
)

if TYPE_CHECKING:
    from vestibule.database_service.entries.postgresql.connections import Connections

# ruff: noqa: S608 - the statements below consist of constants
NOW = "extract(epoch FROM clock_timestamp())::double precision"
COLUMNS = (
    "task_id, tenant, processor, priority, state, attempts, error,"
    " submitted_at, sent_at, due_at, started_at, finished_at"
)
ACCEPT = "SELECT task_id, is_new FROM vestibule.accept_tasks($1)"
HAS_EXPIRED = f"result_until IS NOT NULL AND result_until <= {NOW}"
FIND = f"""
    SELECT {COLUMNS}, {HAS_EXPIRED} AS has_expired, CASE WHEN NOT ({HAS_EXPIRED}) THEN result END AS result
    FROM vestibule.tasks WHERE task_id = ANY ($1)
"""
# Tasks to send, sent tasks, and tasks delayed by a clock that was set back: each is a range of an index. Tasks that
# another claim has locked are skipped.
CLAIM = f"""
    WITH to_send AS (
        SELECT seq FROM vestibule.tasks WHERE sent_at IS NULL AND due_at <= {NOW} LIMIT $1 FOR UPDATE SKIP LOCKED
    ), sent AS (
        SELECT seq FROM vestibule.tasks WHERE sent_at IS NOT NULL AND due_at <= {NOW} LIMIT $1 FOR UPDATE SKIP LOCKED
    ), put_off AS (
        SELECT seq FROM vestibule.tasks WHERE sent_at IS NOT NULL AND due_at > {NOW} + $3 LIMIT $1
        FOR UPDATE SKIP LOCKED
    ), due AS (
        SELECT t.* FROM vestibule.tasks t JOIN (
            SELECT seq FROM to_send UNION ALL SELECT seq FROM sent UNION ALL SELECT seq FROM put_off LIMIT $1
        ) AS found USING (seq)
    ), taken AS (
        UPDATE vestibule.tasks t SET due_at = {NOW} + $2, sent_at = coalesce(t.sent_at, {NOW})
        FROM due WHERE t.seq = due.seq RETURNING t.seq
    )
    SELECT {COLUMNS} FROM due JOIN taken USING (seq)
"""
# As many as fit, and always the first.
READ_DATA = """
    SELECT task_id, data FROM (
        SELECT task_id, data, sum(length(data)) OVER given AS chars, row_number() OVER given AS number
        FROM vestibule.tasks JOIN unnest($1::text[]) WITH ORDINALITY AS asked (task_id, place) USING (task_id)
        WHERE data IS NOT NULL WINDOW given AS (ORDER BY place)
    ) AS found WHERE chars <= $2 OR number = 1
"""
CHANGE = "SELECT * FROM vestibule.change_tasks($1)"
PAGE = f"""
    SELECT {COLUMNS}, {HAS_EXPIRED} AS has_expired, seq FROM vestibule.tasks
    WHERE seq < $1 AND ($3::text IS NULL OR tenant = $3) AND ($4::text[] IS NULL OR state = ANY ($4))
    ORDER BY seq DESC LIMIT $2
"""
# Tasks to send, sent tasks, and dead letters: each is a range of an index.
COUNT = """
    SELECT state, count(*) AS tasks FROM (
        (SELECT state FROM vestibule.tasks WHERE due_at IS NOT NULL AND sent_at IS NULL LIMIT $1)
        UNION ALL
        (SELECT state FROM vestibule.tasks WHERE due_at IS NOT NULL AND sent_at IS NOT NULL LIMIT $1)
        UNION ALL
        (SELECT state FROM vestibule.tasks WHERE state = 'dead' LIMIT $1)
    ) AS not_done GROUP BY state
"""
EXPIRE = f"""
    UPDATE vestibule.tasks SET result = NULL, data = NULL, result_until = 0 WHERE seq IN (
        SELECT seq FROM vestibule.tasks WHERE result_until > 0 AND result_until <= {NOW} LIMIT $1 FOR UPDATE SKIP LOCKED
    ) RETURNING seq
"""
FORGET = f"""
    DELETE FROM vestibule.tasks WHERE seq IN (
        SELECT seq FROM vestibule.tasks WHERE forget_at <= {NOW} LIMIT $1 FOR UPDATE SKIP LOCKED
    ) RETURNING seq
"""
STORED = """
    SELECT seq, task_id, tenant, data, result FROM vestibule.tasks
    WHERE seq > $1 AND (data IS NOT NULL OR result IS NOT NULL) ORDER BY seq LIMIT $2
"""
REPLACE = f"""
    UPDATE vestibule.tasks SET data = $4, result = $5,
        state = CASE WHEN $4::text IS NULL AND due_at IS NOT NULL THEN 'cancelled' ELSE state END,
        finished_at = CASE WHEN $4::text IS NULL AND due_at IS NOT NULL THEN {NOW} ELSE finished_at END,
        forget_at = CASE WHEN $4::text IS NULL AND due_at IS NOT NULL THEN {NOW} + $6 ELSE forget_at END,
        due_at = CASE WHEN $4::text IS NULL THEN NULL ELSE due_at END
    WHERE task_id = $1 AND data IS NOT DISTINCT FROM $2 AND result IS NOT DISTINCT FROM $3 RETURNING seq
"""
NEWEST = 2**63 - 1


class PostgresqlTaskLedger:
    """Tasks in a table beside the entries; several database services may work on it at the same time."""

    def __init__(self, connections: "Connections") -> None:
        self._connections = connections

    async def prepare(self) -> None:
        """Do nothing: the migrations of the store create the table."""

    async def accept(self, tasks: Sequence[NewTask]) -> list[Recorded]:
        """Record tasks; they are on disk then."""
        rows = await self._connections.change(
            ACCEPT, json.dumps([task.model_dump(mode="json", exclude={"terms"}) for task in tasks])
        )
        return [Recorded(task_id=row["task_id"], is_new=row["is_new"]) for row in rows]

    async def find(self, task_ids: Sequence[str]) -> list[LedgerTask]:
        """Return those of the tasks that exist."""
        return [_task(row) for row in await self._connections.read(FIND, list(task_ids))]

    async def claim(self, limit: int, lease_s: float) -> list[LedgerTask]:
        """Return unfinished tasks that are due, and make them due again after `lease_s`."""
        rows = await self._connections.change(CLAIM, limit, lease_s, max(LONGEST_LEASE_S, lease_s))
        return [_task(row) for row in rows]

    async def read_data(self, task_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the data of tasks that still have some."""
        rows = await self._connections.read(READ_DATA, list(task_ids), MAX_DATA_CHARS)
        return {row["task_id"]: row["data"] for row in rows}

    async def change(self, changes: Sequence[TaskChange]) -> list[bool]:
        """Apply each change that is allowed; those are on disk then."""
        rows = await self._connections.change(CHANGE, json.dumps([step.model_dump(mode="json") for step in changes]))
        return [row[0] for row in rows]

    async def page(
        self, tenant: str | None, states: Sequence[TaskState], limit: int, cursor: str | None
    ) -> tuple[list[LedgerTask], str | None]:
        """Return tasks, the newest first and without results, and where the next page starts."""
        before = int(cursor or NEWEST)
        rows = await self._connections.read(PAGE, before, limit + 1, tenant, list(states) or None)
        return [_task(row) for row in rows[:limit]], _cursor(rows, limit)

    async def count_states(self, limit: int) -> Mapping[TaskState, int]:
        """Return how many tasks are in each state that is not done, of at most `limit` sent and `limit` other tasks."""
        counts = {row["state"]: row["tasks"] for row in await self._connections.read(COUNT, limit)}
        return {state: counts.get(state, 0) for state in NOT_DONE}

    async def sweep(self, limit: int) -> int:
        """Remove expired results and expired tasks."""
        expired = await self._connections.change(EXPIRE, limit)
        return len(expired) + len(await self._connections.change(FORGET, limit))

    async def read_stored(self, limit: int, cursor: str | None) -> tuple[list[StoredTask], str | None]:
        """Return data and results of tasks that have some, and where the next page starts."""
        rows = await self._connections.read(STORED, int(cursor or -1), limit + 1)
        return [StoredTask(*tuple(row)[1:]) for row in rows[:limit]], _cursor(rows, limit)

    async def replace_stored(self, old: StoredTask, new: StoredTask) -> bool:
        """Replace data and result of a task, unless they have changed meanwhile."""
        texts = (old.data, old.result, new.data, new.result)
        return bool(await self._connections.change(REPLACE, old.task_id, *texts, KEEP_ERASED_S))


def _task(row: Any) -> LedgerTask:
    known = dict(row)
    known.pop("seq", None)
    return LedgerTask(**known)


def _cursor(rows: Sequence[Any], limit: int) -> str | None:
    return str(rows[limit - 1]["seq"]) if len(rows) > limit else None


def build(store: Store) -> PostgresqlTaskLedger:
    """Return the ledger in the database of `store`."""
    return PostgresqlTaskLedger(cast(PostgresqlStore, store).connections)


LEDGER = LedgerKind((PostgresqlStore,), build)
