"""The time budget of one scan."""

from time import perf_counter

from vestibule.detection.errors import ScanBudgetExceeded


class TimeBudget:
    """Runs from the moment it is made."""

    __slots__ = ("_budget_ms", "_deadline")

    def __init__(self, budget_ms: float) -> None:
        self._budget_ms = budget_ms
        self._deadline = perf_counter() + budget_ms / 1000

    def check(self) -> None:
        """Go on or not.

        Raises:
            ScanBudgetExceeded: the time is over.
        """
        if perf_counter() > self._deadline:
            raise ScanBudgetExceeded(self._budget_ms)

    def extend(self, seconds: float) -> None:
        """Leave out what is done once in the life of a process and says nothing of the text."""
        self._deadline += seconds
