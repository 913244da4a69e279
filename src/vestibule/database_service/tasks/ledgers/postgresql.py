"""The ledger of tasks in the same PostgreSQL database as the entries."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from vestibule.contracts.task_ledger import (
    LedgerTask,
    NewTask,
    Recorded,
    TaskChange,
    TaskCount,
    TaskFilter,
    UnsentCounts,
    UnsentTasks,
)
from vestibule.database_service.entries.store import Store
from vestibule.database_service.entries.stores.postgresql import PostgresqlStore
from vestibule.database_service.tasks.ledger import (
    KEEP_ERASED_S,
    LONGEST_LEASE_S,
    MAX_DATA_CHARS,
    LedgerKind,
    StoredTask,
    read_events,
    read_history,
)
from vestibule.database_service.tasks.task_pages import (
    CLOCKS_DIFFER_S,
    NEWEST,
    REQUEST_PREFIX,
    Dialect,
    PageEnd,
    PageStatements,
    Statement,
    has_few,
    walks_of,
)

if TYPE_CHECKING:
    from vestibule.database_service.entries.postgresql.connections import Connections

# ruff: noqa: S608 - the statements below consist of constants
NOW = "extract(epoch FROM clock_timestamp())::double precision"
COLUMNS = (
    "task_id, tenant, processor, priority, state, attempts, error,"
    " submitted_at, sent_at, due_at, started_at, finished_at"
)
# Beside these, what only people ask for.
MORE_COLUMNS = f"{COLUMNS}, request_id, token_id, token_name, key_digest, cause"
ACCEPT = "SELECT task_id, is_new FROM vestibule.accept_tasks($1)"
HAS_EXPIRED = f"result_until IS NOT NULL AND result_until <= {NOW}"
FIND = f"""
    SELECT {MORE_COLUMNS}, history, events, {HAS_EXPIRED} AS has_expired,
        CASE WHEN NOT ({HAS_EXPIRED}) THEN result END AS result
    FROM vestibule.tasks WHERE task_id = ANY ($1)
"""
# Tasks to send, sent tasks, and tasks delayed by a clock that was set back: each is a range of an index. A tenth of the
# tasks to send are those that became due last: they do not wait for thousands of another tenant. Tasks that another
# claim has locked are skipped. While processors are paused, the tasks to send are ranges of another index.
TO_SEND = f"""
    newest AS (
        SELECT seq FROM vestibule.tasks WHERE sent_at IS NULL AND due_at <= {NOW} ORDER BY due_at DESC LIMIT $1 / 10
        FOR UPDATE SKIP LOCKED
    ), oldest AS (
        SELECT seq FROM vestibule.tasks WHERE sent_at IS NULL AND due_at <= {NOW} LIMIT $1 - $1 / 10
        FOR UPDATE SKIP LOCKED
    ), to_send AS (
        SELECT seq FROM newest UNION SELECT seq FROM oldest
    )
"""
TO_SEND_OF = f"""
    to_send AS (
        SELECT seq FROM vestibule.tasks WHERE sent_at IS NULL AND processor = ANY ($4::text[])
            AND priority IN ('high', 'normal', 'low') AND due_at <= {NOW} LIMIT $1 FOR UPDATE SKIP LOCKED
    )
