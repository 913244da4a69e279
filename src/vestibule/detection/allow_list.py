"""The allow list: findings that are ignored, by exact value, by pattern or by fingerprint."""

import hashlib
import hmac
from collections.abc import Callable

from vestibule.detection.finding import Explanation
from vestibule.detection.options import ScannerOptions
from vestibule.detection.regex.linear_time import require_linear_time


def fingerprint_of(value: str, key: str) -> str:
    """Give the fingerprint under which `value` is let through: HMAC-SHA-256 of its UTF-8 form, hexadecimal."""
    return hmac.new(key.encode(), value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def build_allow_list(options: ScannerOptions) -> Callable[[Explanation, str], bool] | None:
    """Give what tells whether a finding in a text is let through; None when nothing is.

    Raises:
        InvalidDetector: a pattern is none or may take long.
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
