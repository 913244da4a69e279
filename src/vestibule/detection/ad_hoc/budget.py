"""The time that expressions of a caller may take in all texts of one request together."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import thread_time

from vestibule.detection.matching import TimeBudget

# A request has as much as four texts that use up the budget of a scan: a body has room for four of the longest.
TEXTS_PER_REQUEST = 4


class SharedBudget:
    """CPU time that one text after the other uses, in any thread: many short ones have no more than a few long."""

    def __init__(self, text_ms: float) -> None:
        """Take what a single text may use."""
        self._text_ms = text_ms
        self._left_ms = text_ms * TEXTS_PER_REQUEST

    @contextmanager
    def clock(self) -> Iterator[TimeBudget]:
        """Return the budget of what is done in this thread while the context is open."""
        began = thread_time()
        try:
            yield TimeBudget(max(0.0, min(self._text_ms, self._left_ms)))
        finally:
            self._left_ms -= (thread_time() - began) * 1000
