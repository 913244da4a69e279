"""The tables, indexes and triggers of the alert store, and the changes of each of their versions."""

from vestibule.alerts.alert import AlertType

# Of malformed requests, which are many where a client is wrong, the first of each group is listed.
LISTED = f"(type != '{AlertType.INVALID_INPUT}' OR group_id IS NULL OR group_id = id)"

_TABLES = """
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
        subject TEXT,
        has_report INTEGER NOT NULL DEFAULT 1,
        tenant TEXT NOT NULL DEFAULT '~system',
        task_id TEXT,
        token_name TEXT
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
        due_us INTEGER,
        tenant TEXT NOT NULL DEFAULT '~system',
        token_name TEXT
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
        groups INTEGER NOT NULL DEFAULT 1,
        tried_us INTEGER
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
        until_us INTEGER NOT NULL,
        tenant TEXT NOT NULL DEFAULT '~system',
        alerts INTEGER NOT NULL DEFAULT 0,
        notifications INTEGER NOT NULL DEFAULT 0,
        changed_by TEXT,
        changed_reason TEXT,
        changed_us INTEGER
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE marks (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""

# What filters, histories and counts need. Triggers write the tables that follow from others, so that processes of
# an earlier version, which do not know them, keep them complete too.
_OF_NEW, _OF_OLD = (
    f"SELECT value FROM json_each('[' || replace(json_quote({row}.entities), ', ', '\",\"') || ']')"  # noqa: S608
    for row in ("NEW", "OLD")
)
# Of each group, this many changes of its state are kept.
MAX_CHANGES = 50
FILTERS = f"""
    CREATE INDEX alerts_by_time ON alerts (time_us) WHERE {LISTED};
    CREATE INDEX alerts_by_type ON alerts (type, time_us) WHERE {LISTED};
    CREATE INDEX alerts_by_severity ON alerts (severity, time_us) WHERE {LISTED};
    CREATE INDEX alerts_of_tenant ON alerts (tenant, time_us) WHERE {LISTED};
    CREATE INDEX alerts_by_token ON alerts (token_id, time_us) WHERE token_id IS NOT NULL AND {LISTED};
    CREATE INDEX alerts_by_group ON alerts (group_id, time_us) WHERE group_id IS NOT NULL AND {LISTED};
    CREATE INDEX alerts_by_request ON alerts (request_id) WHERE request_id IS NOT NULL;
    CREATE INDEX alerts_by_task ON alerts (task_id) WHERE task_id IS NOT NULL;

    CREATE TABLE alert_entities (
        entity TEXT NOT NULL,
        time_us INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        PRIMARY KEY (entity, time_us, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER alert_added AFTER INSERT ON alerts WHEN NEW.entities != '' BEGIN
        INSERT OR IGNORE INTO alert_entities (entity, time_us, seq)
        SELECT value, NEW.time_us, NEW.seq FROM ({_OF_NEW});
    END;
    CREATE TRIGGER alert_deleted AFTER DELETE ON alerts WHEN OLD.entities != '' BEGIN
        DELETE FROM alert_entities WHERE entity IN ({_OF_OLD})
        AND time_us = OLD.time_us AND seq = OLD.seq;
    END;

    CREATE INDEX groups_by_last ON groups (last_us);
    CREATE INDEX groups_by_state ON groups (state, last_us);
    CREATE INDEX groups_by_type ON groups (type, last_us);
    CREATE INDEX groups_by_severity ON groups (severity, last_us);
    CREATE INDEX groups_of_tenant ON groups (tenant, last_us);
    CREATE INDEX groups_by_token ON groups (token_id, last_us) WHERE token_id IS NOT NULL;

    CREATE TABLE group_entities (
        entity TEXT NOT NULL,
        group_id TEXT NOT NULL,
        PRIMARY KEY (entity, group_id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE group_changes (
        id INTEGER PRIMARY KEY,
        group_id TEXT NOT NULL,
        at_us INTEGER NOT NULL,
        state TEXT NOT NULL,
        author TEXT,
        reason TEXT
    ) STRICT;
    CREATE INDEX changes_of_group ON group_changes (group_id);
    -- Which silence held back which notification.
    CREATE TABLE silenced (
        group_id TEXT NOT NULL,
        silence_id TEXT NOT NULL,
        event TEXT NOT NULL,
        at_us INTEGER NOT NULL,
        PRIMARY KEY (group_id, silence_id, event)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX silenced_by_silence ON silenced (silence_id);
    CREATE INDEX silences_by_end ON silences (until_us);

    CREATE TRIGGER group_added AFTER INSERT ON groups BEGIN
        UPDATE groups SET tenant = coalesce((SELECT tenant FROM alerts WHERE id = NEW.id), NEW.tenant),
        token_name = (SELECT token_name FROM alerts WHERE id = NEW.id) WHERE id = NEW.id;
        INSERT OR IGNORE INTO group_entities (entity, group_id)
        SELECT value, NEW.id FROM ({_OF_NEW}) WHERE NEW.entities != '';
    END;
    CREATE TRIGGER group_joined AFTER UPDATE OF entities ON groups WHEN NEW.entities != OLD.entities BEGIN
        INSERT OR IGNORE INTO group_entities (entity, group_id)
        SELECT value, NEW.id FROM ({_OF_NEW}) WHERE NEW.entities != '';
    END;
    CREATE TRIGGER group_changed AFTER UPDATE OF state_us ON groups
    WHEN NEW.state_us IS NOT NULL AND NEW.state_us IS NOT OLD.state_us BEGIN
        INSERT INTO group_changes (group_id, at_us, state, author, reason)
        VALUES (NEW.id, NEW.state_us, NEW.state, NEW.state_by, NEW.state_reason);
        DELETE FROM group_changes WHERE group_id = NEW.id AND id NOT IN (
            SELECT id FROM group_changes WHERE group_id = NEW.id ORDER BY id DESC LIMIT {MAX_CHANGES}
        );
    END;
    CREATE TRIGGER group_deleted AFTER DELETE ON groups BEGIN
        DELETE FROM group_entities WHERE group_id = OLD.id
        AND entity IN ({_OF_OLD});
        DELETE FROM group_changes WHERE group_id = OLD.id;
        DELETE FROM silenced WHERE group_id = OLD.id;
    END;

    CREATE INDEX deliveries_of_channel ON deliveries (channel) WHERE state = 'waiting';
    CREATE TABLE channel_states (
        channel TEXT PRIMARY KEY,
        delivered_us INTEGER,
        failed_us INTEGER,
        error TEXT
    ) STRICT, WITHOUT ROWID;
"""  # noqa: S608
SCHEMA = _TABLES + FILTERS

# What was there before version 5 gets what its columns, tables and triggers would have written.
_TAKE_OVER = f"""
    ALTER TABLE alerts ADD COLUMN token_name TEXT;
    ALTER TABLE groups ADD COLUMN tenant TEXT NOT NULL DEFAULT '~system';
    ALTER TABLE groups ADD COLUMN token_name TEXT;
    ALTER TABLE deliveries ADD COLUMN tried_us INTEGER;
    ALTER TABLE silences ADD COLUMN alerts INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE silences ADD COLUMN notifications INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE silences ADD COLUMN changed_by TEXT;
    ALTER TABLE silences ADD COLUMN changed_reason TEXT;
    ALTER TABLE silences ADD COLUMN changed_us INTEGER;
    DROP INDEX alerts_by_tenant;
    UPDATE groups SET tenant = coalesce((SELECT tenant FROM alerts WHERE alerts.id = groups.id), '~system');
    {FILTERS}
    INSERT OR IGNORE INTO alert_entities (entity, time_us, seq)
    SELECT one.value, alerts.time_us, alerts.seq FROM alerts,
    json_each('[' || replace(json_quote(alerts.entities), ', ', '","') || ']') one WHERE alerts.entities != '';
    INSERT OR IGNORE INTO group_entities (entity, group_id)
    SELECT one.value, groups.id FROM groups,
    json_each('[' || replace(json_quote(groups.entities), ', ', '","') || ']') one WHERE groups.entities != '';
    INSERT INTO group_changes (group_id, at_us, state, author, reason)
    SELECT id, state_us, state, state_by, state_reason FROM groups WHERE state_us IS NOT NULL;
"""  # noqa: S608

# The changes of each version of the tables after the first. A later version may only add columns with a default,
# indexes, triggers, and tables that processes of an earlier one need not write: processes of both versions share the
# file while one version replaces the other.
CHANGES = (
    "ALTER TABLE alerts ADD COLUMN has_report INTEGER NOT NULL DEFAULT 1;",
    "ALTER TABLE alerts ADD COLUMN tenant TEXT NOT NULL DEFAULT '~system';"
    "CREATE INDEX alerts_by_tenant ON alerts (tenant);"
    "ALTER TABLE silences ADD COLUMN tenant TEXT NOT NULL DEFAULT '~system';",
    "ALTER TABLE alerts ADD COLUMN task_id TEXT;",
    _TAKE_OVER,
)
VERSION = len(CHANGES) + 1
