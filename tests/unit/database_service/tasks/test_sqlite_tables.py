"""The tables of the ledger in a file that a version before has made, and counts that are not whole."""

import sqlite3
from collections.abc import Iterator

import pytest

from vestibule.database_service.tasks.sqlite_tables import ADDED, TABLE, create_tables

INSERT = """
    INSERT INTO tasks (task_id, tenant, processor, priority, state, attempts, error, submitted_at)
    VALUES (?, 't1', 'uppercase', 'normal', ?, 0, ?, 1.0)
"""
COUNTS = "SELECT state, tasks FROM task_counts WHERE tasks > 0 ORDER BY state"


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A file of a version that had no such columns, with two tasks."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    older = [line for line in TABLE.splitlines() if line.strip() and line.split()[0] not in ADDED]
    connection.execute("\n".join(older))
    connection.execute(INSERT, ("a", "dead", "TaskInterrupted:http_503"))
    connection.execute(INSERT, ("b", "queued", None))
    yield connection
    connection.close()


def test_a_table_of_a_version_before_gets_what_it_lacks(connection: sqlite3.Connection) -> None:
    """Columns, causes of what had failed, and counts; a second start changes nothing."""
    for _ in range(2):
        create_tables(connection)
        assert [("http_503", 0), (None, 0)] == connection.execute(
            "SELECT cause, earlier_attempts FROM tasks ORDER BY seq"
        ).fetchall()
        assert [("dead", 1), ("queued", 1)] == connection.execute(COUNTS).fetchall()


@pytest.mark.parametrize("lost", ["TABLE task_counts", "TRIGGER task_recounted"])
def test_counts_that_are_not_whole_are_counted_again(connection: sqlite3.Connection, lost: str) -> None:
    """A table or a trigger that is gone leaves no wrong numbers."""
    create_tables(connection)
    triggers = ["task_counted", "task_recounted", "task_not_counted"] if "TABLE" in lost else []
    for name in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(f"DROP {lost}")
    connection.execute("UPDATE tasks SET state = 'running' WHERE task_id = 'b'")
    create_tables(connection)
    assert [("dead", 1), ("running", 1)] == connection.execute(COUNTS).fetchall()
    connection.execute("DELETE FROM tasks WHERE task_id = 'a'")
    assert [("running", 1)] == connection.execute(COUNTS).fetchall()
