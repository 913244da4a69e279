"""The database of alerts: its tables, and how a connection is opened."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vestibule.runtime.files import change_alone

# Within this time another process has long finished its commit; a caller waits no longer for its alert.
LOCK_TIMEOUT_S = 0.3

SCHEMA = """
    CREATE TABLE alerts (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        time_us INTEGER NOT NULL,
        type TEXT NOT NULL,
        severity TEXT NOT NULL,
        description TEXT NOT NULL,
        service TEXT NOT NULL,
        entities TEXT NOT NULL,
        fingerprint TEXT,
        request_id TEXT,
        token_id TEXT,
        group_id TEXT,
        subject TEXT
    ) STRICT;
    CREATE INDEX leaks_by_token ON alerts (token_id, time_us)
        WHERE token_id IS NOT NULL AND type IN ('PersonalData', 'Secret');

    -- A group has the id of its first alert.
    CREATE TABLE groups (
        id TEXT PRIMARY KEY,
        type TEXT NOT NULL,
        token_id TEXT,
        severity TEXT NOT NULL,
        entities TEXT NOT NULL,
        first_us INTEGER NOT NULL,
        last_us INTEGER NOT NULL,
        count INTEGER NOT NULL,
        state TEXT NOT NULL DEFAULT 'open',
        state_by TEXT,
        state_reason TEXT,
        state_us INTEGER,
        notified_severity TEXT,
        notice_since_us INTEGER,
        due_us INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX groups_due ON groups (due_us) WHERE due_us IS NOT NULL;

    CREATE TABLE memberships (
        type TEXT NOT NULL,
        key TEXT NOT NULL,
        group_id TEXT NOT NULL,
        last_us INTEGER NOT NULL,
        PRIMARY KEY (type, key)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE deliveries (
        id INTEGER PRIMARY KEY,
        group_id TEXT NOT NULL,
        channel TEXT NOT NULL,
        event TEXT NOT NULL,
        severity TEXT NOT NULL,
        entities TEXT NOT NULL,
        last_us INTEGER NOT NULL,
        count INTEGER NOT NULL,
        created_us INTEGER NOT NULL,
        due_us INTEGER NOT NULL,
        state TEXT NOT NULL DEFAULT 'waiting',
        attempts INTEGER NOT NULL DEFAULT 0,
        error TEXT,
        groups INTEGER NOT NULL DEFAULT 1
    ) STRICT;
    CREATE INDEX deliveries_due ON deliveries (due_us) WHERE state = 'waiting';
    CREATE INDEX deliveries_by_group ON deliveries (group_id);

    CREATE TABLE silences (
        id TEXT PRIMARY KEY,
        type TEXT,
        token_id TEXT,
        entity TEXT,
        author TEXT NOT NULL,
        reason TEXT NOT NULL,
        from_us INTEGER NOT NULL,
        until_us INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""

# The file's own number for its tables. A later version may only add columns with a default: processes of both versions
# share the file while one version replaces the other.
VERSION = 1


def open_database(path: Path) -> sqlite3.Connection:
    """Return a connection to the record in `path`, which is made if need be, readable by its owner only.

    Raises:
        OSError: its folder cannot be written.
        sqlite3.Error: it cannot be opened.
    """
    # Of several processes that start at once, one makes the tables. change_alone makes the folder.
    with change_alone(path):
        # Before the first connection, since the files beside it get the mode that it has then.
        path.touch(mode=0o600)
        connection = sqlite3.connect(path, timeout=LOCK_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")  # a commit is on disk, not on its way there
            connection.execute("PRAGMA secure_delete = ON")
            _make_tables(connection)
        except sqlite3.Error:
            connection.close()
            raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Change the record as a whole or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _make_tables(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version < VERSION:
        connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
