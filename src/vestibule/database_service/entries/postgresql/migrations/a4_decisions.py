"""The decisions of the policy; the SQL is in `a4_decisions.sql`."""

from pathlib import Path

from alembic import op

revision = "a4_decisions"
down_revision = "a3_erasure"


def upgrade() -> None:
    """Make the tables and functions."""
    op.execute((Path(__file__).parent / "a4_decisions.sql").read_text())
