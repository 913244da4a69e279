"""When each token was last used, and how many of its requests were refused; noted in batches, never by a request."""

import time
from collections.abc import Callable, Sequence

from vestibule.contracts.tokens import TokenUse


class TokenUseLog:
    """What has happened since it was last taken. Ids of tokens that exist bound its size."""

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        # The authenticator sets these itself: a call would cost every request more than the work.
        self.now_s = now_s
        self.last_used: dict[str, float] = {}
        self.refused: dict[str, int] = {}

    def refuse(self, token_id: str) -> None:
        """Count a request that was refused although its token is known."""
        self.refused[token_id] = self.refused.get(token_id, 0) + 1

    def take(self) -> list[TokenUse]:
        """Return the uses since the last time, and begin again."""
        last_used, refused = self.last_used, self.refused
        self.last_used, self.refused = {}, {}
        return [TokenUse(id=one, last_used_at=at, refused=refused.get(one, 0)) for one, at in last_used.items()]

    def put_back(self, uses: Sequence[TokenUse]) -> None:
        """Add uses that could not be noted."""
        for one in uses:
            self.last_used[one.id] = max(one.last_used_at, self.last_used.get(one.id, 0.0))
            if one.refused:
                self.refused[one.id] = self.refused.get(one.id, 0) + one.refused
