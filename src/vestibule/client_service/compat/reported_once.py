"""What is said once: an alert for what a token does for the first time, and none for what it does again."""

from collections import Counter
from collections.abc import Hashable

from vestibule.alerts import AlertEngine, AlertType, current_origin

# What alerts were raised about, with its token. Beyond them nothing new is said.
MOST_REPORTED = 10_000
# A client does the same few things. One that makes up others keeps no other from being reported.
MOST_REPORTED_PER_TOKEN = 20


class ReportedOnce:
    """Raises alerts of the type `InvalidInput`, one for each token and subject."""

    def __init__(self, alerts: AlertEngine) -> None:
        self._alerts = alerts
        self._reported: set[tuple[str, Hashable]] = set()
        self._by_token: Counter[str] = Counter()

    async def report(self, token_id: str, subject: Hashable, description: str) -> None:
        """Raise an alert with a description, unless the token was reported for the subject before."""
        if (token_id, subject) in self._reported or len(self._reported) >= MOST_REPORTED:
            return
        if self._by_token.get(token_id, 0) >= MOST_REPORTED_PER_TOKEN:
            return
        self._reported.add((token_id, subject))
        self._by_token[token_id] += 1
        await self._alerts.raise_alert(AlertType.INVALID_INPUT, description, **current_origin())
