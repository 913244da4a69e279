"""Scans a text of any length: one over the scanner's limit is scanned in overlapping blocks."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vestibule.detection import Explanation, Scanner

BLOCK_CHARS = 200_000
# So much of a block is seen by its neighbour too. What begins in the first half of that belongs to the block before,
# which sees all that follows it; what begins in the second half belongs to the block after.
SHARED_CHARS = 20_000


def explain_blocks(scanner: "Scanner", text: str, key: str | None) -> "list[Explanation]":
    """Return what is found in `text` with the reasons, by offsets in the whole of it.

    Raises:
        DetectionError: a block could not be judged.
    """
    if len(text) <= BLOCK_CHARS:
        return list(scanner.explain(text, key=key))
    found: list[Explanation] = []
    begin = 0
    while True:
        end = begin + BLOCK_CHARS
        own_from = begin + SHARED_CHARS // 2 if begin else 0
        own_until = end - SHARED_CHARS // 2 if end < len(text) else len(text)
        for one in scanner.explain(text[begin:end], key=key):
            place = one.finding._replace(start=one.finding.start + begin, end=one.finding.end + begin)
            if own_from <= place.start < own_until:
                found.append(one._replace(finding=place))
        if end >= len(text):
            return found
        begin = end - SHARED_CHARS
