"""Turns the errors of a scan into refusals: a text that cannot be scanned is rejected."""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from vestibule.contracts.errors import ScanImpossible, TooLarge
from vestibule.detection import DetectorFailed, ScanBudgetExceeded, TextTooLarge


@contextmanager
def scan_refusals() -> Iterator[None]:
    """Scan within this.

    Raises:
        TooLarge: the text is longer than the scanner accepts.
        ScanImpossible: the scan did not finish in time, or a detector failed.
    """
    try:
        yield
    except TextTooLarge as error:
        raise TooLarge(f"A text may have at most {error.limit:,} characters.") from error
    except ScanBudgetExceeded as error:
        raise ScanImpossible("The scan did not finish within its budget, so the text was rejected.") from error
    except DetectorFailed as error:
        cause = type(error.__cause__).__name__
        structlog.get_logger("vestibule.screening").error("detector_failed", entity=error.entity, error=cause)
        raise ScanImpossible("A detector failed on the text, so the text was rejected.") from error
