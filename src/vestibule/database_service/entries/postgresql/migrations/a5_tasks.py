"""What people ask of tasks: filters, counts, attempts and events; the SQL is in `a5_tasks.sql`."""

from pathlib import Path

from alembic import op

from vestibule.contracts.tasks import CAUSES, Cause

revision = "a5_tasks"
down_revision = "a4_decisions"

KINDS = " ".join(f"WHEN '{kind}' THEN '{cause}'" for kind, cause in CAUSES.items())
# An error is a kind, which may have a cause after a colon.
SET_CAUSES = f"""
    UPDATE vestibule.tasks SET cause = coalesce(
        nullif(split_part(error, ':', 2), ''), CASE split_part(error, ':', 1) {KINDS} ELSE '{Cause.PROCESSOR_ERROR}' END
    ) WHERE error IS NOT NULL
"""  # noqa: S608 - constants


def upgrade() -> None:
    """Add them, and replace the functions that change tasks."""
    op.execute((Path(__file__).parent / "a5_tasks.sql").read_text())
    op.execute(SET_CAUSES)
