"""Normalizes Unicode and white space."""

import unicodedata

from vestibule.processing.processor import Processor


class Normalize:
    """Composes characters (NFC) and folds every run of white space into one space, none at the ends.

    Source: Unicode Standard Annex #15, Normalization Form C.
    """

    name = "normalize"
    description = "Composes Unicode characters (NFC) and folds white space."
    examples = (("  a \t b\n", "a b"), ("e\u0301", "\u00e9"), ("", ""))

    def process(self, data: str) -> str:
        """Return `data` composed, with single spaces between its words."""
        return " ".join(unicodedata.normalize("NFC", data).split())


PROCESSOR: Processor = Normalize()
