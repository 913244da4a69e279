"""A function that removes all that is known of a key, for the erasure of data subjects."""

from alembic import op

revision = "a3_erasure"
down_revision = "a2_present"

# The change of the erasure is later than all others, and that of the marker: no number is given twice.
FUNCTION = """
CREATE OR REPLACE FUNCTION vestibule.erase_entry(lock_timeout_ms integer, key_ text, start text, marker text)
RETURNS boolean LANGUAGE plpgsql AS $function$
DECLARE
    next_change bigint := vestibule.begin_changes(lock_timeout_ms) + 1;
BEGIN
    DELETE FROM vestibule.history WHERE key = key_;
    DELETE FROM vestibule.entries WHERE key = key_;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO vestibule.entries AS e (key, version, written_at, change)
        VALUES (marker, 1, clock_timestamp(), next_change)
        ON CONFLICT (key) DO UPDATE SET written_at = excluded.written_at, change = excluded.change;
    INSERT INTO vestibule.purges AS p (prefix, change) VALUES (start, next_change)
        ON CONFLICT (prefix) DO UPDATE SET change = greatest(p.change, excluded.change);
    RETURN true;
END
$function$
"""


def upgrade() -> None:
    """Make the function."""
    op.execute(FUNCTION)
