"""Which requests are sent again, and when: bounded by a number of attempts and by a deadline for all together."""

import random
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

from vestibule.client.operations import Repeat

# A service says with these that nothing was done.
NOTHING_DONE = frozenset({"overloaded", "request-timeout", "too-many-uploads", "too-many-waiting", "quota-exceeded"})
TOO_MANY_REQUESTS = 429
# Another attempt may be answered.
PASSING = frozenset({502, 503, 504})
# A wrong token is as wrong a second later.
HOPELESS = frozenset({"too-many-auth-failures"})
IN_PROGRESS = "request-in-progress"
# Of streams that were open before: until the deadline.
UNLIMITED = 1_000_000


class Retry:
    """How often a request is sent at most, and the pauses between: random up to twice as long each time."""

    __slots__ = ("attempts", "first_pause_s", "longest_pause_s")

    def __init__(self, attempts: int = 4, first_pause_s: float = 0.1, longest_pause_s: float = 5.0) -> None:
        """Take the numbers. Raises: ValueError, for those out of bounds."""
        if attempts < 1 or first_pause_s < 0 or longest_pause_s < 0:
            raise ValueError("attempts must be 1 or more, and pauses 0 or more")
        self.attempts = attempts
        self.first_pause_s = first_pause_s
        self.longest_pause_s = longest_pause_s

    def __repr__(self) -> str:
        return f"Retry({self.attempts}, {self.first_pause_s}, {self.longest_pause_s})"

    def without_limit(self) -> "Retry":
        """Return the same with any number of attempts."""
        return Retry(UNLIMITED, self.first_pause_s, self.longest_pause_s)

    def pause_s(self, attempt: int) -> float:
        """Return the pause after an attempt, counted from 1: between half and all of what doubles each time."""
        longest = min(self.longest_pause_s, self.first_pause_s * 2.0 ** min(attempt - 1, 30))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - callers that failed together do not retry together


class Attempts:
    """The attempts at one request: how many there were, and how long the next may take."""

    def __init__(
        self, repeat: Repeat, retry: Retry, timeout_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take whether and how the request may be repeated, and the deadline for all attempts together."""
        self._repeat = repeat
        self._retry = retry
        self._clock = clock
        self._until = clock() + timeout_s
        self.number = 1
        self.timeout_s = timeout_s
        # An attempt without an answer may have had the effect.
        self._may_be_done = False

    @property
    def remaining_s(self) -> float:
        """The seconds until the deadline; negative after it."""
        return self._until - self._clock()

    def after_no_answer(self, *, was_sent: bool) -> float | None:
        """Return the pause before the next attempt after one without an answer; None if there is none."""
        self._may_be_done = self._may_be_done or was_sent
        if was_sent and self._repeat is Repeat.NEVER:
            return None
        return self._next(None)

    def after_answer(self, status: int, slug: str, retry_after_s: float | None) -> float | None:
        """Return the pause before the next attempt after a refusal; None if it is final."""
        if slug in HOPELESS:
            return None
        if slug in NOTHING_DONE or status == TOO_MANY_REQUESTS:
            return self._next(retry_after_s)
        if status in PASSING and self._repeat is not Repeat.NEVER:
            self._may_be_done = True
            return self._next(retry_after_s)
        # The service still works on an earlier attempt of this very request.
        if slug == IN_PROGRESS and self._may_be_done:
            return self._next(retry_after_s)
        return None

    def _next(self, at_least_s: float | None) -> float | None:
        pause_s = max(self._retry.pause_s(self.number), at_least_s or 0.0)
        if self.number >= self._retry.attempts or pause_s >= self.remaining_s:
            return None
        self.number += 1
        return pause_s


def retry_after_s(header: str | None, now: Callable[[], float] = time.time) -> float | None:
    """Return the seconds that a `Retry-After` asks for, as seconds or as a date; None if it has neither.

    Source: RFC 9110, section 10.2.3.
    """
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:10])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now())
    except (ValueError, TypeError, OverflowError):
        return None
