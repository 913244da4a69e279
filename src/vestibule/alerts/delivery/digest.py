"""Combines the notifications of many groups into digests, so that a burst of alerts is one message."""

from collections import deque
from enum import Enum

US = 1_000_000
# Up to this many groups of one type are notified separately within the window; more share a digest, one a window.
MAX_SEPARATE = 5
WINDOW_S = 60
# The first digest of a burst waits this long for the groups that are due next.
COLLECT_S = 5

# The type of the groups, and the event of their notification.
Kind = tuple[str, str]


class DigestDecision(Enum):
    """How groups that are due are notified."""

    SEPARATE = "separate"
    COMBINED = "combined"
    POSTPONED = "postponed"


class DigestBatcher:
    """Decides on digests from what was sent recently of each kind; the state is of this process alone."""

    def __init__(self) -> None:
        self._sent_us: dict[Kind, deque[int]] = {}
        self._next_us: dict[Kind, int] = {}

    def decide(self, kind: Kind, count: int, now_us: int) -> DigestDecision:
        """Return how `count` groups of a kind are notified, and remember it."""
        sent = self._sent_us.setdefault(kind, deque())
        while sent and sent[0] <= now_us - WINDOW_S * US:
            sent.popleft()
        if len(sent) + count <= MAX_SEPARATE:
            sent.extend([now_us] * count)
            return DigestDecision.SEPARATE
        next_us = self._next_us.get(kind, 0)
        if next_us <= now_us - WINDOW_S * US:
            next_us = self._next_us[kind] = now_us + COLLECT_S * US
        if next_us > now_us:
            return DigestDecision.POSTPONED
        self._next_us[kind] = now_us + WINDOW_S * US
        return DigestDecision.COMBINED

    def next_us(self, kind: Kind) -> int:
        """Return when the next digest of a kind is due."""
        return self._next_us[kind]
