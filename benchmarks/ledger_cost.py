"""What lists cost a task: microseconds of CPU to accept and to end one in SQLite, with their indexes and without.

    python benchmarks/ledger_cost.py [--rounds 7] [--tasks 4000]

The variants take turns in one run, 50 tasks in a transaction, without waiting for the disk; the best round counts.
"""

import argparse
import sqlite3
import tempfile
import time
import uuid
from pathlib import Path

from vestibule.contracts.task_ledger import AttemptRecord, NewTask, TaskChange
from vestibule.contracts.tasks import UNFINISHED, TaskState
from vestibule.database_service.tasks.ledgers.sqlite import _accept, _change
from vestibule.database_service.tasks.sqlite_tables import create_tables

AT_ONCE = 50
FOR_LISTS = ("tasks_rare", "tasks_tenant_rare", "tasks_tenant_processor", "tasks_token", "tasks_key", "tasks_cause")
# Of a version before: indexes that changed with every state.
EARLIER = (
    "CREATE INDEX e1 ON tasks (state, seq)",
    "CREATE INDEX e2 ON tasks (tenant, state, seq)",
    "CREATE INDEX e3 ON tasks (processor, seq)",
    "CREATE INDEX e4 ON tasks (submitted_at)",
)


def opened(folder: Path, dropped: tuple[str, ...] = (), added: tuple[str, ...] = ()) -> sqlite3.Connection:
    """Open an empty ledger with other indexes."""
    connection = sqlite3.connect(folder / f"{uuid.uuid4()}.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")
    create_tables(connection)
    for statement in (*(f"DROP INDEX {name}" for name in dropped), *added):
        connection.execute(statement)
    return connection


def one_round(connection: sqlite3.Connection, count: int) -> tuple[float, float]:
    """Return the microseconds that a task took to accept, and to end."""
    ids, now = [str(uuid.uuid4()) for _ in range(count)], time.time()
    tasks = [
        NewTask(
            task_id=one,
            tenant="default",
            processor="uppercase",
            data="x" * 200,
            request_id=uuid.uuid4().hex,
            token_id="5f3a9c21",
            token_name="orders",
            key_digest=f"e692:{uuid.uuid4().hex}",
            submitted_at=now,
            sent_at=now,
            due_in_s=5,
        )
        for one in ids
    ]
    attempt = AttemptRecord(number=1, worker="worker1@host", started_at=now, ended_at=now)
    changes = [
        TaskChange(
            task_id=one,
            from_states=sorted(UNFINISHED),
            state=TaskState.SUCCEEDED,
            result="y" * 200,
            finished_at=now,
            keep_data=False,
            keep_result_s=86_400,
            keep_s=604_800,
            attempt=attempt,
        )
        for one in ids
    ]
    began = time.process_time()
    for start in range(0, count, AT_ONCE):
        connection.execute("BEGIN IMMEDIATE")
        for task in tasks[start : start + AT_ONCE]:
            _accept(connection, task)
        connection.execute("COMMIT")
    accepted = time.process_time()
    for start in range(0, count, AT_ONCE):
        connection.execute("BEGIN IMMEDIATE")
        for change in changes[start : start + AT_ONCE]:
            _change(connection, change)
        connection.execute("COMMIT")
    return (accepted - began) / count * 1e6, (time.process_time() - accepted) / count * 1e6


def main() -> None:
    """Measure all variants by turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tasks", type=int, default=4000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        variants = {
            "as it is": opened(place),
            "without tasks of a request": opened(place, ("tasks_request",)),
            "without lists and requests": opened(place, (*FOR_LISTS, "tasks_tenant_cause", "tasks_request")),
            "with the indexes of a version before": opened(place, ("tasks_request",), EARLIER),
        }
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in variants}
        for _ in range(given.rounds):
            for name, connection in variants.items():
                took[name].append(one_round(connection, given.tasks))
        for name, rounds in took.items():
            accept, end = (min(one[place] for one in rounds) for place in (0, 1))
            print(f"{name:38} accept {accept:5.1f} us, end {end:5.1f} us, together {accept + end:5.1f} us")


if __name__ == "__main__":
    main()
