"""Turns the declarations of rules into the literals that the prefilter searches for."""

import re
from collections.abc import Iterator

from vestibule.detection.context import DIRECT
from vestibule.detection.matching import Matcher
from vestibule.detection.prefilter.engines import Literal
from vestibule.detection.rules import Rule

_SHORT_LABEL_CHARS = 5
_GENERAL_WORDS = frozenset(
    {
        *("number", "numbers", "nummer", "numero", "numéro", "número", "account", "address", "client", "please"),
        *("passport", "passports", "license", "licence", "driver", "drivers", "driver's", "driving", "permit"),
    }
)


def literals_of(matcher: Matcher, number: int) -> Iterator[Literal]:
    """Yield the literals of one rule: its labels if it needs one, else its anchors, prefilter or pattern."""
    rule = matcher.rule
    if matcher.needs_label:
        if rule.score + DIRECT < matcher.threshold and (rule.broken_score or 0) + DIRECT < matcher.threshold:
            return
        for label in matcher.detector.labels:
            yield from _label_literals(label, number)
    elif rule.anchors:
        for anchor in rule.anchors:
            yield from _literals_of_text(anchor, number)
    elif not matcher.is_always_tried:
        yield Literal(rule.prefilter or _with_boundaries(rule), number, rule.ignore_case, matcher.prefilter_digits)


def whole_value_literals(matcher: Matcher, number: int) -> Iterator[Literal]:
    """Yield the literal of a value that is the whole text, if the rule has an `alone_score`."""
    rule = matcher.rule
    if rule.alone_score is not None and rule.alone_score >= matcher.threshold:
        yield Literal(rf"^\s*(?:{rule.pattern})\s*$", number, rule.ignore_case)


def _with_boundaries(rule: Rule) -> str:
    before = f"(?:^|[^{rule.not_after}])" if rule.not_after else ""
    after = f"(?:[^{rule.not_before}]|$)" if rule.not_before else ""
    return f"{before}(?:{rule.pattern}){after}"


def _label_literals(label: str, number: int) -> Iterator[Literal]:
    word = _distinctive_word(label.rstrip("*"))
    if not word.isascii() or label.endswith("*") or len(word) > _SHORT_LABEL_CHARS:
        yield from _literals_of_text(word, number)
        return
    # A short label is part of many longer words: it counts as a word, beside _ and as a part of camelCase.
    flexible = _flexible_pattern(word)
    yield Literal(f"(?:^|[^A-Za-z]){flexible}[^A-Za-z]", number, ignore_case=True)
    yield Literal(f"[a-z]{_flexible_pattern(word.title())}[^A-Za-z]", number)
    yield Literal(f"(?:{flexible}|{_flexible_pattern(word.title())})[A-Z]", number)


def _distinctive_word(label: str) -> str:
    """Return the longest distinctive word of a label: a word is much cheaper to search for than a phrase."""
    words = [word for word in label.split(" ") if len(word) > _SHORT_LABEL_CHARS and word not in _GENERAL_WORDS]
    return max(words, key=len) if words else label


def _literals_of_text(literal: str, number: int) -> Iterator[Literal]:
    if literal.isascii():
        yield Literal(_flexible_pattern(literal), number, ignore_case=True)
        return
    # The prefilter reads bytes and ignores case for ASCII only.
    for variant in dict.fromkeys((literal, literal.title(), literal.upper(), literal.capitalize())):
        yield Literal(_flexible_pattern(variant), number)


def _flexible_pattern(literal: str) -> str:
    """Allow the words of a label to be joined by white space, a dot, _ or -, or by nothing."""
    return (
        r"[\s._-]{0,3}".join(re.escape(part) for part in literal.split(" ")) if " " in literal else re.escape(literal)
    )
