"""The task ledger in a SQLite file: that of the entries and in the same commits, or beside a DynamoDB store."""

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from vestibule.contracts.task_ledger import (
    AttemptRecord,
    LedgerTask,
    NewTask,
    Recorded,
    TaskChange,
    TaskCount,
    TaskFilter,
    UnsentCounts,
    UnsentTasks,
)
from vestibule.database_service.entries.sqlite.database import SqliteFile
from vestibule.database_service.entries.store import Store
from vestibule.database_service.entries.stores.dynamodb import DynamoDbStore
from vestibule.database_service.entries.stores.sqlite import SqliteStore
from vestibule.database_service.tasks.ledger import (
    KEEP_ERASED_S,
    KEPT_ATTEMPTS,
    KEPT_EVENTS,
    LONGEST_LEASE_S,
    MAX_DATA_CHARS,
    LedgerKind,
    StoredTask,
    read_events,
    read_history,
)
from vestibule.database_service.tasks.sqlite_tables import SCHEMA, create_tables
from vestibule.database_service.tasks.task_pages import (
    CLOCKS_DIFFER_S,
    NEWEST,
    REQUEST_PREFIX,
    Dialect,
    PageEnd,
    PageStatements,
    has_few,
    walks_of,
)

# ruff: noqa: S608 - the statements below consist of constants
NAMES = (
    *("task_id", "tenant", "processor", "priority", "state", "attempts", "error"),
    *("submitted_at", "sent_at", "due_at", "started_at", "finished_at"),
)
# Beside these, what only people ask for.
MORE_NAMES = ("request_id", "token_id", "token_name", "key_digest", "cause", "history", "events")
COLUMNS = ", ".join(NAMES)
ALL_NAMES = (*NAMES, *MORE_NAMES)
ALL_COLUMNS = ", ".join(ALL_NAMES)
ACCEPT = """
    INSERT INTO tasks (task_id, tenant, processor, priority, state, attempts, data, submitted_at, sent_at, due_at,
        unique_key, unique_until, request_id, token_id, token_name, key_digest, events)
    VALUES (?, ?, ?, ?, 'queued', 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (task_id) DO NOTHING
"""
FIND_DUPLICATE = """
    SELECT task_id FROM tasks
    WHERE unique_key IN (SELECT value FROM json_each(?)) AND tenant = ? AND unique_until > ? LIMIT 1
"""
FIND = f"""
    SELECT {ALL_COLUMNS}, result, result_until FROM tasks WHERE task_id IN (SELECT value FROM json_each(:task_ids))
"""
# Ranges of one index: tasks to send, sent tasks, and tasks delayed by a clock that was set back. A tenth of those to
# send became due last: they do not wait for thousands of another tenant. While processors are paused, the tasks to send
# are ranges of another index.
TO_SEND = """
    SELECT * FROM (
        SELECT seq FROM tasks WHERE (sent_at IS NULL) = 1 AND due_at <= :now ORDER BY due_at DESC LIMIT :limit / 10
    )
    UNION
    SELECT * FROM (
        SELECT seq FROM tasks WHERE (sent_at IS NULL) = 1 AND due_at <= :now ORDER BY due_at LIMIT :limit - :limit / 10
    )
"""
TO_SEND_OF = """
    SELECT seq FROM tasks INDEXED BY tasks_unsent
    WHERE sent_at IS NULL AND due_at IS NOT NULL AND processor IN (SELECT value FROM json_each(:processors))
        AND priority IN ('high', 'normal', 'low') AND due_at <= :now LIMIT :limit
"""
DUE = """
    SELECT * FROM ({to_send})
    UNION ALL
    SELECT * FROM (SELECT seq FROM tasks WHERE (sent_at IS NULL) = 0 AND due_at <= :now LIMIT :limit)
    UNION ALL
    SELECT * FROM (SELECT seq FROM tasks WHERE (sent_at IS NULL) = 0 AND due_at > :far LIMIT :limit)
    LIMIT :limit
"""
COUNT_UNSENT = """
    SELECT processor, priority, count(*) FROM (
        SELECT processor, priority FROM tasks INDEXED BY tasks_unsent
        WHERE sent_at IS NULL AND due_at IS NOT NULL AND due_at <= :now LIMIT :limit
    ) GROUP BY processor, priority
"""
READ_SEQ = f"SELECT {COLUMNS} FROM tasks WHERE seq IN (SELECT value FROM json_each(?))"
CLAIM = """
    UPDATE tasks SET due_at = :now + :lease_s, sent_at = coalesce(sent_at, :now)
    WHERE seq IN (SELECT value FROM json_each(:seqs))
"""
READ_DATA = """
    SELECT data FROM tasks WHERE task_id = :task_id AND data IS NOT NULL
"""
# Attempts are numbered over all retries by people, each of which begins to count from the start.
HISTORY = f""",
        earlier_attempts = CASE WHEN :attempts = 0 THEN coalesce(json_extract(history, '$[#-1][0]'), 0)
            ELSE earlier_attempts END,
        history = CASE WHEN :has_attempt THEN json_insert(
            CASE WHEN json_array_length(history) >= {KEPT_ATTEMPTS} THEN json_remove(history, '$[0]')
                ELSE coalesce(history, '[]') END,
            '$[#]',
            json_array(earlier_attempts + coalesce(:number, :attempts, attempts + 1), :worker, :began_at, :ended_at,
                :attempt_cause)
        ) ELSE history END,
        events = CASE WHEN :event IS NULL THEN events ELSE json_insert(
            CASE WHEN json_array_length(events) >= {KEPT_EVENTS} THEN json_remove(events, '$[1]')
                ELSE coalesce(events, '[]') END,
            '$[#]',
            json(:event)
        ) END"""
