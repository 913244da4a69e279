"""The task ledger in a SQLite file: that of the entries and in the same commits, or beside a DynamoDB store."""

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from vestibule.contracts.task_ledger import LedgerTask, NewTask, Recorded, TaskChange
from vestibule.contracts.tasks import TaskState
from vestibule.database_service.entries.sqlite.database import SqliteFile
from vestibule.database_service.entries.store import Store
from vestibule.database_service.entries.stores.dynamodb import DynamoDbStore
from vestibule.database_service.entries.stores.sqlite import SqliteStore
from vestibule.database_service.tasks.ledger import (
    KEEP_ERASED_S,
    LONGEST_LEASE_S,
    MAX_DATA_CHARS,
    NOT_DONE,
    LedgerKind,
    StoredTask,
)

# `seq` is the order of acceptance. `due_at` is set as long as a task is unfinished; `sent_at` as long as its message
# should be in the queue. A task whose result has expired keeps its row without the result until `forget_at`.
SCHEMA = (
    """
    CREATE TABLE IF NOT EXISTS tasks (
        seq INTEGER PRIMARY KEY,
        task_id TEXT NOT NULL,
        tenant TEXT NOT NULL,
        processor TEXT NOT NULL,
        priority TEXT NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        error TEXT,
        data TEXT,
        result TEXT,
        submitted_at REAL NOT NULL,
        sent_at REAL,
        due_at REAL,
        started_at REAL,
        finished_at REAL,
        result_until REAL,
        forget_at REAL,
        unique_key TEXT,
        unique_until REAL
    ) STRICT
    """,
    "CREATE UNIQUE INDEX IF NOT EXISTS tasks_id ON tasks (task_id)",
    "CREATE INDEX IF NOT EXISTS tasks_due ON tasks (sent_at IS NULL, due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS tasks_state ON tasks (state, seq)",
    "CREATE INDEX IF NOT EXISTS tasks_unique ON tasks (unique_key) WHERE unique_key IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS tasks_expiry ON tasks (result_until) WHERE result_until IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS tasks_end ON tasks (forget_at) WHERE forget_at IS NOT NULL",
)
# ruff: noqa: S608 - the statements below consist of constants
NAMES = (
    *("task_id", "tenant", "processor", "priority", "state", "attempts", "error"),
    *("submitted_at", "sent_at", "due_at", "started_at", "finished_at"),
)
COLUMNS = ", ".join(NAMES)
ACCEPT = """
    INSERT INTO tasks (task_id, tenant, processor, priority, state, attempts, data, submitted_at, sent_at, due_at,
        unique_key, unique_until)
    VALUES (?, ?, ?, ?, 'queued', 0, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (task_id) DO NOTHING
"""
FIND_DUPLICATE = """
    SELECT task_id FROM tasks
    WHERE unique_key IN (SELECT value FROM json_each(?)) AND tenant = ? AND unique_until > ? LIMIT 1
"""
FIND = f"""
    SELECT {COLUMNS}, result, result_until FROM tasks WHERE task_id IN (SELECT value FROM json_each(:task_ids))
"""
# Three ranges of one index: tasks to send, sent tasks, and tasks delayed by a clock that was set back.
DUE = """
    SELECT * FROM (SELECT seq FROM tasks WHERE (sent_at IS NULL) = 1 AND due_at <= :now LIMIT :limit)
    UNION ALL
    SELECT * FROM (SELECT seq FROM tasks WHERE (sent_at IS NULL) = 0 AND due_at <= :now LIMIT :limit)
    UNION ALL
    SELECT * FROM (SELECT seq FROM tasks WHERE (sent_at IS NULL) = 0 AND due_at > :far LIMIT :limit)
    LIMIT :limit
"""
READ_SEQ = f"SELECT {COLUMNS} FROM tasks WHERE seq IN (SELECT value FROM json_each(?))"
CLAIM = """
    UPDATE tasks SET due_at = :now + :lease_s, sent_at = coalesce(sent_at, :now)
    WHERE seq IN (SELECT value FROM json_each(:seqs))
"""
READ_DATA = """
    SELECT data FROM tasks WHERE task_id = :task_id AND data IS NOT NULL
"""
CHANGE = """
    UPDATE tasks SET state = :state, due_at = :now + :due_in_s, sent_at = :sent_at,
        attempts = coalesce(:attempts, attempts), error = :error, result = :result,
        started_at = coalesce(:started_at, started_at), finished_at = :finished_at,
        data = CASE WHEN :keep_data THEN data END,
        result_until = :now + :keep_result_s, forget_at = :now + :keep_s,
        unique_until = CASE WHEN :due_in_s IS NULL AND unique_until < :now THEN NULL ELSE unique_until END
    WHERE task_id = :task_id AND state IN (SELECT value FROM json_each(:from_states))
        AND (:tenant IS NULL OR tenant = :tenant) AND (:due_in_s IS NULL OR data IS NOT NULL)
"""
PAGE = f"""
    SELECT {COLUMNS}, NULL, result_until, seq FROM tasks
    WHERE seq < :before AND (:tenant IS NULL OR tenant = :tenant)
"""
IN_STATES = " AND state IN (SELECT value FROM json_each(:states))"
NEWEST_FIRST = " ORDER BY seq DESC LIMIT :limit"
# A range of an index, and of bounded length: reads run on the event loop.
COUNT = "SELECT count(*) FROM (SELECT 1 FROM tasks WHERE state = :state LIMIT :limit)"
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
NEWEST = 2**63 - 1


