"""The tables of the first version, and the functions that change them; the SQL is in the files `a1_*.sql`."""

from pathlib import Path

from alembic import op

revision = "a1_initial"
down_revision = None

FILES = ("a1_entries.sql", "a1_tasks.sql")


def upgrade() -> None:
    """Make the tables and functions."""
    for name in FILES:
        op.execute((Path(__file__).parent / name).read_text())
