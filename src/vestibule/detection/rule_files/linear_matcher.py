"""Runs a rule of a file on a whole text by RE2, within the time budget of the scan."""

import re
from collections.abc import Iterator, Sequence
from time import thread_time
from typing import NamedTuple

from vestibule.detection.ad_hoc.expressions import OPERATORS, BoundedExpression, ByteSpan, ExpressionRefused
from vestibule.detection.ad_hoc.recognizers import (
    BytePlaces,
    WordSearch,
    any_of,
    context_word,
    score_with_context,
)
from vestibule.detection.finding import Explanation, Finding
from vestibule.detection.matching import Matcher, Spans, TimeBudget
from vestibule.detection.rule_files.linear_rule import FIRST_GROUP, Allowed, LinearRule
from vestibule.detection.rules import Detector
from vestibule.detection.scoring import ScanPassage
from vestibule.detection.validation.checks import entropy_bits

# Of a text that no scan bounds otherwise, as it is short.
SHORT_TEXT_MS = 1_000
# Words of one expression together.
_GROUP_BYTES = 16_384
_ENTROPY = "entropy"


class RuleMatch(NamedTuple):
    """Where a match is, and its value within, in characters."""

    start: int
    value_start: int
    value_end: int
    end: int


class LinearMatcher(Matcher):
    """A `LinearRule`, ready to run: it looks at the whole of a text in which the prefilter found a keyword."""

    needs_label = False
    fewest_digits = 0
    prefilter_digits = 0

    def __init__(self, detector: Detector, rule: LinearRule, topic: int, threshold: float) -> None:
        self.detector = detector
        self.rule = self._linear = rule
        self.topic = topic
        self.threshold = threshold
        self.is_always_tried = not rule.anchors
        self._compiled: _Search | None = None

    def can_pass(self) -> bool:
        """Tell whether any match of the rule can reach the threshold."""
        rule = self._linear
        return score_with_context(rule.score, has_context=bool(rule.context)) >= self.threshold

    def prepare(self, clock: TimeBudget) -> None:
        """Compile the expressions at the first use."""
        if self._compiled is None:
            began = thread_time()
            self._compiled = _Search(self._linear)
            self.is_compiled = True
            clock.extend(thread_time() - began)

    def reaching(self, ends: Sequence[int], zone: tuple[int, int]) -> list[int]:  # noqa: ARG002
        """Return all `ends`: a keyword counts from anywhere."""
        return list(ends)

    def find_all(self, text: str) -> Spans:
        """Return the spans of the values in a short text. Raises: ScanBudgetExceeded."""
        return self.find(text, (), TimeBudget(SHORT_TEXT_MS))

    def find(self, text: str, ends: Sequence[int], clock: TimeBudget) -> Spans:  # noqa: ARG002
        """Return the spans of the values in a text.

        Raises:
            ScanBudgetExceeded: the budget is used up.
        """
        assert self._compiled is not None  # noqa: S101 - prepared by the scanner
        return [(found.value_start, found.value_end) for found in self._compiled.find(text, clock)]

    def explain(self, passage: ScanPassage, span: tuple[int, int]) -> Explanation | None:
        """Score a match by the words before it; None below the threshold."""
        rule = self._linear
        near = context_word(passage.text, span[0], rule.context)
        score = score_with_context(rule.score, has_context=bool(near))
        if score < self.threshold:
            return None
        shift = len(passage.prefix)
        finding = Finding(self.detector.entity, span[0] - shift, span[1] - shift, score)
        return Explanation(finding, rule.name, f"{_ENTROPY}: passed" if rule.min_entropy else None, near)


