"""The allow list: findings that are ignored, by exact value, pattern or fingerprint."""

import hashlib
import hmac
from collections.abc import Callable

from vestibule.detection.finding import Explanation
from vestibule.detection.options import ScannerOptions
from vestibule.detection.regex_analysis import require_linear_time


def fingerprint_of(value: str, key: str) -> str:
    """Return the fingerprint of an allowed value: HMAC-SHA-256 of its UTF-8 bytes, in hexadecimal."""
    return hmac.new(key.encode(), value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def build_allow_list(options: ScannerOptions) -> Callable[[Explanation, str], bool] | None:
    """Return a function that tells whether a finding in a text is allowed; None if the list is empty.

    Raises:
        InvalidDetector: a pattern is invalid or may take more than linear time.
    """
    values, fingerprints, key = options.allowed_values, options.allowed_fingerprints, options.fingerprint_key
    patterns = [require_linear_time(pattern) for pattern in options.allowed_patterns]
    if not (values or patterns or (fingerprints and key)):
        return None

    def is_allowed(explanation: Explanation, text: str) -> bool:
        value = text[explanation.finding.start : explanation.finding.end]
        if value in values or any(pattern.fullmatch(value) for pattern in patterns):
            return True
        return bool(fingerprints and key) and fingerprint_of(value, key or "") in fingerprints

    return is_allowed
