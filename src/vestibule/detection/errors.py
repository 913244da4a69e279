"""Errors of detection; a text that cannot be scanned is rejected.

DetectionError
├── TextTooLarge
├── ScanBudgetExceeded
├── DetectorFailed
└── InvalidDetector
"""


class DetectionError(Exception):
    """Base of the errors of detection."""


class TextTooLarge(DetectionError):
    """The text, or what is decoded from it, is longer than the limit in code points."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the text is longer than {limit} characters")
        self.limit = limit


class ScanBudgetExceeded(DetectionError):
    """The scan exceeded its time budget; nothing is known about the text."""

    def __init__(self, budget_ms: float) -> None:
        super().__init__(f"the scan took longer than {budget_ms:g} ms")
        self.budget_ms = budget_ms


class DetectorFailed(DetectionError):
    """The check of a detector raised an error; nothing is known about the text."""

    def __init__(self, entity: str) -> None:
        super().__init__(f"the detector of {entity} failed")
        self.entity = entity


class InvalidDetector(DetectionError, ValueError):
    """A detector is declared incorrectly; raised while the scanner is built, never during a scan."""
