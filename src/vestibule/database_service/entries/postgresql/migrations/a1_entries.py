"""The tables of entries and their history, and the functions that change them, a group in one transaction."""

from alembic import op

revision = "a1_entries"
down_revision = None

# The row of a deleted or expired key stays without the value, so that its versions continue and no ETag is used twice;
# an expired one keeps its expiry. `change` numbers the changes of all services in the order of their commits. Values
# are bytes, since text cannot hold NUL; they are encrypted, so compressing them saves nothing.
TABLES = (
    """
    CREATE TABLE vestibule.entries (
        key text COLLATE "C" PRIMARY KEY,
        value bytea,
        version bigint NOT NULL,
        written_at timestamptz NOT NULL,
        written_by text,
        expires_at timestamptz,
        change bigint NOT NULL UNIQUE
    ) WITH (autovacuum_vacuum_scale_factor = 0.05)
    """,
    "ALTER TABLE vestibule.entries ALTER COLUMN value SET STORAGE EXTERNAL",
    "CREATE INDEX entries_expiry ON vestibule.entries (expires_at) WHERE expires_at IS NOT NULL AND value IS NOT NULL",
    "CREATE INDEX entries_end ON vestibule.entries (written_at) WHERE value IS NULL",
    """
    CREATE TABLE vestibule.history (
        key text COLLATE "C" NOT NULL,
        version bigint NOT NULL,
        value bytea NOT NULL,
        written_at timestamptz NOT NULL,
        written_by text,
        expires_at timestamptz,
        PRIMARY KEY (key, version)
    ) WITH (autovacuum_vacuum_scale_factor = 0.05)
    """,
    "ALTER TABLE vestibule.history ALTER COLUMN value SET STORAGE EXTERNAL",
    # The number of the last purged change, by the prefix of the purge.
    'CREATE TABLE vestibule.purges (prefix text COLLATE "C" PRIMARY KEY, change bigint NOT NULL)',
    # A position of another epoch, as from before a restore, is invalid.
    "CREATE TABLE vestibule.epoch (id text NOT NULL)",
    "INSERT INTO vestibule.epoch (id) VALUES (left(md5(gen_random_uuid()::text), 8))",
)

# Versions as `,3,5,`; `*` means any, and NULL means `otherwise`.
IS_NAMED = """
    CREATE FUNCTION vestibule.is_named(versions text, version bigint, otherwise boolean) RETURNS boolean
    LANGUAGE sql IMMUTABLE RETURN CASE
        WHEN versions IS NULL THEN otherwise
        WHEN version IS NULL THEN false
        ELSE versions = '*' OR strpos(versions, ',' || version::text || ',') > 0
    END
"""

# One transaction at a time changes entries: no deadlocks, a condition sees every earlier change, two services never
# assign the same version, and changes are numbered in the order in which they become visible. An answer means that the
# change is on disk, whatever the settings of the server.
BEGIN_CHANGES = """
    CREATE FUNCTION vestibule.begin_changes(lock_timeout_ms integer) RETURNS bigint
    LANGUAGE plpgsql AS $function$
    BEGIN
        IF current_setting('synchronous_commit') = 'off' THEN
            PERFORM set_config('synchronous_commit', 'on', true);
        END IF;
        PERFORM set_config('lock_timeout', lock_timeout_ms::text, true);
        PERFORM pg_advisory_xact_lock(30309, 29556);
        RETURN coalesce((SELECT max(change) FROM vestibule.entries), 0);
    END
    $function$
"""

# Writes a value, and moves the value before into the history.
WRITE_ENTRY = """
    CREATE FUNCTION vestibule.write_entry(key_ text, value_ bytea, at_ timestamptz, by_ text, ends_ timestamptz,
        change_ bigint, earlier integer) RETURNS bigint
    LANGUAGE plpgsql AS $function$
    DECLARE
        old record;
    BEGIN
        SELECT version, value IS NOT NULL AS is_kept, coalesce(expires_at <= at_, false) AS has_expired INTO old
            FROM vestibule.entries WHERE key = key_;
        IF NOT FOUND THEN
            INSERT INTO vestibule.entries (key, value, version, written_at, written_by, expires_at, change)
                VALUES (key_, value_, 1, at_, by_, ends_, change_);
            RETURN 1;
        END IF;
        IF old.is_kept AND old.has_expired THEN
            DELETE FROM vestibule.history WHERE key = key_;
        ELSIF old.is_kept AND earlier > 0 THEN
            INSERT INTO vestibule.history (key, version, value, written_at, written_by, expires_at)
                SELECT key, version, value, written_at, written_by, expires_at FROM vestibule.entries WHERE key = key_;
            DELETE FROM vestibule.history WHERE key = key_ AND version <= old.version - earlier;
        END IF;
        UPDATE vestibule.entries SET value = value_, version = old.version + 1, written_at = at_, written_by = by_,
            expires_at = ends_, change = change_ WHERE key = key_;
        RETURN old.version + 1;
    END
    $function$
"""

