"""Decisions in a SQLite file: that of the entries, or beside a DynamoDB store."""

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, cast

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
from vestibule.database_service.entries.sqlite.database import Row, SqliteFile
from vestibule.database_service.entries.store import Store
from vestibule.database_service.entries.stores.dynamodb import DynamoDbStore
from vestibule.database_service.entries.stores.sqlite import SqliteStore

# ruff: noqa: S608 - the statements below consist of constants
# `record` is the whole decision as JSON; the other columns are those that filters and ids are looked up by.
DECISION_TABLES = (
    """
    CREATE TABLE IF NOT EXISTS decisions (
        seq INTEGER PRIMARY KEY,
        decision_id TEXT NOT NULL,
        at_us INTEGER NOT NULL,
        tenant TEXT NOT NULL,
        token_id TEXT,
        token_name TEXT,
        route TEXT NOT NULL,
        action TEXT,
        outcome TEXT NOT NULL,
        request_id TEXT,
        task_id TEXT,
        alert_id TEXT,
        record TEXT NOT NULL
    ) STRICT
    """,
    "CREATE UNIQUE INDEX IF NOT EXISTS decisions_id ON decisions (decision_id)",
    "CREATE INDEX IF NOT EXISTS decisions_time ON decisions (at_us, seq)",
    *(
        f"CREATE INDEX IF NOT EXISTS decisions_{name} ON decisions ({name}, at_us, seq)"
        for name in ("tenant", "token_id", "token_name", "route", "action", "outcome")
    ),
    *(
        f"CREATE INDEX IF NOT EXISTS decisions_{name} ON decisions ({name}) WHERE {name} IS NOT NULL"
        for name in ("request_id", "task_id", "alert_id")
    ),
    """
    CREATE TABLE IF NOT EXISTS decision_entities (
        entity TEXT NOT NULL,
        at_us INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (entity, at_us, seq)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS decision_counts (
        day TEXT NOT NULL,
        tenant TEXT NOT NULL,
        route TEXT NOT NULL,
        entity TEXT NOT NULL,
        action TEXT NOT NULL,
        number INTEGER NOT NULL,
        PRIMARY KEY (day, tenant, route, entity, action)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE TABLE IF NOT EXISTS decision_files"
    " (file TEXT PRIMARY KEY, position INTEGER NOT NULL, at REAL NOT NULL) STRICT, WITHOUT ROWID",
)
ADD = """
    INSERT INTO decisions (decision_id, at_us, tenant, token_id, token_name, route, action, outcome, request_id,
        task_id, alert_id, record)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (decision_id) DO NOTHING
"""
ADD_ENTITY = "INSERT INTO decision_entities (entity, at_us, seq) VALUES (?, ?, ?)"
ADD_COUNT = """
    INSERT INTO decision_counts AS c (day, tenant, route, entity, action, number) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (day, tenant, route, entity, action) DO UPDATE SET number = c.number + excluded.number
"""
POSITION = "SELECT position FROM decision_files WHERE file = ?"
MOVE = """
    INSERT INTO decision_files (file, position, at) VALUES (?, ?, ?)
    ON CONFLICT (file) DO UPDATE SET position = excluded.position, at = excluded.at
"""
POSITIONS = "SELECT file, position FROM decision_files WHERE file IN (SELECT value FROM json_each(:files))"
HAS_ID = "SELECT 1 FROM decisions WHERE token_id = :token LIMIT 1"
BY_IDS = "\nUNION ".join(
    f"SELECT at_us, seq, tenant, record FROM decisions WHERE {name} IN (SELECT value FROM json_each(:ids))"
    for name in ("decision_id", "request_id", "task_id", "alert_id")
)
FIND = f"""
    SELECT record FROM ({BY_IDS}) WHERE :tenant IS NULL OR tenant = :tenant ORDER BY at_us, seq LIMIT :limit
"""
COUNTS = """
    SELECT day, route, entity, action, sum(number) FROM decision_counts
    WHERE day BETWEEN :first AND :last AND route NOT LIKE '#%' AND (:tenant IS NULL OR tenant = :tenant)
    GROUP BY day, route, entity, action
"""
HITS = """
    SELECT entity, sum(number) FROM decision_counts
    WHERE day BETWEEN :first AND :last AND route = :route AND (:tenant IS NULL OR tenant = :tenant) GROUP BY entity
"""
OLD = "SELECT seq FROM decisions WHERE at_us < ? ORDER BY at_us LIMIT ?"
HAS_OLD = """
    SELECT * FROM (SELECT 1 FROM decisions WHERE at_us < :at_us LIMIT 1)
    UNION ALL SELECT * FROM (SELECT 1 FROM decision_counts WHERE day < :day LIMIT 1)
"""
# Reads run on the event loop: counts of so many days are read at once.
DAYS_AT_ONCE = 7
DIALECT = DecisionDialect("", ":p{}".format)


class SqliteDecisionStore:
    """Decisions in tables beside the entries."""

    def __init__(self, file: SqliteFile, keep_days: int) -> None:
        self._file = file
        self._keep_days = keep_days

    async def prepare(self) -> None:
        """Create missing tables and indexes."""
        await self._file.change(lambda connection: [connection.execute(statement) for statement in DECISION_TABLES])

    async def add(self, batch: DecisionBatch) -> int:
        """Record a batch if it goes on where its file was recorded to; return how far it is recorded."""
        rows = [(_row(record), record) for record in batch.decisions]

        def record(connection: sqlite3.Connection) -> int:
            found = connection.execute(POSITION, (batch.file,)).fetchone()
            position = 0 if found is None else int(found[0])
            if position != batch.start:
                return position
            added = [record for row, record in rows if _add(connection, row, record)]
            counts = tally(added, batch.clean)
            connection.executemany(ADD_COUNT, [(*key, number) for key, number in counts.items()])
            connection.execute(MOVE, (batch.file, batch.end, time.time()))
            return batch.end

        return await self._file.change(record)

    async def positions(self, files: Sequence[str]) -> Mapping[str, int]:
        """Return how far each of the files was recorded."""
        return dict(self._file.query(POSITIONS, {"files": orjson.dumps(files).decode()}))

    async def page(self, wanted: DecisionFilter, limit: int, cursor: str | None) -> DecisionPage:
        """Return decisions, the newest first."""
        is_id = wanted.token is None or bool(self._file.query(HAS_ID, {"token": wanted.token}))
        conditions = conditions_of(wanted, "token_id" if is_id else "token_name")
        since_us, before = range_of(wanted, cursor)
        return await find_page(DecisionStatements(DIALECT, conditions, since_us), self._read, before, limit)

    async def _read(self, statement: Statement) -> list[Row]:
        given = {f"p{number}": value for number, value in enumerate(statement.parameters, 1)}
        return self._file.query(statement.text, given)

    async def find(self, ids: Sequence[str], tenant: str | None, limit: int) -> list[DecisionRecord]:
        """Return the decisions that have one of these ids, or whose request, task or alert has."""
        given = {"ids": orjson.dumps(ids).decode(), "tenant": tenant, "limit": limit}
        return [DecisionRecord.model_validate_json(row[0]) for row in self._file.query(FIND, given)]

    async def counts(self, first: date, last: date, tenant: str | None) -> list[DecisionCount]:
        """Return the counts of these days."""
        found: list[DecisionCount] = []
        for days in _spans(first, last):
            found += self._file.examine(COUNTS, {**days, "tenant": tenant}, summarize)
            await asyncio.sleep(0)
        return found

    async def hits(self, kind: HitKind, first: date, last: date, tenant: str | None) -> dict[str, int]:
        """Return in how many decisions of these days each rule decided, or each allowance applied, by its id."""
        found: Counter[str] = Counter()
        for days in _spans(first, last):
            given = {**days, "tenant": tenant, "route": route_of_hits(kind)}
            found.update(dict(self._file.query(HITS, given)))
            await asyncio.sleep(0)
        return dict(found)

    async def sweep(self, limit: int) -> int:
        """Remove old decisions, and counts that are older still."""
        cutoffs = Cutoffs.now(self._keep_days)
        # Usually there is nothing, and to see that needs no transaction.
        if not self._file.query(HAS_OLD, {"at_us": cutoffs.decisions_us, "day": cutoffs.counts_day}):
            return 0

        def remove(connection: sqlite3.Connection) -> int:
            rows = connection.execute(OLD, (cutoffs.decisions_us, limit)).fetchall()
            for (seq,) in rows:
                _remove(connection, seq)
            connection.execute("DELETE FROM decision_counts WHERE day < ?", (cutoffs.counts_day,))
            connection.execute("DELETE FROM decision_files WHERE at < ?", (cutoffs.files_s,))
            return len(rows)

        return await self._file.change(remove)


def _spans(first: date, last: date) -> Iterator[dict[str, str]]:
    # As numbers of days: the calendar ends with the year 9999, and a day after the last one would be none.
    end = last.toordinal() + 1
    for start in range(first.toordinal(), end, DAYS_AT_ONCE):
        until = date.fromordinal(min(start + DAYS_AT_ONCE, end) - 1)
        yield {"first": date.fromordinal(start).isoformat(), "last": until.isoformat()}


def _row(record: DecisionRecord) -> tuple[Any, ...]:
    return (
        *(record.decision_id, record.at_us, record.tenant, record.token_id, record.token_name, record.route),
        *(record.action, record.outcome, record.request_id, record.task_id, record.alert_id),
        record.model_dump_json(exclude_none=True),
    )


def _add(connection: sqlite3.Connection, row: tuple[Any, ...], record: DecisionRecord) -> bool:
    cursor = connection.execute(ADD, row)
    if cursor.rowcount:
        seq = cursor.lastrowid
        connection.executemany(ADD_ENTITY, [(entity, record.at_us, seq) for entity in record.entities])
    return bool(cursor.rowcount)


def _remove(connection: sqlite3.Connection, seq: int) -> None:
    (text,) = connection.execute("DELETE FROM decisions WHERE seq = ? RETURNING record", (seq,)).fetchone()
    record = DecisionRecord.model_validate_json(text)
    given = [(entity, record.at_us, seq) for entity in record.entities]
    connection.executemany("DELETE FROM decision_entities WHERE entity = ? AND at_us = ? AND seq = ?", given)


def build(store: Store, keep_days: int) -> SqliteDecisionStore:
    """Return the decisions in the file of `store`."""
    file = store.task_file if isinstance(store, DynamoDbStore) else cast(SqliteStore, store).file
    return SqliteDecisionStore(file, keep_days)


DECISIONS = DecisionStoreKind((SqliteStore, DynamoDbStore), build)
