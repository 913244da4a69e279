"""The audit; the SQL is in `a7_audit.sql`."""

from pathlib import Path

from alembic import op

revision = "a7_audit"
down_revision = "a6_tokens"


def upgrade() -> None:
    """Make the tables and functions."""
    op.execute((Path(__file__).parent / "a7_audit.sql").read_text())
