"""Turns the errors of a scan into refusals: a text that cannot be scanned is rejected."""

import structlog

from vestibule.contracts.errors import Refused, ScanImpossible, TooLarge
from vestibule.detection import DetectionError, DetectorFailed, ScanBudgetExceeded, TextTooLarge


def refusal_of(error: DetectionError) -> Refused:
    """Return the refusal of a text that was not scanned, `TooLarge` or `ScanImpossible`; log a failed detector."""
    if isinstance(error, TextTooLarge):
        return TooLarge(f"A text may have at most {error.limit:,} characters.")
    if isinstance(error, ScanBudgetExceeded):
        return ScanImpossible("The scan did not finish within its budget, so the text was rejected.")
    if isinstance(error, DetectorFailed):
        cause = type(error.__cause__).__name__
        structlog.get_logger("vestibule.screening").error("detector_failed", entity=error.entity, error=cause)
    return ScanImpossible("A detector failed on the text, so the text was rejected.")
