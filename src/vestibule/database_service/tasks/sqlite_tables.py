"""The tables of the task ledger in a SQLite file: tasks, and how many there are in each state."""

import sqlite3

from vestibule.contracts.tasks import split_error
from vestibule.database_service.tasks.task_pages import IS_RARE, REQUEST_PREFIX

# `seq` is the order of acceptance. `due_at` is set as long as a task is unfinished; `sent_at` as long as its message
# should be in the queue. A task whose result has expired keeps its row without the result until `forget_at`.
# Data and results come last: to read a column after them, SQLite reads all of their pages.
TABLE = """
    CREATE TABLE IF NOT EXISTS tasks (
        seq INTEGER PRIMARY KEY,
        task_id TEXT NOT NULL,
        tenant TEXT NOT NULL,
        processor TEXT NOT NULL,
        priority TEXT NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        error TEXT,
        submitted_at REAL NOT NULL,
        sent_at REAL,
        due_at REAL,
        started_at REAL,
        finished_at REAL,
        result_until REAL,
        forget_at REAL,
        unique_key TEXT,
        unique_until REAL,
        request_id TEXT,
        token_id TEXT,
        token_name TEXT,
        key_digest TEXT,
        cause TEXT,
        history TEXT,
        events TEXT,
        earlier_attempts INTEGER NOT NULL DEFAULT 0,
        data TEXT,
        result TEXT
    ) STRICT
"""
# Tables of versions before have no such columns.
ADDED = {
    **dict.fromkeys(("request_id", "token_id", "token_name", "key_digest", "cause", "history", "events"), "TEXT"),
    "earlier_attempts": "INTEGER NOT NULL DEFAULT 0",
}
COUNTS = """
    CREATE TABLE task_counts (
        tenant TEXT NOT NULL,
        processor TEXT NOT NULL,
        state TEXT NOT NULL,
        tasks INTEGER NOT NULL,
        PRIMARY KEY (tenant, processor, state)
    ) STRICT, WITHOUT ROWID
"""
ADD = """
        INSERT INTO task_counts (tenant, processor, state, tasks) VALUES (NEW.tenant, NEW.processor, NEW.state, 1)
        ON CONFLICT DO UPDATE SET tasks = tasks + 1;
"""
SUBTRACT = """
        UPDATE task_counts SET tasks = tasks - 1
        WHERE tenant = OLD.tenant AND processor = OLD.processor AND state = OLD.state;
"""
INDEXES = (
    "CREATE UNIQUE INDEX IF NOT EXISTS tasks_id ON tasks (task_id)",
    "CREATE INDEX IF NOT EXISTS tasks_due ON tasks (sent_at IS NULL, due_at) WHERE due_at IS NOT NULL",
    # Empty but for tasks that wait outside the queue: for their time, or because they are paused.
    "CREATE INDEX IF NOT EXISTS tasks_unsent ON tasks (processor, priority, due_at)"
    " WHERE sent_at IS NULL AND due_at IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS tasks_unique ON tasks (unique_key) WHERE unique_key IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS tasks_expiry ON tasks (result_until) WHERE result_until IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS tasks_end ON tasks (forget_at) WHERE forget_at IS NOT NULL",
    # For lists. Each costs every task some microseconds, so none is changed by a task that is accepted and succeeds.
    f"CREATE INDEX IF NOT EXISTS tasks_rare ON tasks (state, seq) WHERE {IS_RARE}",
    f"CREATE INDEX IF NOT EXISTS tasks_tenant_rare ON tasks (tenant, state, seq) WHERE {IS_RARE}",
    "CREATE INDEX IF NOT EXISTS tasks_tenant_processor ON tasks (tenant, processor, seq)",
    "CREATE INDEX IF NOT EXISTS tasks_token ON tasks (token_id, seq) WHERE token_id IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS tasks_key ON tasks (key_digest, seq) WHERE key_digest IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS tasks_cause ON tasks (cause, seq) WHERE cause IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS tasks_tenant_cause ON tasks (tenant, cause, seq) WHERE cause IS NOT NULL",
    # A part of the id is enough, and takes less time.
    f"CREATE INDEX IF NOT EXISTS tasks_request ON tasks ({REQUEST_PREFIX}) WHERE request_id IS NOT NULL",
)
# Of versions before.
DROPPED = ("tasks_state", "tasks_tenant_state", "tasks_processor", "tasks_submitted")
# Whatever changes a task changes its count, in the same statement: triggers cost no second call from Python.
TRIGGERS = (
    f"CREATE TRIGGER task_counted AFTER INSERT ON tasks BEGIN {ADD} END",
    f"CREATE TRIGGER task_recounted AFTER UPDATE OF state ON tasks WHEN OLD.state <> NEW.state"
    f" BEGIN {SUBTRACT} {ADD} END",
    f"CREATE TRIGGER task_not_counted AFTER DELETE ON tasks BEGIN {SUBTRACT} END",
)
COUNT_ALL = """
    INSERT INTO task_counts (tenant, processor, state, tasks)
    SELECT tenant, processor, state, count(*) FROM tasks GROUP BY tenant, processor, state
"""
SCHEMA = (TABLE, COUNTS, *INDEXES, *TRIGGERS)
PARTS_OF_COUNTS = """
    SELECT count(*) FROM sqlite_schema
    WHERE name IN ('task_counts', 'task_counted', 'task_recounted', 'task_not_counted')
"""
DROP_COUNTS = (
    "DROP TRIGGER IF EXISTS task_counted",
    "DROP TRIGGER IF EXISTS task_recounted",
    "DROP TRIGGER IF EXISTS task_not_counted",
    "DROP TABLE IF EXISTS task_counts",
)


def create_tables(connection: sqlite3.Connection) -> None:
    """Create what is missing, in one transaction; counts that are not whole are counted again."""
    connection.execute(TABLE)
    columns = {row[1] for row in connection.execute("PRAGMA table_info(tasks)")}
    for name, kind in ADDED.items():
        if name not in columns:
            connection.execute(f"ALTER TABLE tasks ADD COLUMN {name} {kind}")
    if "cause" not in columns:
        for (error,) in connection.execute("SELECT DISTINCT error FROM tasks WHERE error IS NOT NULL").fetchall():
            connection.execute("UPDATE tasks SET cause = ? WHERE error = ?", (split_error(error)[1], error))
    for statement in (*(f"DROP INDEX IF EXISTS {name}" for name in DROPPED), *INDEXES):
        connection.execute(statement)
    if connection.execute(PARTS_OF_COUNTS).fetchone()[0] < 1 + len(TRIGGERS):
        for statement in (*DROP_COUNTS, COUNTS, COUNT_ALL, *TRIGGERS):
            connection.execute(statement)
