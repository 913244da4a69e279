"""Derives from an expression what every match of it has: its width, its fewest digits, its first characters."""

import json
import re
import sys
from collections.abc import Iterable
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as expression_parser  # type: ignore[attr-defined]  # the only way to the parts of an expression
from typing import Any, NamedTuple, Protocol

_DIGITS = range(ord("0"), ord("9") + 1)
_REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)


class RegexProperties(NamedTuple):
    """`width` is the most characters of a match, `fewest_digits` how many ASCII digits it holds at least.

    `firsts` are the characters and classes of characters that a match may begin with, as they stand inside a character
    class; `digit_by` is how many characters stand before its first digit, at most; None where that is open.
    """

    width: int
    fewest_digits: int
    firsts: tuple[str, ...] | None
    digit_by: int | None


class RegexAnalysisCache:
    """Properties of expressions, cached between starts: analyzing a thousand of them takes a second."""

    def __init__(self, patterns: Iterable[str], cache: "AnalysisStorage") -> None:
        ordered = sorted(set(patterns))
        fingerprint = "\n".join((sys.version, repr(RegexProperties._fields), *ordered)).encode()
        kept = cache.load(fingerprint)
        if kept:
            analyses = zip(ordered, json.loads(kept), strict=True)
            self._analyses = {pattern: RegexProperties(*properties) for pattern, properties in analyses}
            return
        self._analyses = {pattern: analyze_regex(pattern) for pattern in ordered}
        cache.save(fingerprint, json.dumps(list(self._analyses.values())).encode())

    def __getitem__(self, pattern: str) -> RegexProperties:
        return self._analyses[pattern]


class AnalysisStorage(Protocol):
    """Stores the analyses between starts."""

    def load(self, fingerprint: bytes) -> bytes | None:
        """Return what was saved, None where there is nothing."""

    def save(self, fingerprint: bytes, database: bytes) -> None:
        """Save the content."""


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


# What a piece of an expression may begin with, None where that is open, and whether the piece may be empty.
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
    """Give the expressions of which a part of one is made."""
    if kind in _REPEATS:
        return [value[2]]
    if kind in (op.SUBPATTERN, op.ATOMIC_GROUP):
        return [value[3] if kind is op.SUBPATTERN else value]
    return list(value[1]) if kind is op.BRANCH else []
