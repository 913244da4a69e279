"""The tables of callers' tokens, and the function that changes one."""

from alembic import op

revision = "a6_tokens"
down_revision = "a5_tasks"

TABLES = """
CREATE TABLE vestibule.tokens (id text PRIMARY KEY COLLATE "C", change bigint NOT NULL, record text NOT NULL);
CREATE TABLE vestibule.token_changes (change bigint PRIMARY KEY, mark text NOT NULL, id text NOT NULL);
CREATE TABLE vestibule.token_uses (
    id text PRIMARY KEY, last_used_at double precision NOT NULL, refused bigint NOT NULL
);
CREATE INDEX token_uses_age ON vestibule.token_uses (last_used_at)
"""
# The lock makes numbers appear in their order: who has read one has read all before it.
FUNCTION = """
CREATE FUNCTION vestibule.replace_token(id_ text, record_ text, expected bigint, mark_ text, kept bigint)
RETURNS boolean LANGUAGE plpgsql AS $function$
DECLARE
    next_change bigint;
BEGIN
    LOCK TABLE vestibule.token_changes IN EXCLUSIVE MODE;
    IF (SELECT change FROM vestibule.tokens WHERE id = id_) IS DISTINCT FROM expected THEN
        RETURN false;
    END IF;
    next_change := coalesce((SELECT max(change) FROM vestibule.token_changes), 0) + 1;
    IF record_ IS NULL THEN
        DELETE FROM vestibule.tokens WHERE id = id_;
        DELETE FROM vestibule.token_uses WHERE id = id_;
    ELSE
        INSERT INTO vestibule.tokens AS t (id, change, record) VALUES (id_, next_change, record_)
            ON CONFLICT (id) DO UPDATE SET change = excluded.change, record = excluded.record;
    END IF;
    INSERT INTO vestibule.token_changes (change, mark, id) VALUES (next_change, mark_, id_);
    DELETE FROM vestibule.token_changes WHERE change <= next_change - kept;
    RETURN true;
END
$function$
"""


def upgrade() -> None:
    """Make the tables and the function."""
    for statement in TABLES.split(";\n"):
        op.execute(statement)
    op.execute(FUNCTION)
