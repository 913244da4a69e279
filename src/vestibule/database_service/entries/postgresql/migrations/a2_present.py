"""An index of the keys that have a value: of those that have ended there may be many more."""

from alembic import op

revision = "a2_present"
down_revision = "a1_initial"


def upgrade() -> None:
    """Make the index, which lists of keys read."""
    op.execute("CREATE INDEX entries_present ON vestibule.entries (key) INCLUDE (expires_at) WHERE value IS NOT NULL")
