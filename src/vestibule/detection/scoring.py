"""Scores one match by its check and its context, and compares the score to the threshold."""

import re
from typing import NamedTuple

from vestibule.detection.context import NOTHING, ContextScorer, ContextVerdict
from vestibule.detection.context.label_index import Label, LabelIndex, LabelMatches
from vestibule.detection.errors import DetectorFailed
from vestibule.detection.finding import Explanation, Finding
from vestibule.detection.matching import Matcher
from vestibule.detection.rules import Check

MAX_KEY_CHARS = 200
# Source: RFC 9562, sections 4 and 5: versions and variant.
_UUID = re.compile(
    r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[1-8][0-9A-Fa-f]{3}-[89ABab][0-9A-Fa-f]{3}-[0-9A-Fa-f]{12}"
    r"(?![0-9A-Za-z])"
)
_UUID_CHARS = 36


class KeyContext(NamedTuple):
    """The name of a field, as a label before its value, and the labels in it."""

    text: str
    labels: tuple[Label, ...]


class ScanPassage:
    """A value after its key context; an offset into `text` is that into the value plus `len(prefix)`."""

    __slots__ = ("_context_scorer", "_key_labels", "_label_matches", "_value_span", "prefix", "text")

    def __init__(self, value: str, key_context: KeyContext, label_index: LabelIndex) -> None:
        self.prefix = key_context.text
        self.text = key_context.text + value
        self._label_matches = LabelMatches(label_index, self.text)
        self._key_labels = key_context.labels
        self._context_scorer: dict[tuple[int, int], ContextScorer] = {}
        self._value_span: tuple[int, int] | None = None

    def is_whole_text(self, span: tuple[int, int]) -> bool:
        """Tell whether only white space surrounds the span."""
        if self._value_span is None:
            value = self.text[len(self.prefix) :]
            self._value_span = (len(self.text) - len(value.lstrip()), len(self.text.rstrip()))
        return span == self._value_span

    def weigh(self, matcher: Matcher, span: tuple[int, int], *, is_proof: bool = False) -> ContextVerdict:
        """Return the weight of the context of a span, which is read once for all rules."""
        found = self._context_scorer.get(span)
        if found is None:
            found = ContextScorer(self._label_matches, self.text, *span, self._key_labels)
            self._context_scorer[span] = found
        return found.weigh(matcher.topic, matcher.siblings, matcher.has_negative_labels, is_proof=is_proof)


def score_match(matcher: Matcher, passage: ScanPassage, span: tuple[int, int]) -> Explanation | None:
    """Score one match; None below the threshold."""
    rule = matcher.rule
    is_whole_text = rule.alone_score is not None and passage.is_whole_text(span)
    verdict = None
    if matcher.needs_label and not is_whole_text and not (rule.check and rule.broken_score is None):
        # A check cannot decide alone, and most matches have no label: read the context first.
        verdict = passage.weigh(matcher, span)
        if matcher.best_score + verdict.weight < matcher.threshold:
            return None
    value = passage.text[span[0] : span[1]]
    is_valid = rule.check is None or _passes(rule.check, value, matcher)
    score = rule.score if is_valid else rule.broken_score
    if score is None:
        return None
    if is_whole_text and is_valid:
        score = max(score, rule.alone_score or 0.0)
    if verdict is None:
        verdict = NOTHING if is_valid and matcher.is_certain else passage.weigh(matcher, span)
    if verdict.weight < 0 and is_valid and rule.proof is not None and _passes(rule.proof, value, matcher):
        verdict = passage.weigh(matcher, span, is_proof=True)
    score = min(score + verdict.weight, 1.0)
    if score < matcher.threshold or is_part_of_uuid(passage.text, *span):
        return None
    shift = len(passage.prefix)
    finding = Finding(matcher.detector.entity, span[0] - shift, span[1] - shift, score)
    return Explanation(finding, rule.name, matcher.check_results[is_valid], verdict.words)


def _passes(check: Check, value: str, matcher: Matcher) -> bool:
    try:
        return check(value)
    except BaseException as error:  # an operator's own check may raise `SystemExit`, which would end the service
        raise DetectorFailed(matcher.detector.entity) from error


def is_part_of_uuid(text: str, start: int, end: int) -> bool:
    """Tell whether a span is a part of a UUID, but not all of it.

    About one in 7,000 random UUIDs contains a valid IBAN or phone number. A whole UUID may be a secret.
    """
    for found in _UUID.finditer(text, max(0, start - _UUID_CHARS), end + _UUID_CHARS):
        if found.start() <= start and end <= found.end():
            return (start, end) != found.span()
    return False
