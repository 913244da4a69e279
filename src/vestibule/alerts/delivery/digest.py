"""When many groups are to be told at once, they are told together: nobody reads fifty notifications."""

from collections import deque
from enum import Enum

US = 1_000_000
# So many groups of one type are told one by one within the time; what is more is told together, once in that time.
ONE_BY_ONE = 5
WITHIN_S = 60
# The first time, those are waited for that are due next: a storm seldom ends for all in one moment.
GATHER_S = 5

# The type of the groups, and why they are told.
Kind = tuple[str, str]


class DigestDecision(Enum):
    """How groups that are due are told."""

    ONE_BY_ONE = "one by one"
    TOGETHER = "together"
    LATER = "later"


class DigestBatcher:
    """Remembers what was told lately of each kind; a process that takes over begins anew."""

    def __init__(self) -> None:
        self._one_by_one: dict[Kind, deque[int]] = {}
        self._next_us: dict[Kind, int] = {}

    def decide(self, kind: Kind, count: int, now_us: int) -> DigestDecision:
        """Say how `count` groups of a kind are told, and remember that they are."""
        told = self._one_by_one.setdefault(kind, deque())
        while told and told[0] <= now_us - WITHIN_S * US:
            told.popleft()
        if len(told) + count <= ONE_BY_ONE:
            told.extend([now_us] * count)
            return DigestDecision.ONE_BY_ONE
        next_us = self._next_us.get(kind, 0)
        if next_us <= now_us - WITHIN_S * US:
            next_us = self._next_us[kind] = now_us + GATHER_S * US
        if next_us > now_us:
            return DigestDecision.LATER
        self._next_us[kind] = now_us + WITHIN_S * US
        return DigestDecision.TOGETHER

    def next_us(self, kind: Kind) -> int:
        """Return when groups of a kind are told together next."""
        return self._next_us[kind]
