"""The register of tokens in a SQLite file: that of the entries, or beside a DynamoDB store."""

import json
import secrets
import sqlite3
import time
from collections.abc import Sequence
from typing import cast

from vestibule.contracts.tokens import TokenUse
from vestibule.database_service.entries.sqlite.database import SqliteFile
from vestibule.database_service.entries.store import Store
from vestibule.database_service.entries.stores.dynamodb import DynamoDbStore
from vestibule.database_service.entries.stores.sqlite import SqliteStore
from vestibule.database_service.tokens.register import (
    CHANGES_KEPT,
    USES_KEPT_S,
    ChangedRows,
    RegisterKind,
    TokenRow,
    parse_position,
)

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS tokens (id TEXT PRIMARY KEY, change INTEGER NOT NULL, record TEXT NOT NULL) STRICT",
    """
    CREATE TABLE IF NOT EXISTS token_changes (
        change INTEGER PRIMARY KEY, mark TEXT NOT NULL, id TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE IF NOT EXISTS token_uses (
        id TEXT PRIMARY KEY, last_used_at REAL NOT NULL, refused INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX IF NOT EXISTS token_uses_age ON token_uses (last_used_at)",
)
POSITION = "SELECT change, mark FROM token_changes ORDER BY change DESC LIMIT 1"
OLDEST = "SELECT min(change) FROM token_changes"
PAGE = "SELECT id, change, record FROM tokens WHERE id > :after ORDER BY id LIMIT :limit"
HAS_CHANGE = "SELECT 1 FROM token_changes WHERE change = :change AND mark = :mark"
CHANGES = "SELECT change, mark, id FROM token_changes WHERE change > :change ORDER BY change LIMIT :limit"
FIND = "SELECT id, change, record FROM tokens WHERE id IN (SELECT value FROM json_each(:ids))"
WRITE = """
    INSERT INTO tokens (id, change, record) VALUES (?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET change = excluded.change, record = excluded.record
"""
LOG_CHANGE = "INSERT INTO token_changes (change, mark, id) VALUES (?, ?, ?)"
FORGET_CHANGES = "DELETE FROM token_changes WHERE change <= ?"
REENCRYPT = "UPDATE tokens SET record = ? WHERE id = ? AND change = ? AND record = ?"
NOTE_USE = """
    INSERT INTO token_uses (id, last_used_at, refused) VALUES (?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET
        last_used_at = max(last_used_at, excluded.last_used_at), refused = refused + excluded.refused
"""
FORGET_USES = "DELETE FROM token_uses WHERE last_used_at < ?"
FIND_USES = "SELECT id, last_used_at, refused FROM token_uses WHERE id IN (SELECT value FROM json_each(:ids))"


class SqliteTokenRegister:
    """Tokens in tables beside the entries."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def prepare(self) -> None:
        """Create the tables where they are missing."""
        await self._file.change(lambda connection: [connection.execute(statement) for statement in SCHEMA])

    async def position(self) -> str:
        """Return the position of the last change."""
        rows = self._file.query(POSITION, {})
        return f"{rows[0][0]}.{rows[0][1]}" if rows else "0."

    async def page(self, limit: int, after: str | None) -> list[TokenRow]:
        """Return at most `limit` tokens whose ids are after `after`, in that order."""
        return [TokenRow(*row) for row in self._file.query(PAGE, {"after": after or "", "limit": limit})]

    async def changes(self, position: str, limit: int) -> ChangedRows | None:
        """Return what at most `limit` changes after `position` have led to; None if it is no position of this log."""
        number, mark = parse_position(position)
        if number == 0:
            is_known = (self._file.query(OLDEST, {})[0][0] or 1) == 1
        else:
            is_known = bool(self._file.query(HAS_CHANGE, {"change": number, "mark": mark}))
        if not is_known:
            return None
        logged = self._file.query(CHANGES, {"change": number, "limit": limit})
        if not logged:
            return ChangedRows(position, [], [], has_more=False)
        ids = {row[2] for row in logged}
        rows = [TokenRow(*row) for row in self._file.query(FIND, {"ids": json.dumps(sorted(ids))})]
        gone = ids - {row.id for row in rows}
        return ChangedRows(f"{logged[-1][0]}.{logged[-1][1]}", rows, sorted(gone), has_more=len(logged) == limit)

    async def replace(self, token_id: str, record: str | None, expected: int | None) -> bool:
        """Write the record of a token, or remove it with its use, if its last change is `expected`; say whether."""
        return await self._file.change(lambda connection: _replace(connection, token_id, record, expected))

    async def reencrypt(self, row: TokenRow, record: str) -> bool:
        """Write the same token encrypted anew, unless it has changed meanwhile."""
        parameters = (record, row.id, row.change, row.record)
        return await self._file.change(lambda connection: connection.execute(REENCRYPT, parameters).rowcount > 0)

    async def note_uses(self, uses: Sequence[TokenUse]) -> None:
        """Add to the uses of tokens."""
        rows = [(one.id, one.last_used_at, one.refused) for one in uses]

        def note(connection: sqlite3.Connection) -> None:
            connection.executemany(NOTE_USE, rows)
            connection.execute(FORGET_USES, (time.time() - USES_KEPT_S,))

        await self._file.change(note)

    async def find_uses(self, token_ids: Sequence[str]) -> list[TokenUse]:
        """Return the uses of those of the tokens that have some."""
        rows = self._file.query(FIND_USES, {"ids": json.dumps(list(token_ids))})
        return [TokenUse(id=row[0], last_used_at=row[1], refused=row[2]) for row in rows]


def _replace(connection: sqlite3.Connection, token_id: str, record: str | None, expected: int | None) -> bool:
    known = connection.execute("SELECT change FROM tokens WHERE id = ?", (token_id,)).fetchone()
    if (None if known is None else known[0]) != expected:
        return False
    # The log keeps its newest rows, so a number is not used twice.
    change = (connection.execute("SELECT max(change) FROM token_changes").fetchone()[0] or 0) + 1
    if record is None:
        connection.execute("DELETE FROM tokens WHERE id = ?", (token_id,))
        connection.execute("DELETE FROM token_uses WHERE id = ?", (token_id,))
    else:
        connection.execute(WRITE, (token_id, change, record))
    connection.execute(LOG_CHANGE, (change, secrets.token_hex(8), token_id))
    connection.execute(FORGET_CHANGES, (change - CHANGES_KEPT,))
    return True


def build(store: Store) -> SqliteTokenRegister:
    """Return the register in the file of `store`."""
    return SqliteTokenRegister(store.task_file if isinstance(store, DynamoDbStore) else cast(SqliteStore, store).file)


REGISTER = RegisterKind((SqliteStore, DynamoDbStore), build)
