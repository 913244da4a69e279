"""Analyzes texts as Presidio's analyzer is asked to, by our scanner."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

from vestibule.client_service.compat.presidio.ad_hoc import DEFAULT_FLAGS, read_flags, read_recognizers, read_texts
from vestibule.client_service.compat.presidio.names import OURS, AskedEntities, asked_entities
from vestibule.client_service.compat.presidio.refusals import (
    NO_LANGUAGE,
    NO_RECOGNIZERS,
    NO_TEXT,
    PresidioRefusal,
    members_of,
    not_parsed,
)
from vestibule.client_service.screening.scan_errors import refusal_of
from vestibule.client_service.screening.screener import MOST_SCANS_WAITING, SHORT_TEXT_CHARS, Screener
from vestibule.contracts.errors import TooLarge
from vestibule.detection import DetectionError, Explanation, Scanner
from vestibule.detection.ad_hoc import AdHocRecognizer, AdHocScanner, BoundedExpression, ExpressionRefused, SharedBudget
from vestibule.detection.options import DEFAULTS

MOST_TEXTS = 10_000
MOST_ENTITIES, MOST_ALLOWED, MOST_ALLOWED_EXPRESSIONS, MOST_CONTEXT = 500, 1_000, 20, 100
MAX_ENTITY_CHARS, MAX_ALLOWED_CHARS, MAX_CONTEXT_CHARS = 200, 1_000, 200
# What all findings of an answer may have, about: an expression of the request is repeated with each of its findings.
MAX_REPLY_CHARS = 32 * 1024 * 1024
_FINDING_CHARS, _REASONS_CHARS = 120, 400


@dataclass(frozen=True, slots=True)
class AnalyzeRequest:
    """A request that is read, and not compiled yet."""

    texts: Sequence[str]
    is_batch: bool
    language: str
    asked: Sequence[str]
    min_score: float
    is_explaining: bool
    context: Sequence[str]
    allowed: Sequence[str]
    allows_by_expression: bool
    allow_flags: re.RegexFlag
    recognizers: Sequence[AdHocRecognizer]

    @property
    def is_plain(self) -> bool:
        """Whether it brings neither recognizers nor an allow list."""
        return not self.recognizers and not self.allowed

    @property
    def needs_thread(self) -> bool:
        """Whether to compile it takes long, and each of its texts may too: it has expressions of the caller."""
        return bool(self.recognizers or (self.allowed and self.allows_by_expression))


def read_request(content: Any) -> AnalyzeRequest:
    """Return what a client asks for; unknown members are ignored.

    Raises:
        PresidioRefusal: a member is missing or not valid.
    """
    given = members_of(content, not_parsed("The request must be a JSON object."))
    language = given.get("language")
    recognizers = read_recognizers(given.get("ad_hoc_recognizers"), language)
    text = given.get("text")
    if not text:
        raise PresidioRefusal(500, NO_TEXT)
    texts = text if isinstance(text, list) else [text]
    if not all(isinstance(one, str) for one in texts):
        raise not_parsed("`text` must be a string or a list of strings.")
    if len(texts) > MOST_TEXTS:
        raise not_parsed(f"`text` may have at most {MOST_TEXTS:,} texts.")
    if not language:
        raise PresidioRefusal(500, NO_LANGUAGE)
    min_score = given.get("score_threshold")
    if min_score is not None and (not isinstance(min_score, int | float) or isinstance(min_score, bool)):
        raise not_parsed("`score_threshold` must be a number.")
    by_expression = given.get("allow_list_match", "exact")
    allowed = read_texts(given.get("allow_list"), "allow_list", MOST_ALLOWED, MAX_ALLOWED_CHARS)
    if allowed and by_expression not in ("exact", "regex"):
        raise PresidioRefusal(500, "allow_list_match must either be set to 'exact' or 'regex'.")
    return AnalyzeRequest(
        texts=texts,
        is_batch=isinstance(text, list),
        language=language if isinstance(language, str) else "",
        asked=read_texts(given.get("entities"), "entities", MOST_ENTITIES, MAX_ENTITY_CHARS),
        min_score=min_score or 0.0,
        is_explaining=bool(given.get("return_decision_process")),
        context=read_texts(given.get("context"), "context", MOST_CONTEXT, MAX_CONTEXT_CHARS),
        allowed=allowed,
        allows_by_expression=by_expression == "regex",
        allow_flags=read_flags(given.get("regex_flags"), DEFAULT_FLAGS),
        recognizers=recognizers,
    )


class _ReplyBound:
    """What is left of the length of an answer."""

    def __init__(self) -> None:
        self._left = MAX_REPLY_CHARS

    def take(self, chars: int) -> None:
        """Count what an answer has. Raises: TooLarge."""
        self._left -= chars
        if self._left < 0:
            raise TooLarge("The findings are too long together for one answer.")


@dataclass(frozen=True, slots=True)
class Analysis:
    """A request that is compiled: it finds what the client asks for in one text after the other."""

    asked: AskedEntities
    request: AnalyzeRequest
    _own: Scanner
    _ad_hoc: AdHocScanner | None
    _is_allowed: Callable[[str], bool] | None
    _bound: _ReplyBound = field(default_factory=_ReplyBound)

    @classmethod
    async def prepare(cls, screener: Screener, request: AnalyzeRequest) -> "Analysis":
        """Compile a request.

        Raises:
            PresidioRefusal: nothing of what it asks for is served, or an expression cannot be taken.
            TooManyWaiting: too much of the token waits to be done in a thread.
        """
        work = partial(cls._compile, screener.scanner, request)
        return await screener.in_thread(work, MOST_SCANS_WAITING) if request.needs_thread else work()

    @classmethod
    def _compile(cls, scanner: Scanner, request: AnalyzeRequest) -> "Analysis":
        if request.is_plain and (not request.asked or _known(scanner).issuperset(request.asked)):
            asked, own = _narrowed(scanner, tuple(request.asked), request.min_score)
            return cls(asked, request, own, None, None)
        wanted = [one for one in request.recognizers if not request.asked or one.entity in request.asked]
        asked = asked_entities(request.asked, scanner.entities, {one.entity for one in wanted})
        if not asked.names and not wanted:
            raise PresidioRefusal(500, NO_RECOGNIZERS)
        is_allowed = _allow_list(request, scanner.budget_ms)
        options = DEFAULTS._replace(entities=frozenset(asked.names))
        own = scanner.narrowed(options, request.min_score, is_allowed)
        try:
            ad_hoc = AdHocScanner(wanted, request.context, scanner.budget_ms) if wanted else None
        except ExpressionRefused as refused:
            raise PresidioRefusal(500, f"Invalid regex pattern: {refused}") from None
        return cls(asked, request, own, ad_hoc, is_allowed)

    def analyze_short(self, texts: Iterable[str]) -> Iterator[list[dict[str, Any]]]:
        """Yield what `analyze` returns for each of some texts, which need no thread: they are short.

        Raises:
            TooLarge: also where the answer is.
            ScanImpossible: as `Screener.screen` does.
        """
        key = " ".join(self.request.context) or None
        try:
            for text in texts:
                found = self._own.explain(text, key=key)
                yield self._views(found) if found else []
        except DetectionError as error:
            raise refusal_of(error) from error

    def is_short(self, text: str) -> bool:
        """Whether to analyze a text takes so little that no other request has to wait for it."""
        return len(text) <= SHORT_TEXT_CHARS and not self.request.needs_thread

    async def analyze(self, screener: Screener, text: str) -> list[dict[str, Any]]:
        """Return what is found in a text, the surest first, without overlap.

        Raises:
            TooLarge: also where the answer is.
            ScanImpossible, TooManyWaiting: as `Screener.screen` does.
        """
        key = " ".join(self.request.context) or None
        if not self.request.needs_thread:
            return self._views(await screener.scan_by(self._own.explain, text, key))
        try:
            return await screener.in_thread(lambda: self._views(self._find_all(text, key)), MOST_SCANS_WAITING)
        except DetectionError as error:
            raise refusal_of(error) from error

    def _find_all(self, text: str, key: str | None) -> list[Explanation]:
        found = self._own.explain(text, key=key)
        if self._ad_hoc is None:
            return found
        found = self._ad_hoc.find(text, found, self.request.min_score)
        allows = self._is_allowed
        return [one for one in found if allows is None or not allows(text[one.finding.start : one.finding.end])]

    def _views(self, found: list[Explanation]) -> list[dict[str, Any]]:
        self._bound.take(sum(map(self._chars_of, found)))
        if len(found) > 1:
            found = sorted(found, key=lambda one: (-one.finding.score, one.finding.start))
        return [self._view(one) for one in found]

    def _chars_of(self, explanation: Explanation) -> int:
        """Return about how long the view of a finding is."""
        if not self.request.is_explaining:
            return _FINDING_CHARS
        pattern = None if self._ad_hoc is None else self._ad_hoc.pattern_of(explanation)
        return _FINDING_CHARS + _REASONS_CHARS + (0 if pattern is None else len(pattern.expression))

    def _view(self, explanation: Explanation) -> dict[str, Any]:
        finding = explanation.finding
        pattern = None if self._ad_hoc is None else self._ad_hoc.pattern_of(explanation)
        return {
            "analysis_explanation": self._reasons(explanation) if self.request.is_explaining else None,
            "end": finding.end,
            "entity_type": finding.entity if pattern else self.asked.names[finding.entity],
            "score": round(finding.score, 3),
            "start": finding.start,
        }

    def _reasons(self, explanation: Explanation) -> dict[str, Any]:
        finding = explanation.finding
        pattern = None if self._ad_hoc is None else self._ad_hoc.pattern_of(explanation)
        score = round(finding.score, 3)
        original = score if pattern is None else pattern.score
        if pattern is not None:
            words = f"Detected by `{pattern.recognizer}` using pattern `{pattern.name}`"
        else:
            words = f"Found by the rule {explanation.rule} of {finding.entity}"
            words += "".join(f"; {reason}" for reason in (explanation.check, explanation.decoded_from) if reason)
        return {
            "original_score": original,
            "pattern": pattern.expression if pattern else None,
            "pattern_name": pattern.name if pattern else explanation.rule,
            "recognizer": pattern.recognizer if pattern else recognizer_of(finding.entity),
            "regex_flags": None,
            "score": score,
            "score_context_improvement": round(score - original, 3),
            "supportive_context_word": explanation.context[0] if explanation.context else "",
            "textual_explanation": words,
            "validation_result": None if explanation.check is None else explanation.check.endswith("passed"),
        }


@lru_cache(8)
def _known(scanner: Scanner) -> frozenset[str]:
    """Return every name that is served."""
    return scanner.entities.union(OURS)


# Only requests whose names are all known get here, so that nothing else of what callers send is kept.
@lru_cache(256)
def _narrowed(scanner: Scanner, names: tuple[str, ...], min_score: float) -> tuple[AskedEntities, Scanner]:
    asked = asked_entities(names, scanner.entities)
    return asked, scanner.narrowed(DEFAULTS._replace(entities=frozenset(asked.names)), min_score)


def recognizer_of(entity: str) -> str:
    """Return the name of what finds an entity, in Presidio's style: `EmailAddressRecognizer`."""
    return "".join(part.capitalize() for part in entity.split("_")) + "Recognizer"


def _allow_list(request: AnalyzeRequest, budget_ms: float) -> Callable[[str], bool] | None:
    if not request.allowed:
        return None
    if not request.allows_by_expression:
        return frozenset(request.allowed).__contains__
    written = [one for one in request.allowed if one]
    if len(written) > MOST_ALLOWED_EXPRESSIONS:
        raise not_parsed(f"`allow_list` may have at most {MOST_ALLOWED_EXPRESSIONS} regular expressions.")
    try:
        expressions = [BoundedExpression(one, request.allow_flags) for one in written]
    except ExpressionRefused as refused:
        raise PresidioRefusal(500, f"Invalid regex pattern: {refused}") from None
    budget = SharedBudget(budget_ms)

    def is_allowed(value: str) -> bool:
        with budget.clock() as clock:
            return any(one.is_in(value, clock) for one in expressions)

    return is_allowed