CHANGE = f"""
    UPDATE tasks SET state = :state, due_at = :now + :due_in_s, sent_at = :sent_at,
        attempts = coalesce(:attempts, attempts), error = :error, cause = :cause, result = :result,
        started_at = coalesce(:started_at, started_at), finished_at = :finished_at,
        data = CASE WHEN :keep_data THEN data END,
        result_until = :now + :keep_result_s, forget_at = :now + :keep_s,
        unique_until = CASE WHEN :due_in_s IS NULL AND unique_until < :now THEN NULL ELSE unique_until END{HISTORY}
    WHERE task_id = :task_id AND state IN (SELECT value FROM json_each(:from_states))
        AND (:tenant IS NULL OR tenant = :tenant) AND (:due_in_s IS NULL OR data IS NOT NULL)
"""
SQLITE = Dialect("tasks", "seq", "(sent_at IS NULL) = 1", "(sent_at IS NULL) = 0", "?{}".format)
PAGE_NAMES = ALL_NAMES[:-2]  # without attempts and events
PAGE_COLUMNS = f"{', '.join(PAGE_NAMES)}, NULL, result_until"
ENDS = "SELECT min(seq) FROM tasks UNION ALL SELECT max(seq) FROM tasks"
AT_LEAST = "SELECT seq, submitted_at FROM tasks WHERE seq >= ? ORDER BY seq LIMIT 1"
OF_REQUEST = f"""
    SELECT task_id FROM tasks WHERE {REQUEST_PREFIX} = substr(?1, 1, 8) AND request_id = ?1
    AND (?2 IS NULL OR tenant = ?2) ORDER BY seq LIMIT ?3
"""
COUNTS = "SELECT tenant, processor, state, tasks FROM task_counts WHERE tasks > 0"
OF_TENANT = " AND tenant = :tenant"
FORGET_COUNTS = "DELETE FROM task_counts WHERE tasks = 0"
EXPIRE = """
    UPDATE tasks SET result = NULL, data = NULL, result_until = 0
    WHERE seq IN (SELECT seq FROM tasks WHERE result_until > 0 AND result_until <= :now LIMIT :limit)
"""
FORGET = "DELETE FROM tasks WHERE seq IN (SELECT seq FROM tasks WHERE forget_at <= :now LIMIT :limit)"
STORED = """
    SELECT seq, task_id, tenant, data, result FROM tasks
    WHERE seq > :after AND (data IS NOT NULL OR result IS NOT NULL) ORDER BY seq LIMIT :limit
"""
REPLACE = """
    UPDATE tasks SET data = :new_data, result = :new_result
    WHERE task_id = :task_id AND data IS :old_data AND result IS :old_result
"""
CANCEL_WITHOUT_DATA = """
    UPDATE tasks SET state = 'cancelled', due_at = NULL, finished_at = :now, forget_at = :now + :keep_s
    WHERE task_id = :task_id AND data IS NULL AND due_at IS NOT NULL
"""
NO_ATTEMPT = AttemptRecord()
__all__ = ["LEDGER", "SCHEMA", "SqliteTaskLedger"]


