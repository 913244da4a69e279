"""Normalizes Unicode and white space."""

import unicodedata

from vestibule.processing.processor import Processor


class Normalize:
    """Composes characters (NFC), collapses white space to single spaces, and strips the ends.

    Source: Unicode Standard Annex #15, Normalization Form C.
    """

    name = "normalize"
    description = "Composes Unicode characters (NFC) and collapses white space."
    examples = (("  a \t b\n", "a b"), ("e\u0301", "\u00e9"), ("", ""))

    def process(self, data: str) -> str:
        """Return the normalized text."""
        return " ".join(unicodedata.normalize("NFC", data).split())


PROCESSOR: Processor = Normalize()
