"""The reason that a caller gives for something, which people read on one line of an alert, a report or a page."""

from typing import Annotated

from pydantic import AfterValidator, Field

from vestibule.contracts.entries import PRINTABLE

MAX_REASON_CHARS = 500


def _printable(text: str) -> str:
    # A line break would forge a line, and an escape sequence commands a terminal.
    if not text.isprintable():
        raise ValueError("must consist of printable characters")
    return text


Reason = Annotated[
    str,
    Field(
        max_length=MAX_REASON_CHARS,
        description="One line of printable characters, screened like every text that is stored",
        json_schema_extra={"pattern": PRINTABLE},
    ),
    AfterValidator(_printable),
]
GivenReason = Annotated[Reason, Field(min_length=1)]
