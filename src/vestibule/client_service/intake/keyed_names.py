"""Keyed names: fingerprints of names that callers choose, which the database can compare and not reverse."""

import hashlib
import json
import time
from datetime import UTC, datetime

from vestibule.encryption import Fingerprinter


class KeyedNames:
    """Derives names from several parts. A name changes with the fingerprint key, so one thing may have several."""

    def __init__(self, fingerprinter: Fingerprinter) -> None:
        self._fingerprinter = fingerprinter

    def of(self, *parts: str | None, since_s: float) -> list[str]:
        """Return the names that these parts had in the last `since_s` seconds, newest first."""
        # Hashed first, because fingerprints ignore case and separators.
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        since = datetime.fromtimestamp(time.time() - since_s, UTC)
        return list(self._fingerprinter.candidates(digest, since))
