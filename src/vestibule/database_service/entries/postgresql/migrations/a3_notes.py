"""A check of the last version of a key, so that a note can contain versions before they are assigned."""

from alembic import op

from vestibule.database_service.entries.postgresql.migrations.a1_entries import APPLY_CHANGES

revision = "a3_notes"
down_revision = "a2_tasks"

# A key that never existed has the version 0; a deleted or expired one has its last version.
CHECK_LAST_VERSION = """
            IF item.action = 'check' AND item.target IS NOT NULL AND item.target <>
                coalesce((SELECT e.version FROM vestibule.entries e WHERE e.key = item.key), 0)
            THEN
                refused := item.change;
                RETURN QUERY SELECT item.number::integer, true, NULL::bigint;
                CONTINUE;
            END IF;
"""
BEFORE = "            CASE item.action\n"


def upgrade() -> None:
    """Replace the function that applies changes with one that has the check."""
    beginning, _, rest = APPLY_CHANGES.partition(BEFORE)
    function = beginning + CHECK_LAST_VERSION + BEFORE + rest
    op.execute(function.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))
