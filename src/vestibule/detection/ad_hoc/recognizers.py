"""Recognizers of callers: each names an entity that its patterns and words find; words nearby raise their scores."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from vestibule.detection.ad_hoc.budget import SharedBudget
from vestibule.detection.ad_hoc.expressions import CALLERS, BoundedExpression, ByteSpan, ExpressionLimits
from vestibule.detection.finding import Explanation, Finding, resolve
from vestibule.detection.matching import TimeBudget

# How a word nearby counts, and how many words before a match are looked at.
# Source: presidio_analyzer/context_aware_enhancers/lemma_context_aware_enhancer.py, the defaults.
CONTEXT_GAIN, LEAST_WITH_CONTEXT, WORDS_BEFORE = 0.35, 0.4, 5
# Their characters before a match.
_CONTEXT_CHARS = 200
_WORD = re.compile(r"\w+")
_PREFIX = "ad_hoc:"
# Words of one expression together, in bytes: a long list becomes several.
_GROUP_BYTES = 600


class AdHocPattern(NamedTuple):
    """One pattern: what its recognizer is called, its own name, the expression and the score of a match."""

    recognizer: str
    name: str
    expression: str
    score: float


@dataclass(frozen=True, slots=True)
class AdHocRecognizer:
    """The patterns and the words of one entity; words in `context` raise the score of a match near them."""

    entity: str
    name: str
    patterns: Sequence[AdHocPattern] = ()
    words: Sequence[str] = ()
    words_score: float = 1.0
    context: frozenset[str] = frozenset()
    flags: re.RegexFlag = re.DOTALL | re.MULTILINE | re.IGNORECASE


class _Search(NamedTuple):
    find: Callable[[bytes, TimeBudget], Iterator[ByteSpan]]
    pattern: AdHocPattern
    recognizer: AdHocRecognizer


class AdHocScanner:
    """The recognizers of one request, compiled; it finds beside them what a scanner finds."""

    def __init__(self, recognizers: Sequence[AdHocRecognizer], context: Sequence[str], budget_ms: float) -> None:
        """Compile them; words of `context` count for every text.

        Raises:
            ExpressionRefused: an expression cannot be taken.
        """
        self._budget = SharedBudget(budget_ms)
        self._context = frozenset(word for text in context for word in _WORD.findall(text.casefold()))
        self._searches = [search for recognizer in recognizers for search in _searches_of(recognizer)]
        self.entities = frozenset(recognizer.entity for recognizer in recognizers)

    def pattern_of(self, explanation: Explanation) -> AdHocPattern | None:
        """Return the pattern that found something; None for what a scanner found."""
        if not explanation.rule.startswith(_PREFIX):
            return None
        return self._searches[int(explanation.rule.removeprefix(_PREFIX))].pattern

    def find(self, text: str, found: Sequence[Explanation], min_score: float) -> list[Explanation]:
        """Return what these recognizers find, and what was `found` otherwise, without overlap.

        At the same place what the caller looks for counts; elsewhere the surest does.

        Raises:
            ScanBudgetExceeded: it takes too long, or the texts before have taken too long.
        """
        with self._budget.clock() as clock:
            own = self._find_own(text, min_score, clock)
        places = {one.finding[1:3] for one in own}
        return resolve([*(one for one in found if one.finding[1:3] not in places), *own])

    def _find_own(self, text: str, min_score: float, clock: TimeBudget) -> list[Explanation]:
        data = text.encode("utf-8", "surrogatepass")
        own = []
        for number, search in enumerate(self._searches):
            place = BytePlaces(data, is_ascii=len(data) == len(text))
            for span in search.find(data, clock):
                start, end = place.of(span.start), place.of(span.end)
                near = context_word(text, start, search.recognizer.context, self._context)
                score = score_with_context(search.pattern.score, has_context=bool(near))
                if score > 0 and score >= min_score:
                    finding = Finding(search.recognizer.entity, start, end, score)
                    own.append(Explanation(finding, f"{_PREFIX}{number}", None, near))
        return own


def context_word(text: str, start: int, wanted: Collection[str], given: Collection[str] = ()) -> tuple[str, ...]:
    """Return the nearest word right before a match that is wanted, or else one that was given; or nothing."""
    if not wanted:
        return ()
    before = _WORD.findall(text[max(0, start - _CONTEXT_CHARS) : start].casefold())[-WORDS_BEFORE:]
    return next(((word,) for word in (*reversed(before), *given) if word in wanted), ())


def score_with_context(score: float, *, has_context: bool) -> float:
    """Return the score of a match of a pattern with a score, where there is a word of its context or not."""
    return max(min(1.0, score + CONTEXT_GAIN), LEAST_WITH_CONTEXT) if has_context and score > 0 else score


class BytePlaces:
    """Turns places in UTF-8 into places in characters, from left to right."""

    def __init__(self, data: bytes, *, is_ascii: bool) -> None:
        self._data = data
        self._is_ascii = is_ascii
        self._at = self._characters = 0

    def of(self, place: int) -> int:
        """Return the number of characters before a place that is not left of the last one."""
        if self._is_ascii:
            return place
        self._characters += len(self._data[self._at : place].decode("utf-8", "surrogatepass"))
        self._at = place
        return self._characters


def _searches_of(recognizer: AdHocRecognizer) -> Iterator[_Search]:
    for pattern in recognizer.patterns:
        yield _Search(BoundedExpression(pattern.expression, recognizer.flags).find, pattern, recognizer)
    if recognizer.words:
        pattern = AdHocPattern(recognizer.name, "deny_list", "", recognizer.words_score)
        yield _Search(WordSearch(recognizer.words, recognizer.flags).find, pattern, recognizer)


class WordSearch:
    """Finds whole words and phrases, the longest first."""

    def __init__(self, words: Sequence[str], flags: re.RegexFlag) -> None:
        self._groups = any_of(words, flags & re.IGNORECASE, CALLERS, _GROUP_BYTES)

    def find(self, data: bytes, clock: TimeBudget) -> Iterator[ByteSpan]:
        """Yield where they stand, from left to right. Raises: ScanBudgetExceeded."""
        found = [span for group in self._groups for span in group.find(data, clock) if _is_whole(data, span)]
        return iter(sorted(found))


def _is_whole(data: bytes, span: ByteSpan) -> bool:
    before = data[max(0, span.start - 4) : span.start].decode("utf-8", "ignore")[-1:]
    after = data[span.end : span.end + 4].decode("utf-8", "ignore")[:1]
    return not _is_word(before) and not _is_word(after)


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def any_of(
    words: Collection[str], flags: re.RegexFlag, limits: ExpressionLimits, group_bytes: int
) -> list[BoundedExpression]:
    """Return expressions that find texts as they are, the longest first; each has so many bytes of them."""
    ordered = sorted({word for word in words if word}, key=len, reverse=True)
    groups = _grouped(ordered, group_bytes)
    return [BoundedExpression("|".join(map(_escaped, group)), flags, limits) for group in groups]


def _grouped(words: Sequence[str], most_bytes: int) -> Iterator[list[str]]:
    group: list[str] = []
    size = 0
    for word in words:
        length = len(word.encode("utf-8", "surrogatepass"))
        if group and size + length > most_bytes:
            yield group
            group, size = [], 0
        group.append(word)
        size += length
    if group:
        yield group


def _escaped(word: str) -> str:
    return re.sub(r"([\\.^$|()\[\]{}*+?\-])", r"\\\1", word)