# One round trip applies a whole group of changes, so a service that freezes midway holds no lock. Each statement in the
# function sees what was committed before the statement, so reads after the lock are current. Once a step of a change is
# refused, the remaining steps of that change are skipped.
APPLY_CHANGES = """
    CREATE FUNCTION vestibule.apply_changes(
        lock_timeout_ms integer, changes integer[], earlier integer[],
        actions text[], keys text[], contents bytea[], ends timestamptz[], authors text[],
        targets bigint[], matches text[], none_matches text[]
    ) RETURNS TABLE (step integer, is_refused boolean, version bigint)
    LANGUAGE plpgsql AS $function$
    #variable_conflict use_column
    DECLARE
        item record;
        refused integer;
        found_version bigint;
        last_change bigint := vestibule.begin_changes(lock_timeout_ms);
        moment timestamptz := clock_timestamp();
    BEGIN
        FOR item IN
            SELECT * FROM unnest(
                    changes, earlier, actions, keys, contents, ends, authors, targets, matches, none_matches
                ) WITH ORDINALITY
                AS t(change, earlier, action, key, content, ends_at, author, target, match, none_match, number)
        LOOP
            CONTINUE WHEN item.change = refused;
            found_version := NULL;
            IF item.match IS NOT NULL OR item.none_match IS NOT NULL THEN
                SELECT e.version INTO found_version FROM vestibule.entries e
                    WHERE e.key = item.key AND e.value IS NOT NULL AND (e.expires_at IS NULL OR e.expires_at > moment);
                IF NOT vestibule.is_named(item.match, found_version, true)
                    OR vestibule.is_named(item.none_match, found_version, false)
                THEN
                    refused := item.change;
                    RETURN QUERY SELECT item.number::integer, true, found_version;
                    CONTINUE;
                END IF;
                found_version := NULL;
            END IF;
            CASE item.action
                WHEN 'write' THEN
                    last_change := last_change + 1;
                    found_version := vestibule.write_entry(
                        item.key, item.content, moment, item.author, item.ends_at, last_change, item.earlier);
                WHEN 'delete' THEN
                    UPDATE vestibule.entries e SET value = NULL, written_at = moment, written_by = item.author,
                            expires_at = NULL, change = last_change + 1
                        WHERE e.key = item.key AND e.value IS NOT NULL
                            AND (e.expires_at IS NULL OR e.expires_at > moment)
                        RETURNING e.version INTO found_version;
                    IF found_version IS NOT NULL THEN
                        last_change := last_change + 1;
                        DELETE FROM vestibule.history h WHERE h.key = item.key;
                    END IF;
                WHEN 'replace' THEN
                    UPDATE vestibule.entries e SET value = item.content
                        WHERE e.key = item.key AND e.version = item.target AND e.value IS NOT NULL
                            AND (e.expires_at IS NULL OR e.expires_at > moment)
                        RETURNING e.version INTO found_version;
                    IF found_version IS NULL THEN
                        UPDATE vestibule.history h SET value = item.content
                            WHERE h.key = item.key AND h.version = item.target RETURNING h.version INTO found_version;
                    END IF;
                WHEN 'forget' THEN
                    DELETE FROM vestibule.history h WHERE h.key = item.key AND h.version = item.target
                        RETURNING h.version INTO found_version;
                WHEN 'check' THEN
                    CONTINUE;
            END CASE;
            RETURN QUERY SELECT item.number::integer, false, found_version;
        END LOOP;
    END
    $function$
"""
EXPIRE = """
    CREATE FUNCTION vestibule.expire_entries(lock_timeout_ms integer, at_most integer) RETURNS integer
    LANGUAGE plpgsql AS $function$
    DECLARE
        item record;
        last_change bigint;
        count integer := 0;
    BEGIN
        -- Usually there are none, and this check needs no lock.
        IF NOT EXISTS (
            SELECT FROM vestibule.entries WHERE value IS NOT NULL AND expires_at <= clock_timestamp()
        ) THEN
            RETURN 0;
        END IF;
        last_change := vestibule.begin_changes(lock_timeout_ms);
        FOR item IN
            SELECT e.key FROM vestibule.entries e WHERE e.value IS NOT NULL AND e.expires_at <= clock_timestamp()
                LIMIT at_most
        LOOP
            count := count + 1;
            UPDATE vestibule.entries SET value = NULL, written_at = expires_at, written_by = NULL,
                change = last_change + count WHERE key = item.key;
            DELETE FROM vestibule.history WHERE key = item.key;
        END LOOP;
        RETURN count;
    END
    $function$
"""
# The very last change stays, so that no number is used twice.
PURGE = """
    CREATE FUNCTION vestibule.purge_entries(lock_timeout_ms integer, start text, before timestamptz, at_most integer)
    RETURNS integer LANGUAGE plpgsql AS $function$
    DECLARE
        last_change bigint := vestibule.begin_changes(lock_timeout_ms);
        count integer;
        lost bigint;
    BEGIN
        WITH ended AS (
            DELETE FROM vestibule.entries WHERE key IN (
                SELECT e.key FROM vestibule.entries e
                WHERE e.value IS NULL AND e.written_at < before AND starts_with(e.key, start) AND e.change < last_change
                LIMIT at_most
            ) RETURNING change
        )
        SELECT count(*), max(change) INTO count, lost FROM ended;
        IF count > 0 THEN
            INSERT INTO vestibule.purges AS p (prefix, change) VALUES (start, lost)
                ON CONFLICT (prefix) DO UPDATE SET change = greatest(p.change, excluded.change);
        END IF;
        RETURN count;
    END
    $function$
"""


def upgrade() -> None:
    """Create the tables of entries and the functions that change them."""
    for statement in (*TABLES, IS_NAMED, BEGIN_CHANGES, WRITE_ENTRY, APPLY_CHANGES, EXPIRE, PURGE):
        op.execute(statement)
