"""The counters of one token or tenant: what it has done in this minute, here and on all replicas."""

from math import ceil

from vestibule.contracts.tokens import Quota

WINDOW_S = 60


class MinuteCounter:
    """Counts events within the minute of the clock. `limit` is for all replicas together.

    `shared` is the sum of all replicas as of the last exchange, and `unsent` what came here since. `nearby` is what the
    other processes on this machine have said that came to them in this minute.
    """

    __slots__ = ("minute", "nearby", "own", "shared", "unsent")

    def __init__(self) -> None:
        self.minute = 0
        self.own = self.unsent = self.shared = self.nearby = 0

    def turn_to(self, now_s: float) -> None:
        """Begin at 0 where a new minute has begun."""
        minute = int(now_s // WINDOW_S)
        if minute != self.minute:
            self.minute = minute
            self.own = self.unsent = self.shared = self.nearby = 0

    def used(self, now_s: float) -> int:
        """Return how many events of this minute are known."""
        self.turn_to(now_s)
        return max(self.shared + self.unsent, self.own + self.nearby)

    def add(self) -> None:
        """Count an event."""
        self.own += 1
        self.unsent += 1

    def conclude(self, minute: int, sent: int, shared: int) -> None:
        """Take in an exchange about `minute`, to which `sent` events were sent."""
        if minute == self.minute:
            self.unsent -= sent
            self.shared = shared


def seconds_left(now_s: float) -> int:
    """Return the seconds until the next minute of the clock, at least 1."""
    return max(1, ceil(WINDOW_S - now_s % WINDOW_S))


class Account:
    """What a token or a tenant with a quota has used. `kind` is `token` or `tenant`, `name` its id or its name."""

    __slots__ = ("counted_at", "kind", "name", "quota", "requests", "seen_at", "submitted", "tasks", "under_way")

    def __init__(self, kind: str, name: str, quota: Quota) -> None:
        self.kind = kind
        self.name = name
        self.quota = quota
        self.requests = MinuteCounter()
        self.tasks = MinuteCounter()
        self.seen_at = 0.0
        # Tasks that had not ended when they were counted, and those that were submitted here since.
        self.under_way = self.submitted = 0
        self.counted_at = -float("inf")