class SqliteTaskLedger:
    """Tasks in a table beside the entries."""

    def __init__(self, file: SqliteFile) -> None:
        self.file = file

    async def prepare(self) -> None:
        """Create the tables and their indexes where they are missing, and the counts."""
        await self.file.change(create_tables)

    async def accept(self, tasks: Sequence[NewTask]) -> list[Recorded]:
        """Record tasks; they are on disk then."""
        return await self.file.change(lambda connection: [_accept(connection, task) for task in tasks])

    async def find(self, task_ids: Sequence[str]) -> list[LedgerTask]:
        """Return those of the tasks that exist."""
        now = time.time()
        return [_task(row, now, ALL_NAMES) for row in self.file.query(FIND, {"task_ids": json.dumps(task_ids)})]

    async def claim(self, limit: int, lease_s: float, processors: Sequence[str] | None = None) -> list[LedgerTask]:
        """Return unfinished tasks that are due, and make them due again after `lease_s`."""
        now = time.time()
        parameters = {
            **{"now": now, "far": now + max(LONGEST_LEASE_S, lease_s), "limit": limit, "lease_s": lease_s},
            **({} if processors is None else {"processors": json.dumps(processors)}),
        }
        due = DUE.format(to_send=TO_SEND if processors is None else TO_SEND_OF)
        # Usually there are none, and this check needs no transaction.
        if not self.file.query(due, {**parameters, "limit": 1}):
            return []

        def claim_due(connection: sqlite3.Connection) -> list[LedgerTask]:
            seqs = json.dumps([row[0] for row in connection.execute(due, parameters)])
            found = connection.execute(READ_SEQ, (seqs,)).fetchall()
            connection.execute(CLAIM, {**parameters, "seqs": seqs})
            return [_task((*row, None, None), now) for row in found]

        return await self.file.change(claim_due)

    async def read_data(self, task_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the data of tasks that still have some."""
        found: dict[str, str] = {}
        chars = 0
        for task_id in task_ids:
            for (data,) in self.file.query(READ_DATA, {"task_id": task_id}):
                chars += len(data)
                if found and chars > MAX_DATA_CHARS:
                    return found
                found[task_id] = data
        return found

    async def change(self, changes: Sequence[TaskChange]) -> list[bool]:
        """Apply each change that is allowed; those are on disk then."""
        return await self.file.change(lambda connection: [_change(connection, step) for step in changes])

    async def page(self, chosen: TaskFilter, limit: int, cursor: str | None) -> tuple[list[LedgerTask], str | None]:
        """Return matching tasks, the newest first and without results, and where the next page starts."""
        statements = self._statements(chosen)
        if not statements.walks:
            return [], None
        before = int(cursor or NEWEST)
        if chosen.submitted_before is not None:
            before = min(before, self._last_submitted(chosen.submitted_before + CLOCKS_DIFFER_S) + 1)
        bound = statements.floor(before)
        floor = -1 if bound is None else self.file.query(*bound)[0][0]
        end = -1 if floor is None else floor
        rows = self.file.query(*statements.page(before, end, limit + 1))
        now = time.time()
        found = [_task(row[:-1], now, PAGE_NAMES) for row in rows[:limit]]
        return found, PageEnd([row[-1] for row in rows], end, limit).cursor

    def _statements(self, chosen: TaskFilter) -> PageStatements:
        unfinished = PageStatements(SQLITE, PAGE_COLUMNS, chosen, [{}], is_by_due=True)
        if unfinished.are_wanted and has_few(self.file.query(*unfinished.due())[0][0]):
            return unfinished
        return PageStatements(SQLITE, PAGE_COLUMNS, chosen, walks_of(chosen, self.counts_of(chosen.tenant)))

    def _last_submitted(self, before: float) -> int:
        """Return the number of a task that was submitted before, while the next one was not; -1 if there is none.

        Tasks are numbered in the order of their submission, as far as clocks agree.
        """
        (first,), (last,) = self.file.query(ENDS, ())
        low, high = (first or 0) - 1, last or 0
        while low < high:
            middle = (low + high + 1) // 2
            ((seq, submitted_at),) = self.file.query(AT_LEAST, (middle,))
            low, high = (seq, high) if submitted_at <= before else (low, middle - 1)
        return low

    def counts_of(self, tenant: str | None) -> list[TaskCount]:
        """Return how many tasks are in each state, by tenant and processor."""
        rows = self.file.query(COUNTS + (OF_TENANT if tenant is not None else ""), {"tenant": tenant})
        return [TaskCount(**dict(zip(TaskCount.model_fields, row, strict=True))) for row in rows]

    async def counts(self, tenant: str | None) -> list[TaskCount]:
        """Return how many tasks are in each state, by tenant and processor; without a tenant of all."""
        return self.counts_of(tenant)

    async def find_of_request(self, request_id: str, tenant: str | None, limit: int) -> list[str]:
        """Return the ids of the tasks that a request made, the oldest first."""
        return [row[0] for row in self.file.query(OF_REQUEST, (request_id, tenant, limit))]

    async def count_unsent(self, limit: int) -> UnsentCounts:
        """Count the tasks that are due and were not sent, by processor and priority."""
        rows = self.file.query(COUNT_UNSENT, {"now": time.time(), "limit": limit})
        counts = [UnsentTasks(processor=row[0], priority=row[1], tasks=row[2]) for row in rows]
        return UnsentCounts(counts=counts, is_limited=sum(one.tasks for one in counts) >= limit)

    async def sweep(self, limit: int) -> int:
        """Remove expired results and expired tasks, and keep the write-ahead log of the file small."""
        await self.file.tend_log()
        parameters = {"now": time.time(), "limit": limit}

        def remove(connection: sqlite3.Connection) -> int:
            connection.execute(FORGET_COUNTS)
            return connection.execute(EXPIRE, parameters).rowcount + connection.execute(FORGET, parameters).rowcount

        return await self.file.change(remove)

    async def read_stored(self, limit: int, cursor: str | None) -> tuple[list[StoredTask], str | None]:
        """Return data and results of tasks that have some, and where the next page starts."""
        rows = self.file.query(STORED, {"after": int(cursor or -1), "limit": limit + 1})
        following = str(rows[limit - 1][0]) if len(rows) > limit else None
        return [StoredTask(*row[1:]) for row in rows[:limit]], following

    async def replace_stored(self, old: StoredTask, new: StoredTask) -> bool:
        """Replace data and result of a task, unless they have changed meanwhile."""
        parameters = {
            "task_id": old.task_id,
            "old_data": old.data,
            "old_result": old.result,
            "new_data": new.data,
            "new_result": new.result,
        }

        def replace(connection: sqlite3.Connection) -> bool:
            is_replaced = connection.execute(REPLACE, parameters).rowcount > 0
            if is_replaced and new.data is None:
                ending = {"task_id": old.task_id, "now": time.time(), "keep_s": KEEP_ERASED_S}
                connection.execute(CANCEL_WITHOUT_DATA, ending)
            return is_replaced

        return await self.file.change(replace)


def _accept(connection: sqlite3.Connection, task: NewTask) -> Recorded:
    now = time.time()
    if task.unique_keys:
        same = connection.execute(FIND_DUPLICATE, (json.dumps(task.unique_keys), task.tenant, now)).fetchone()
        if same is not None:
            return Recorded(task_id=same[0], is_new=False)
    unique_until = None if task.unique_for_s is None else now + task.unique_for_s
    # Values by position: this is the statement that has to be fast.
    cursor = connection.execute(
        ACCEPT,
        (
            task.task_id,
            task.tenant,
            task.processor,
            task.priority.value,
            task.data,
            task.submitted_at,
            task.sent_at,
            now + task.due_in_s,
            task.unique_keys[0] if task.unique_keys else None,
            unique_until,
            task.request_id,
            task.token_id,
            task.token_name,
            task.key_digest,
            None if task.event is None else json.dumps([task.event.stored]),
        ),
    )
    return Recorded(task_id=task.task_id, is_new=cursor.rowcount > 0)


def _change(connection: sqlite3.Connection, step: TaskChange) -> bool:
    parameters = step.model_dump(mode="json", exclude={"attempt", "event"})
    parameters["from_states"] = json.dumps(parameters["from_states"])
    attempt = step.attempt or NO_ATTEMPT
    parameters |= {
        "has_attempt": step.attempt is not None,
        "number": attempt.number,
        "worker": attempt.worker,
        "began_at": attempt.started_at,
        "ended_at": attempt.ended_at,
        "attempt_cause": attempt.cause,
        "event": None if step.event is None else json.dumps(step.event.stored),
    }
    return connection.execute(CHANGE, {**parameters, "cause": step.cause, "now": time.time()}).rowcount > 0


def _task(row: tuple[Any, ...], now: float, names: Sequence[str] = NAMES) -> LedgerTask:
    *common, result, result_until = row
    has_expired = result_until is not None and result_until <= now
    known = dict(zip(names, common, strict=True))
    known["history"] = read_history(json.loads(known.get("history") or "[]"))
    known["events"] = read_events(json.loads(known.get("events") or "[]"))
    return LedgerTask(**known, result=None if has_expired else result, has_expired=has_expired)


def build(store: Store) -> SqliteTaskLedger:
    """Return the ledger in the file of `store`."""
    return SqliteTaskLedger(store.task_file if isinstance(store, DynamoDbStore) else cast(SqliteStore, store).file)


LEDGER = LedgerKind((SqliteStore, DynamoDbStore), build)
