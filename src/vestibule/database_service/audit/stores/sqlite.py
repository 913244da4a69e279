"""The audit in a SQLite file: that of the entries, or beside a DynamoDB store."""

import sqlite3
from collections.abc import Sequence
from typing import cast

import orjson

from vestibule.contracts.audit import NO_HASH, Act, AuditHead, AuditPage, AuditQuery, AuditRecord, canonical, hash_of
from vestibule.database_service.audit.audit_store import AuditStoreKind, conditions_of, page_of
from vestibule.database_service.entries.sqlite.database import SqliteFile
from vestibule.database_service.entries.store import Store
from vestibule.database_service.entries.stores.dynamodb import DynamoDbStore
from vestibule.database_service.entries.stores.sqlite import SqliteStore

# `record` is the whole act as canonical JSON, without its reason; the other columns are those that filters use.
AUDIT_TABLES = (
    """
    CREATE TABLE IF NOT EXISTS audit (
        seq INTEGER PRIMARY KEY,
        previous TEXT NOT NULL,
        hash TEXT NOT NULL,
        record TEXT NOT NULL,
        act_id TEXT NOT NULL,
        outcome TEXT NOT NULL,
        act TEXT NOT NULL,
        at_us INTEGER NOT NULL,
        tenant TEXT NOT NULL,
        token_id TEXT,
        token_name TEXT,
        UNIQUE (act_id, outcome)
    ) STRICT
    """,
    "CREATE INDEX IF NOT EXISTS audit_time ON audit (at_us)",
    "CREATE INDEX IF NOT EXISTS audit_act ON audit (act, seq)",
    "CREATE INDEX IF NOT EXISTS audit_tenant ON audit (tenant, seq)",
    """
    CREATE TABLE IF NOT EXISTS audit_reasons (
        seq INTEGER PRIMARY KEY, reason TEXT NOT NULL, salt TEXT NOT NULL, tenant TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX IF NOT EXISTS audit_reasons_tenant ON audit_reasons (tenant, seq)",
    *(
        f"CREATE TRIGGER IF NOT EXISTS audit_no_{verb} BEFORE {verb} ON audit"
        " BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
        for verb in ("update", "delete")
    ),
)
HEAD = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1"
IS_KNOWN = "SELECT 1 FROM audit WHERE act_id = ? AND outcome = ?"
POLICY = "SELECT json_extract(record, '$.after') FROM audit WHERE act = ? ORDER BY seq DESC LIMIT 1"
ADD = """
    INSERT INTO audit (seq, previous, hash, record, act_id, outcome, act, at_us, tenant, token_id, token_name)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
ADD_REASON = "INSERT OR REPLACE INTO audit_reasons (seq, reason, salt, tenant) VALUES (?, ?, ?, ?)"
LINES = (
    "SELECT a.seq, a.previous, a.hash, a.record, r.reason, r.salt FROM audit a LEFT JOIN audit_reasons r USING (seq) "
)
REASONS = "SELECT seq, reason FROM audit_reasons WHERE tenant = ? AND seq > ? ORDER BY seq LIMIT ?"
ERASE = "DELETE FROM audit_reasons WHERE seq = ?"


class SqliteAuditStore:
    """The audit in tables beside the entries; the one writer of the file adds the lines."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def prepare(self) -> None:
        """Create missing tables, indexes and triggers."""
        await self._file.change(lambda connection: [connection.execute(statement) for statement in AUDIT_TABLES])

    async def add(self, records: Sequence[AuditRecord]) -> int:
        """Add a line for each act that has none with this outcome."""
        rows = [(record, canonical(record)) for record in records]
        return await self._file.change(lambda connection: sum(_add(connection, *row) for row in rows))

    async def page(self, query: AuditQuery) -> AuditPage:
        """Return lines in the order that is asked for."""
        ending, values = conditions_of(query, "?{}".format, "a.tenant IN (SELECT value FROM json_each({}))")
        given = [orjson.dumps(value).decode() if isinstance(value, list) else value for value in values]
        return page_of(self._file.query(LINES + ending, given), query.limit)

    async def head(self) -> AuditHead:
        """Return the last line."""
        for seq, line_hash in self._file.query(HEAD, ()):
            return AuditHead(seq=seq, hash=line_hash)
        return AuditHead(seq=0, hash=NO_HASH)

    async def reasons(self, tenant: str, after: int, limit: int) -> list[tuple[int, str]]:
        """Return reasons of a tenant."""
        return [(row[0], row[1]) for row in self._file.query(REASONS, (tenant, after, limit))]

    async def erase_reasons(self, numbers: Sequence[int]) -> int:
        """Erase reasons."""
        given = [(number,) for number in numbers]
        return await self._file.change(lambda connection: connection.executemany(ERASE, given).rowcount)


def _add(connection: sqlite3.Connection, record: AuditRecord, text: str) -> int:
    if connection.execute(IS_KNOWN, (record.act_id, record.outcome.value)).fetchone():
        return 0
    if record.act == Act.POLICY_CHANGED and connection.execute(POLICY, (record.act,)).fetchone() == (record.after,):
        return 0
    last, previous = connection.execute(HEAD).fetchone() or (0, NO_HASH)
    seq = last + 1
    line = (seq, previous, hash_of(previous, seq, text), text, record.act_id, record.outcome.value)
    connection.execute(ADD, (*line, record.act, record.at_us, record.tenant, record.token_id, record.token_name))
    if record.reason is not None:
        connection.execute(ADD_REASON, (seq, record.reason, record.reason_salt, record.tenant))
    return 1


def build(store: Store) -> SqliteAuditStore:
    """Return the audit in the file of `store`."""
    file = store.task_file if isinstance(store, DynamoDbStore) else cast(SqliteStore, store).file
    return SqliteAuditStore(file)


AUDIT = AuditStoreKind((SqliteStore, DynamoDbStore), build)
