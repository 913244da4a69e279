"""Analyzes expressions: what every match has in common, and whether matching takes linear time."""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as expression_parser  # type: ignore[attr-defined]  # the only parser of expressions
from typing import Any, NamedTuple

from vestibule.detection.compiled_cache import CompiledCache
from vestibule.detection.errors import InvalidDetector

_DIGITS = range(ord("0"), ord("9") + 1)
_REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)


class RegexProperties(NamedTuple):
    """`width` is the maximum length of a match, `fewest_digits` the minimum number of ASCII digits in it.

    `firsts` are the characters and character classes that a match may begin with, written as inside a character class;
    `digit_by` is the maximum number of characters before its first digit. Both are None if unknown.
    """

    width: int
    fewest_digits: int
    firsts: tuple[str, ...] | None
    digit_by: int | None


def analyze_all(patterns: Iterable[str], cache: CompiledCache) -> Mapping[str, RegexProperties]:
    """Return the properties of each pattern, cached between starts: to analyze a thousand takes a second."""
    ordered = sorted(set(patterns))
    fingerprint = "\n".join((sys.version, repr(RegexProperties._fields), *ordered)).encode()
    if kept := cache.load(fingerprint):
        return {pattern: RegexProperties(*values) for pattern, values in zip(ordered, json.loads(kept), strict=True)}
    analyses = {pattern: analyze_regex(pattern) for pattern in ordered}
    cache.save(fingerprint, json.dumps(list(analyses.values())).encode())
    return analyses


def analyze_regex(pattern: str) -> RegexProperties:
    """Return the properties of `pattern`."""
    parsed = expression_parser.parse(pattern)
    firsts, may_be_empty = _firsts_of(parsed)
    is_open = firsts is None or may_be_empty
    return RegexProperties(
        width=int(parsed.getwidth()[1]),
        fewest_digits=_digits_of(parsed),
        firsts=None if is_open else tuple(sorted(firsts or ())),
        digit_by=_first_digit_of(parsed),
    )


def _digits_of(items: Iterable[Any]) -> int:
    return sum(_digits_of_one(kind, value) for kind, value in items)


def _digits_of_one(kind: Any, value: Any) -> int:
    if kind is op.LITERAL:
        return int(value in _DIGITS)
    if kind is op.IN:
        return int(all(_is_digit(*member) for member in value))
    if kind in _REPEATS:
        return int(value[0]) * _digits_of(value[2])
    if kind is op.SUBPATTERN:
        return _digits_of(value[3])
    if kind is op.BRANCH:
        return min(_digits_of(branch) for branch in value[1])
    return 0


def _is_digit(kind: Any, value: Any) -> bool:
    if kind is op.LITERAL:
        return value in _DIGITS
    if kind is op.RANGE:
        return value[0] in _DIGITS and value[1] in _DIGITS
    return kind is op.CATEGORY and value is op.CATEGORY_DIGIT


# What a part of an expression may begin with (None: unknown), and whether the part may be empty.
_Firsts = tuple[set[str] | None, bool]
_CLASSES = {op.CATEGORY_DIGIT: r"\d", op.CATEGORY_SPACE: r"\s"}
_LONGEST_RANGE = 128


def _firsts_of(items: Iterable[Any]) -> _Firsts:
    firsts: set[str] = set()
    for kind, value in items:
        found, may_be_empty = _firsts_of_one(kind, value)
        if found is None:
            return None, False
        firsts |= found
        if not may_be_empty:
            return firsts, False
    return firsts, True


def _firsts_of_one(kind: Any, value: Any) -> _Firsts:
    if kind is op.AT:
        return set(), True
    if kind in (op.LITERAL, op.IN):
        members = [_members(*member) for member in (value if kind is op.IN else [(kind, value)])]
        return (None if None in members else {char for some in members for char in some or ()}), False
    if kind in _REPEATS:
        firsts, may_be_empty = _firsts_of(value[2])
        return firsts, may_be_empty or value[0] == 0
    if kind is op.SUBPATTERN:
        return (None, False) if value[1] or value[2] else _firsts_of(value[3])
    if kind is op.BRANCH:
        branches = [_firsts_of(branch) for branch in value[1]]
        is_open = any(firsts is None for firsts, _ in branches)
        return None if is_open else {f for firsts, _ in branches for f in firsts or ()}, any(e for _, e in branches)
    return None, False


def _members(kind: Any, value: Any) -> list[str] | None:
    if kind is op.LITERAL:
        return [re.escape(chr(value))]
    if kind is op.RANGE and value[1] - value[0] < _LONGEST_RANGE:
        return [re.escape(chr(code)) for code in range(value[0], value[1] + 1)]
    return [_CLASSES[value]] if kind is op.CATEGORY and value in _CLASSES else None


def _first_digit_of(items: Iterable[Any]) -> int | None:
    before = 0
    for kind, value in items:
        if kind is op.GROUPREF:
            return None
        inner = _inner(kind, value)
        if _digits_of_one(kind, value):
            found = [_first_digit_of(one) or 0 for one in inner] if inner else [0]
            return before + max(found)
        most = value[1] if kind in _REPEATS else 1
        before += most * max((int(one.getwidth()[1]) for one in inner), default=int(kind is not op.AT))
    return None


def _inner(kind: Any, value: Any) -> list[Any]:
    """Return the expressions inside one part."""
    if kind in _REPEATS:
        return [value[2]]
    if kind in (op.SUBPATTERN, op.ATOMIC_GROUP):
        return [value[3] if kind is op.SUBPATTERN else value]
    return list(value[1]) if kind is op.BRANCH else []


MAX_WIDTH_CHARS = 512
# The most ways to match at one place of a text.
MAX_WAYS = 10_000
_FORBIDDEN = {
    op.GROUPREF: "contains a back-reference",
    op.GROUPREF_EXISTS: "contains a back-reference",
    op.ASSERT: "contains a lookaround",
    op.ASSERT_NOT: "contains a lookaround",
}


def require_linear_time(pattern: str) -> re.Pattern[str]:
    """Compile a custom pattern.

    Raises:
        InvalidDetector: it is not a regular expression, not of bounded length, or may take more than linear time.
    """
    try:
        parsed = expression_parser.parse(pattern)
        expression = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise InvalidDetector(f"{pattern!r} is not a regular expression: {error}") from error
    if parsed.getwidth()[1] > MAX_WIDTH_CHARS:
        raise InvalidDetector(
            f"{pattern!r} may match more than {MAX_WIDTH_CHARS} characters: write {{1,64}} for + and *"
        )
    if _ways(parsed, pattern) > MAX_WAYS:
        raise InvalidDetector(f"{pattern!r} has too many ways to match at one place")
    return expression


def _ways(items: Iterable[Any], pattern: str) -> int:
    ways = 1
    for kind, value in items:
        if kind in _FORBIDDEN:
            raise InvalidDetector(f"{pattern!r} {_FORBIDDEN[kind]}, which may take more than linear time")
        ways = min(ways * _ways_of(kind, value, pattern), MAX_WAYS + 1)
    return ways


def _ways_of(kind: Any, value: Any, pattern: str) -> int:
    if kind in _REPEATS:
        fewest, most, inner = int(value[0]), int(value[1]), value[2]
        each = _ways(inner, pattern)
        # Without a choice inside, only the number of repeats varies.
        times = most - fewest + 1
        return times if each == 1 else min(int(each ** min(most, 20)) * times, MAX_WAYS + 1)
    return sum(_ways(one, pattern) for one in _inner(kind, value)) or 1