class _Search:
    """The expressions of a rule, compiled."""

    def __init__(self, rule: LinearRule) -> None:
        flags = rule.regex_flags
        self._min_entropy = rule.min_entropy
        self._allowed = [_AllowCheck(one) for one in rule.allowed]
        self._words = WordSearch(rule.words, flags) if rule.words else None
        self._expression = None if rule.words else BoundedExpression(rule.pattern, flags, OPERATORS)
        self._groups = [] if self._expression is None else value_groups(rule, self._expression)

    def find(self, text: str, clock: TimeBudget) -> Iterator[RuleMatch]:
        """Yield the matches whose values count. Raises: ScanBudgetExceeded."""
        data = text.encode("utf-8", "surrogatepass")
        place = BytePlaces(data, is_ascii=len(data) == len(text))
        for whole, value in self._spans(data, clock):
            start, value_start = place.of(whole.start), place.of(value.start)
            match = RuleMatch(start, value_start, place.of(value.end), place.of(whole.end))
            if self._counts(text, match, clock):
                yield match

    def _spans(self, data: bytes, clock: TimeBudget) -> Iterator[tuple[ByteSpan, ByteSpan]]:
        if self._words is not None:
            yield from ((span, span) for span in self._words.find(data, clock))
        elif self._expression is not None:
            for spans in self._expression.find_groups(data, clock):
                value = next((spans[group] for group in self._groups if spans[group].start < spans[group].end), None)
                if value := value or _without_line_ends(data, spans[0]):
                    yield spans[0], value

    def _counts(self, text: str, match: RuleMatch, clock: TimeBudget) -> bool:
        value = text[match.value_start : match.value_end]
        if self._min_entropy and entropy_bits(value) <= self._min_entropy:
            return False
        return not any(check.allows(text, match, clock) for check in self._allowed)


def value_groups(rule: LinearRule, expression: BoundedExpression) -> list[int]:
    """Return the groups of which the first that took part marks the finding; none for the whole match.

    Raises:
        ExpressionRefused: the rule names a group that the expression has not.
    """
    if isinstance(rule.value_group, int):
        if not 0 < rule.value_group <= expression.groups:
            raise ExpressionRefused(f"the expression has no group {rule.value_group}")
        return [rule.value_group]
    if rule.value_group == FIRST_GROUP:
        return list(range(1, expression.groups + 1))
    named = expression.group_numbers.get("value")
    return [] if named is None else [named]


def _without_line_ends(data: bytes, span: ByteSpan) -> ByteSpan | None:
    start, end = span
    while start < end and data[start] == ord("\n"):
        start += 1
    while start < end and data[end - 1] == ord("\n"):
        end -= 1
    return ByteSpan(start, end) if start < end else None


def compile_any(expressions: Sequence[str]) -> list[BoundedExpression]:
    """Return expressions as one, or as several where they would be too large together.

    Raises:
        ExpressionRefused: one of them cannot be matched in linear time.
    """
    if len(expressions) > 1:
        try:
            joined = "|".join(f"(?:{one})" for one in expressions)
            return [BoundedExpression(joined, re.NOFLAG, OPERATORS)]
        except ExpressionRefused:
            pass
    return [BoundedExpression(one, re.NOFLAG, OPERATORS) for one in expressions]


class _AllowCheck:
    """One list of what is no finding, compiled."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed
        self._expressions = compile_any(allowed.expressions)
        # As gitleaks does, a word counts wherever it stands in a value.
        self._words = any_of(allowed.words, re.IGNORECASE, OPERATORS, _GROUP_BYTES)

    def allows(self, text: str, match: RuleMatch, clock: TimeBudget) -> bool:
        """Say whether a match is no finding. Raises: ScanBudgetExceeded."""
        value = text[match.value_start : match.value_end]
        by_word = any(one.is_in(value, clock) for one in self._words)
        if self._allowed.needs_all and self._words and not by_word:
            return False
        if by_word and not (self._allowed.needs_all and self._expressions):
            return True
        target = self._target(text, match, value)
        return any(one.is_in(target, clock) for one in self._expressions)

    def _target(self, text: str, match: RuleMatch, value: str) -> str:
        if self._allowed.target == "value":
            return value
        if self._allowed.target == "match":
            return text[match.start : match.end].strip("\n")
        begin = text.rfind("\n", 0, match.start) + 1
        end = text.find("\n", match.end)
        return text[begin : len(text) if end < 0 else end]
