"""The tables of the SQLite store, and the migration of older files."""

import sqlite3

from vestibule.contracts.identity import DEFAULT_TENANT, RESERVED
from vestibule.database_service.entries.tenant_view import tenant_prefix

VERSION_OF_SCHEMA = 2

# The row of a deleted or expired key stays without the value, so that its versions continue and no ETag is used twice;
# an expired one keeps its expiry. `change` numbers the changes of the whole file: each row has the number of its last
# change, so that an index scan finds all changes after a number.
TABLES = (
    """
    CREATE TABLE entries (
        key TEXT PRIMARY KEY,
        value TEXT,
        version INTEGER NOT NULL,
        written_at REAL NOT NULL,
        written_by TEXT,
        expires_at REAL,
        change INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX entries_expiry ON entries (expires_at) WHERE expires_at IS NOT NULL AND value IS NOT NULL",
    "CREATE INDEX entries_end ON entries (written_at) WHERE value IS NULL",
    "CREATE UNIQUE INDEX entries_change ON entries (change)",
    """
    CREATE TABLE history (
        key TEXT NOT NULL,
        version INTEGER NOT NULL,
        value TEXT NOT NULL,
        written_at REAL NOT NULL,
        written_by TEXT,
        expires_at REAL,
        PRIMARY KEY (key, version)
    ) STRICT, WITHOUT ROWID
    """,
    # The number of the last purged change, by the prefix of the purge.
    "CREATE TABLE purges (prefix TEXT PRIMARY KEY, change INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    # A position of another epoch, as from before a restore, is invalid.
    "CREATE TABLE epoch (id TEXT NOT NULL) STRICT",
    "INSERT INTO epoch (id) VALUES (lower(hex(randomblob(4))))",
)

NEW_EPOCH = "UPDATE epoch SET id = lower(hex(randomblob(4)))"

# Entries of a file without tenants belong to the default tenant.
TAKE_OVER = """
    INSERT INTO entries (key, value, version, written_at, expires_at, change)
    SELECT :start || key, value, version, written_at, expires_at, row_number() OVER (ORDER BY written_at) FROM entries_0
"""

# Triggers cost nothing where a key is written for the first time, and no second call from Python where it is not.
# They are temporary, since the number of versions is a setting. The entries of services have no history.
KEEP_EARLIER = """
    CREATE TEMP TRIGGER keep_earlier AFTER UPDATE OF version ON main.entries
    WHEN OLD.value IS NOT NULL AND (OLD.expires_at IS NULL OR OLD.expires_at > NEW.written_at)
        AND substr(OLD.key, 1, 1) <> '{reserved}'
    BEGIN
        INSERT INTO history (key, version, value, written_at, written_by, expires_at)
        VALUES (OLD.key, OLD.version, OLD.value, OLD.written_at, OLD.written_by, OLD.expires_at);
        DELETE FROM history WHERE key = OLD.key AND version <= OLD.version - {earlier};
    END
"""
END_HISTORY = """
    CREATE TEMP TRIGGER end_history AFTER UPDATE OF version, value ON main.entries
    WHEN NEW.value IS NULL OR (OLD.value IS NOT NULL AND OLD.expires_at <= NEW.written_at)
    BEGIN
        DELETE FROM history WHERE key = OLD.key;
    END
"""


def prepare(connection: sqlite3.Connection, keep_versions: int) -> None:
    """Create missing tables, and the triggers that keep the history of entries."""
    if _schema_of(connection) != VERSION_OF_SCHEMA:
        connection.execute("BEGIN IMMEDIATE")
        try:
            if _schema_of(connection) != VERSION_OF_SCHEMA:  # another may have been faster
                _make(connection)
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
    connection.execute(END_HISTORY)
    if keep_versions > 1:
        connection.execute(KEEP_EARLIER.format(earlier=keep_versions - 1, reserved=RESERVED))


def _schema_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _make(connection: sqlite3.Connection) -> None:
    columns = {column[1] for column in connection.execute("PRAGMA table_info(entries)")}
    if columns:
        connection.execute("ALTER TABLE entries RENAME TO entries_0")
        connection.execute("DROP INDEX IF EXISTS entries_expiry")
        if "expires_at" not in columns:
            connection.execute("ALTER TABLE entries_0 ADD COLUMN expires_at REAL")
    for statement in TABLES:
        connection.execute(statement)
    if columns:
        connection.execute(TAKE_OVER, {"start": tenant_prefix(DEFAULT_TENANT)})
        connection.execute("DROP TABLE entries_0")
    connection.execute(f"PRAGMA user_version = {VERSION_OF_SCHEMA}")
