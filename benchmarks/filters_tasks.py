"""How long a page of tasks takes on a million rows, for each filter and for combinations, on SQLite or PostgreSQL.

    python benchmarks/filters_tasks.py [--rows 1000000] [--stores sqlite,postgresql]

The rows are skewed as in a real ledger: nearly all have succeeded, dead ones are old, one token has most tasks, and the
tasks of a second tenant are few. It prints the slowest of some pages of each filter, in milliseconds.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers.postgresql import running_server
from vestibule.contracts.task_ledger import TaskFilter
from vestibule.database_service.main import build_store, build_task_ledger
from vestibule.database_service.settings import DatabaseSettings
from vestibule.database_service.tasks.ledger import TaskLedger
from vestibule.database_service.tasks.ledgers.sqlite import SqliteTaskLedger

BUDGET_MS = 20.0
PAGES = 3
CHUNK = 50_000
COLUMNS = (
    "task_id, tenant, processor, priority, state, attempts, error, submitted_at, sent_at, due_at,"
    " token_id, token_name, key_digest, cause, data"
)
FILTERS: Sequence[Mapping[str, Any]] = (
    {},
    {"tenant": "t1"},
    {"tenant": "t2"},
    {"states": ["dead"]},
    {"tenant": "t1", "states": ["dead"]},
    {"tenant": "t2", "states": ["dead"]},
    {"tenant": "t1", "states": ["queued", "running", "retrying"]},
    {"tenant": "t1", "processor": "redact"},
    {"tenant": "t1", "processor": "uppercase", "states": ["dead"]},
    {"tenant": "t1", "processor": "redact", "states": ["succeeded"]},
    {"processor": "redact"},
    {"tenant": "t1", "token_id": "most"},
    {"tenant": "t1", "token_id": "few"},
    {"tenant": "t1", "token_id": "few", "states": ["succeeded"]},
    {"tenant": "t1", "token_id": "most", "states": ["dead"], "processor": "redact"},
    {"tenant": "t1", "key_digests": [f"e{epoch}:7" for epoch in range(30)]},
    {"tenant": "t1", "key_digests": ["e1:7"], "states": ["dead"]},
    {"tenant": "t1", "cause": "timeout"},
    {"cause": "timeout", "processor": "redact"},
    {"tenant": "t1", "cause": "timeout", "token_id": "few", "states": ["dead"]},
    {"tenant": "t1", "submitted_before": 300_000.0},
    {"tenant": "t1", "submitted_before": 5.0, "states": ["dead"]},
    {"tenant": "t1", "due_before": 2e9},
    {"tenant": "t1", "due_before": 5e9, "processor": "redact"},
    {"tenant": "t1", "due_before": 2e9, "token_id": "few", "states": ["retrying"]},
)


def row_of(number: int, count: int) -> tuple[Any, ...]:
    """Return a row: of the first fifth one in four is dead, of the last fiftieth one in two waits."""
    state, error, due_at, sent_at = "succeeded", None, None, 1.0
    if number < count // 5 and number % 4 == 0:
        state, error = "dead", "TaskInterrupted:timeout"
    elif number > count - count // 50 and number % 2:
        state, due_at = "queued", 4e9 if number % 40 else 1e9
        sent_at = None if number % 4 == 1 else 1.0
    cause = error and "timeout"
    tenant, token = ("t2", "other") if number % 1000 == 0 else ("t1", "few" if number % 5000 == 1 else "most")
    processor = "redact" if number % 10_000 == 3 else "uppercase"
    digest = f"e1:{number % 50_000}"
    submitted = float(number)
    return (
        f"{number:032x}", tenant, processor, "normal", state, 0, error, submitted, sent_at, due_at,
        token, token, digest, cause, "x" * 300,
    )  # fmt: skip


async def fill(ledger: Any, count: int) -> None:
    """Write the rows as they are, without the way that tasks take."""
    for start in range(0, count, CHUNK):
        rows = [row_of(number, count) for number in range(start, min(start + CHUNK, count))]
        if isinstance(ledger, SqliteTaskLedger):
            marks = ", ".join("?" * len(rows[0]))
            statement = f"INSERT INTO tasks ({COLUMNS}) VALUES ({marks})"
            await ledger.file.change(lambda connection, s=statement, r=rows: connection.executemany(s, r))
        else:
            statement = f"""
                INSERT INTO vestibule.tasks ({COLUMNS}) SELECT {COLUMNS}
                FROM jsonb_populate_recordset(NULL::vestibule.tasks, $1)
            """
            names = COLUMNS.split(", ")
            records = [dict(zip(names, row, strict=True)) for row in rows]
            for first in range(0, len(records), 5000):
                await ledger._connections.change(statement, json.dumps(records[first : first + 5000]))
    # Each adds up a hundred thousand changes of the counts.
    for _ in range(count // 100_000 + 1):
        await ledger.sweep(200)
    if not isinstance(ledger, SqliteTaskLedger):
        await ledger._connections.change("ANALYZE vestibule.tasks")


async def slowest_page_ms(ledger: TaskLedger, given: Mapping[str, Any]) -> tuple[float, int]:
    """Return the time of the slowest of the first pages, and how many tasks they had.

    Each is asked for three times, the fastest of which counts.
    """
    slowest, found = 0.0, 0
    cursor: str | None = None
    for _ in range(PAGES):
        took = []
        for _ in range(3):
            began = time.perf_counter()
            page, following = await ledger.page(TaskFilter(**given), 100, cursor)
            took.append((time.perf_counter() - began) * 1000)
        slowest, found, cursor = max(slowest, min(took)), found + len(page), following
        if cursor is None:
            break
    return slowest, found


async def measure(url: str, folder: Path, count: int) -> bool:
    """Fill a ledger, print the time of each filter, and say whether all are within the budget."""
    store = build_store(DatabaseSettings(data_dir=folder, database_url=url, database_timeout_s=60))
    is_within = True
    async with store:
        ledger = build_task_ledger(store)
        await ledger.prepare()
        began = time.perf_counter()
        await fill(ledger, count)
        print(f"{count:,} tasks in {type(ledger).__name__}, written in {time.perf_counter() - began:.0f} s")
        for given in FILTERS:
            took_ms, found = await slowest_page_ms(ledger, given)
            is_within &= took_ms <= BUDGET_MS
            shown = {name: f"{len(value)} digests" if name == "key_digests" else value for name, value in given.items()}
            print(f"{took_ms:8.1f} ms  {found:4} tasks  {json.dumps(shown)}")
        began = time.perf_counter()
        counts = await ledger.counts(None)
        print(
            f"{(time.perf_counter() - began) * 1000:8.1f} ms  counts of {sum(count.tasks for count in counts):,} tasks"
        )
    return is_within


def main() -> int:
    """Measure, and say whether every page came in time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--stores", default="sqlite,postgresql")
    options = parser.parse_args()
    is_within = True
    for kind in options.stores.split(","):
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            url = "sqlite:"
            if kind == "postgresql":
                url = stack.enter_context(running_server()).database_url("filters")
            is_within &= asyncio.run(measure(url, Path(folder), options.rows))
    return int(not is_within)


if __name__ == "__main__":
    sys.exit(main())
