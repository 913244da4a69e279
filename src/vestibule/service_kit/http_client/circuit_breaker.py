"""A circuit breaker: fails calls at once while a peer does not answer."""

import time
from collections.abc import Callable

FAILURES_UNTIL_OPEN = 3
OPEN_FOR_S = 1.0


class CircuitBreaker:
    """Counts consecutive unanswered calls; while open, allows one call now and then to test the peer."""

    def __init__(
        self,
        failures_until_open: int = FAILURES_UNTIL_OPEN,
        open_for_s: float = OPEN_FOR_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures_until_open = failures_until_open
        self._open_for_s = open_for_s
        self._clock = clock
        self._failures = 0
        self._refuses_until = 0.0

    def allows_call(self) -> bool:
        """Say whether to call; while open, only one call in a while is allowed."""
        if self._failures < self._failures_until_open:
            return True
        now = self._clock()
        if now < self._refuses_until:
            return False
        self._refuses_until = now + self._open_for_s
        return True

    def record_answer(self) -> None:
        """Take note that the peer has answered: it is there."""
        self._failures = 0

    def record_no_answer(self) -> None:
        """Take note that the peer has not answered."""
        self._failures += 1
        self._refuses_until = self._clock() + self._open_for_s