"""
CLAIM_DUE = f"""
    , sent AS (
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
CLAIM, CLAIM_OF = (f"WITH {to_send} {CLAIM_DUE}" for to_send in (TO_SEND, TO_SEND_OF))
COUNT_UNSENT = f"""
    SELECT processor, priority, count(*) AS tasks FROM (
        SELECT processor, priority FROM vestibule.tasks
        WHERE sent_at IS NULL AND due_at IS NOT NULL AND due_at <= {NOW} LIMIT $1
    ) AS unsent GROUP BY processor, priority
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
POSTGRESQL = Dialect(
    "vestibule.tasks", "(seq + 0)", "sent_at IS NULL AND due_at IS NOT NULL", "sent_at IS NOT NULL", "${}".format
)
PAGE_COLUMNS = f"{MORE_COLUMNS}, {HAS_EXPIRED} AS has_expired"
# Changes are added up now and then, so that those of several services never wait for each other.
COUNTS = """
    SELECT tenant, processor, state, sum(tasks)::bigint AS tasks FROM (
        SELECT tenant, processor, state, tasks FROM vestibule.task_counts WHERE $1::text IS NULL OR tenant = $1
        UNION ALL
        SELECT tenant, processor, state, tasks FROM vestibule.task_count_changes WHERE $1::text IS NULL OR tenant = $1
    ) AS parts GROUP BY tenant, processor, state HAVING sum(tasks) > 0
"""
LAST_SUBMITTED = "SELECT vestibule.last_submitted($1::double precision)"
OF_REQUEST = f"""
    SELECT task_id FROM vestibule.tasks WHERE {REQUEST_PREFIX} = substr($1::text, 1, 8) AND request_id = $1
    AND ($2::text IS NULL OR tenant = $2) ORDER BY seq + 0 LIMIT $3
"""
ADD_UP = "SELECT vestibule.add_up_task_counts()"
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


class PostgresqlTaskLedger:
    """Tasks in a table beside the entries; several database services may work on it at the same time."""

    def __init__(self, connections: "Connections") -> None:
        self._connections = connections

    async def prepare(self) -> None:
        """Do nothing: the migrations of the store create the table."""

    async def accept(self, tasks: Sequence[NewTask]) -> list[Recorded]:
        """Record tasks; they are on disk then."""
        rows = await self._connections.change(ACCEPT, json.dumps([_accepted(task) for task in tasks]))
        return [Recorded(task_id=row["task_id"], is_new=row["is_new"]) for row in rows]

    async def find(self, task_ids: Sequence[str]) -> list[LedgerTask]:
        """Return those of the tasks that exist."""
        return [_task(row) for row in await self._connections.read(FIND, list(task_ids))]

    async def claim(self, limit: int, lease_s: float, processors: Sequence[str] | None = None) -> list[LedgerTask]:
        """Return unfinished tasks that are due, and make them due again after `lease_s`."""
        common = limit, lease_s, max(LONGEST_LEASE_S, lease_s)
        if processors is None:
            rows = await self._connections.change(CLAIM, *common)
        else:
            rows = await self._connections.change(CLAIM_OF, *common, list(processors))
        return [_task(row) for row in rows]

    async def read_data(self, task_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the data of tasks that still have some."""
        rows = await self._connections.read(READ_DATA, list(task_ids), MAX_DATA_CHARS)
        return {row["task_id"]: row["data"] for row in rows}

    async def change(self, changes: Sequence[TaskChange]) -> list[bool]:
        """Apply each change that is allowed; those are on disk then."""
        given = [
            {**step.model_dump(mode="json"), "cause": step.cause, "event": step.event and step.event.stored}
            for step in changes
        ]
        rows = await self._connections.change(CHANGE, json.dumps(given))
        return [row[0] for row in rows]

    async def page(self, chosen: TaskFilter, limit: int, cursor: str | None) -> tuple[list[LedgerTask], str | None]:
        """Return matching tasks, the newest first and without results, and where the next page starts."""
        statements = await self._statements(chosen)
        if not statements.walks:
            return [], None
        before = int(cursor or NEWEST)
        if chosen.submitted_before is not None:
            newest = await self._connections.read(LAST_SUBMITTED, chosen.submitted_before + CLOCKS_DIFFER_S)
            before = min(before, newest[0][0] + 1)
        bound = statements.floor(before)
        floor = None if bound is None else (await self._read(bound))[0][0]
        end = -1 if floor is None else floor
        rows = await self._read(statements.page(before, end, limit + 1))
        return [_task(row) for row in rows[:limit]], PageEnd([row["seq"] for row in rows], end, limit).cursor

    async def _statements(self, chosen: TaskFilter) -> PageStatements:
        unfinished = PageStatements(POSTGRESQL, PAGE_COLUMNS, chosen, [{}], is_by_due=True)
        if unfinished.are_wanted and has_few((await self._read(unfinished.due()))[0][0]):
            return unfinished
        return PageStatements(POSTGRESQL, PAGE_COLUMNS, chosen, walks_of(chosen, await self.counts(chosen.tenant)))

    async def _read(self, statement: Statement) -> list[Any]:
        text, parameters = statement
        return await self._connections.read(text, *parameters)

    async def counts(self, tenant: str | None) -> list[TaskCount]:
        """Return how many tasks are in each state, by tenant and processor; without a tenant of all."""
        return [TaskCount(**dict(row)) for row in await self._connections.read(COUNTS, tenant)]

    async def find_of_request(self, request_id: str, tenant: str | None, limit: int) -> list[str]:
        """Return the ids of the tasks that a request made, the oldest first."""
        return [row[0] for row in await self._connections.read(OF_REQUEST, request_id, tenant, limit)]

    async def count_unsent(self, limit: int) -> UnsentCounts:
        """Count the tasks that are due and were not sent, by processor and priority."""
        counts = [UnsentTasks(**dict(row)) for row in await self._connections.read(COUNT_UNSENT, limit)]
        return UnsentCounts(counts=counts, is_limited=sum(one.tasks for one in counts) >= limit)

    async def sweep(self, limit: int) -> int:
        """Remove expired results and expired tasks, and add up the counts."""
        await self._connections.change(ADD_UP)
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


def _accepted(task: NewTask) -> dict[str, Any]:
    return {**task.model_dump(mode="json", exclude={"terms"}), "event": task.event and task.event.stored}


def _task(row: Any) -> LedgerTask:
    known = dict(row)
    known.pop("seq", None)
    known["history"] = read_history(json.loads(known.get("history") or "[]"))
    known["events"] = read_events(json.loads(known.get("events") or "[]"))
    return LedgerTask(**known)


def _cursor(rows: Sequence[Any], limit: int) -> str | None:
    return str(rows[limit - 1]["seq"]) if len(rows) > limit else None


def build(store: Store) -> PostgresqlTaskLedger:
    """Return the ledger in the database of `store`."""
    return PostgresqlTaskLedger(cast(PostgresqlStore, store).connections)


LEDGER = LedgerKind((PostgresqlStore,), build)
