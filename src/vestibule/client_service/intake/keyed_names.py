"""Names that the database can compare and nobody can look up: keyed fingerprints of what callers call things."""

import hashlib
import json
import time
from datetime import UTC, datetime

from vestibule.encryption import Fingerprinter


class KeyedNames:
    """Makes names of several parts. A name changes with the epochs of fingerprints, so several can be of one thing."""

    def __init__(self, fingerprinter: Fingerprinter) -> None:
        self._fingerprinter = fingerprinter

    def of(self, *parts: str | None, since_s: float) -> list[str]:
        """Return the names that these parts can have been given in the last `since_s` seconds, the newest first."""
        # Hashed before, as fingerprints take texts for the same that differ in case or in separators alone.
        digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        since = datetime.fromtimestamp(time.time() - since_s, UTC)
        return list(self._fingerprinter.candidates(digest, since))
