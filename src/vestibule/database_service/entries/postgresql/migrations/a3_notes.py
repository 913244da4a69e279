"""A check of the version that a key had last, so that a note of the versions of others can be made before they are."""

from alembic import op

from vestibule.database_service.entries.postgresql.migrations.a1_entries import APPLY_CHANGES

revision = "a3_notes"
down_revision = "a2_tasks"

# A key that was never there has had the version 0; one that was deleted or has expired has its last.
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
    """Put the function that applies changes in place of the one without the check; services of before call it alike."""
    beginning, _, rest = APPLY_CHANGES.partition(BEFORE)
    function = beginning + CHECK_LAST_VERSION + BEFORE + rest
    op.execute(function.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))
