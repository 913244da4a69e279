"""Counts the leaks of tokens: alerts about personal data and secrets in their requests."""

from collections.abc import Mapping
from datetime import datetime

from vestibule.alerts.store.database import to_us
from vestibule.alerts.store.reader import AlertReader

# As the index has it.
_LEAKS = """
    SELECT token_id, count(*) FROM alerts
    WHERE token_id IS NOT NULL AND type IN ('PersonalData', 'Secret') AND time_us >= ? GROUP BY token_id
"""


class LeakArchive(AlertReader):
    """Reads the alerts of all services of a host."""

    def count_by_token(self, since: datetime) -> Mapping[str, int]:
        """Return how many alerts about leaks each token has caused since then; those without any are missing.

        Raises:
            Unavailable: the store cannot be read.
        """
        return dict(self.query(_LEAKS, (to_us(since),)))