class SqliteTaskLedger:
    """Tasks in a table beside the entries."""

    def __init__(self, file: SqliteFile) -> None:
        self.file = file

    async def prepare(self) -> None:
        """Create the table and its indexes where they are missing."""
        await self.file.change(lambda connection: [connection.execute(statement) for statement in SCHEMA])

    async def accept(self, tasks: Sequence[NewTask]) -> list[Recorded]:
        """Record tasks; they are on disk then."""
        return await self.file.change(lambda connection: [_accept(connection, task) for task in tasks])

    async def find(self, task_ids: Sequence[str]) -> list[LedgerTask]:
        """Return those of the tasks that exist."""
        now = time.time()
        return [_task(row, now) for row in self.file.query(FIND, {"task_ids": json.dumps(task_ids)})]

    async def claim(self, limit: int, lease_s: float) -> list[LedgerTask]:
        """Return unfinished tasks that are due, and make them due again after `lease_s`."""
        now = time.time()
        parameters = {"now": now, "far": now + max(LONGEST_LEASE_S, lease_s), "limit": limit, "lease_s": lease_s}
        # Usually there are none, and this check needs no transaction.
        if not self.file.query(DUE, {**parameters, "limit": 1}):
            return []

        def claim_due(connection: sqlite3.Connection) -> list[LedgerTask]:
            seqs = json.dumps([row[0] for row in connection.execute(DUE, parameters)])
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

    async def page(
        self, tenant: str | None, states: Sequence[TaskState], limit: int, cursor: str | None
    ) -> tuple[list[LedgerTask], str | None]:
        """Return tasks, the newest first and without results, and where the next page starts."""
        statement = PAGE + (IN_STATES if states else "") + NEWEST_FIRST
        rows = self.file.query(
            statement,
            {"before": int(cursor or NEWEST), "tenant": tenant, "states": json.dumps(states), "limit": limit + 1},
        )
        now = time.time()
        following = str(rows[limit - 1][-1]) if len(rows) > limit else None
        return [_task(row[:-1], now) for row in rows[:limit]], following

    async def count_states(self, limit: int) -> Mapping[TaskState, int]:
        """Return how many tasks are in each state that is not done, each up to `limit`."""
        return {state: self.file.query(COUNT, {"state": state, "limit": limit})[0][0] for state in NOT_DONE}

    async def sweep(self, limit: int) -> int:
        """Remove expired results and expired tasks, and keep the write-ahead log of the file small."""
        await self.file.tend_log()
        parameters = {"now": time.time(), "limit": limit}

        def remove(connection: sqlite3.Connection) -> int:
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
        ),
    )
    return Recorded(task_id=task.task_id, is_new=cursor.rowcount > 0)


def _change(connection: sqlite3.Connection, step: TaskChange) -> bool:
    parameters = step.model_dump(mode="json")
    parameters["from_states"] = json.dumps(parameters["from_states"])
    return connection.execute(CHANGE, {**parameters, "now": time.time()}).rowcount > 0


def _task(row: tuple[Any, ...], now: float) -> LedgerTask:
    *common, result, result_until = row
    has_expired = result_until is not None and result_until <= now
    known = dict(zip(NAMES, common, strict=True))
    return LedgerTask(**known, result=None if has_expired else result, has_expired=has_expired)


def build(store: Store) -> SqliteTaskLedger:
    """Return the ledger in the file of `store`."""
    return SqliteTaskLedger(store.task_file if isinstance(store, DynamoDbStore) else cast(SqliteStore, store).file)


LEDGER = LedgerKind((SqliteStore, DynamoDbStore), build)
