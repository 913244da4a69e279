"""What keeps a text from being scanned; such a text is refused, never waved through.

DetectionError
├── TextTooLarge
├── ScanBudgetExceeded
└── InvalidDetector
"""


class DetectionError(Exception):
    """Anything that the detection room raises on purpose."""


class TextTooLarge(DetectionError):
    """The text is longer than the scanner takes; `limit` is in code points."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the text is longer than {limit} characters")
        self.limit = limit


class ScanBudgetExceeded(DetectionError):
    """The scan took longer than it may, so nothing is known about the text."""

    def __init__(self, budget_ms: float) -> None:
        super().__init__(f"the scan took longer than {budget_ms:g} ms")
        self.budget_ms = budget_ms


class InvalidDetector(DetectionError):
    """A detector is declared wrongly; raised while the scanner is built, never during a scan."""
