"""Converts to upper case; the default processor."""

from vestibule.processing.processor import Processor


class Uppercase:
    """Maps every character to upper case by the Unicode default case conversion.

    Source: The Unicode Standard, section 3.13, toUppercase(X).
    """

    name = "uppercase"
    description = "Converts the text to upper case."
    examples = (("hello", "HELLO"), ("Straße 5", "STRASSE 5"), ("", ""))

    def process(self, data: str) -> str:
        """Return `data` in upper case; it may become longer."""
        return data.upper()


PROCESSOR: Processor = Uppercase()
