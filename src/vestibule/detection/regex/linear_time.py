"""Verifies that a custom expression takes time linear in the length of the text."""

import re
from collections.abc import Iterable
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as expression_parser  # type: ignore[attr-defined]
from typing import Any

from vestibule.detection.errors import InvalidDetector

MAX_WIDTH_CHARS = 512
# The most ways in which one place of a text may be tried.
MAX_WAYS = 10_000
_REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)
_FORBIDDEN = {
    op.GROUPREF: "refers back to a group",
    op.GROUPREF_EXISTS: "refers back to a group",
    op.ASSERT: "looks around",
    op.ASSERT_NOT: "looks around",
}


def require_linear_time(pattern: str) -> re.Pattern[str]:
    """Compile `pattern`.

    Raises:
        InvalidDetector: it is no expression, has no bounded length, or can be tried in too many ways at one place.
    """
    try:
        parsed = expression_parser.parse(pattern)
        expression = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise InvalidDetector(f"{pattern!r} is no regular expression: {error}") from error
    if parsed.getwidth()[1] > MAX_WIDTH_CHARS:
        raise InvalidDetector(
            f"{pattern!r} may match more than {MAX_WIDTH_CHARS} characters: write {{1,64}} for + and *"
        )
    if _ways(parsed, pattern) > MAX_WAYS:
        raise InvalidDetector(f"{pattern!r} can be tried in too many ways at one place of a text")
    return expression


def _ways(items: Iterable[Any], pattern: str) -> int:
    ways = 1
    for kind, value in items:
        if kind in _FORBIDDEN:
            raise InvalidDetector(f"{pattern!r} {_FORBIDDEN[kind]}, which may take long")
        ways = min(ways * _ways_of(kind, value, pattern), MAX_WAYS + 1)
    return ways


def _ways_of(kind: Any, value: Any, pattern: str) -> int:
    if kind in _REPEATS:
        fewest, most, inner = int(value[0]), int(value[1]), value[2]
        each = _ways(inner, pattern)
        # Without a choice inside, only the number of times is open.
        times = most - fewest + 1
        return times if each == 1 else min(int(each ** min(most, 20)) * times, MAX_WAYS + 1)
    if kind is op.BRANCH:
        return sum(_ways(branch, pattern) for branch in value[1])
    if kind is op.SUBPATTERN:
        return _ways(value[3], pattern)
    if kind is op.ATOMIC_GROUP:
        return _ways(value, pattern)
    return 1
