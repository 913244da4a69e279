"""The scanner: text in, findings out."""

import copy
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from vestibule.detection.allow_list import build_allow_list
from vestibule.detection.catalogue import list_detectors
from vestibule.detection.compiled_cache import CompiledCache
from vestibule.detection.context import REFERENCE_WORDS, negative_topic_of
from vestibule.detection.context.label_index import LabelIndex
from vestibule.detection.errors import ScanBudgetExceeded, TextTooLarge
from vestibule.detection.finding import Explanation, Finding, resolve
from vestibule.detection.matching import WHOLE_TEXT_CHARS, Matcher, TimeBudget
from vestibule.detection.normalization import RewrittenText, is_plain, normalize
from vestibule.detection.normalization.decoding import BASE64, SIGNS, Layer, decode_layers, decode_tokens
from vestibule.detection.options import DEFAULTS, ScannerOptions
from vestibule.detection.prefilter import Candidates, Prefilter
from vestibule.detection.regex_analysis import analyze_all
from vestibule.detection.rule_files.linear_matcher import LinearMatcher
from vestibule.detection.rule_files.linear_rule import LinearRule
from vestibule.detection.rules import Detector
from vestibule.detection.scoring import MAX_KEY_CHARS, KeyContext, ScanPassage, score_match

# Expressions of this length and more take at least two milliseconds to compile.
SLOW_TO_COMPILE_CHARS = 300
# Encoded text within encoded text is decoded this often; a text with more is rejected.
MAX_DEPTH = 12
_NO_KEY = KeyContext("", ())


class Scanner:
    """Searches texts for personal data and secrets; built once, then shared by any number of threads."""

    def __init__(self, detectors: Sequence[Detector], options: ScannerOptions) -> None:
        self._options = options
        # What this scanner looks for.
        self.entities = frozenset(detector.entity for detector in detectors)
        cache = CompiledCache(options.cache_dir)
        self._matchers = _matchers(detectors, options, cache)
        self._label_index = LabelIndex(_labels(detectors))
        self._prefilter = Prefilter(self._matchers, cache)
        cache.clear_unused()
        self._is_allowed: Callable[[Explanation, str], bool] | None = build_allow_list(options)
        self._max_chars = options.max_text_chars
        self._key_context_of = lru_cache(maxsize=1_024)(self._build_key_context)

    @classmethod
    def from_settings(cls, settings: "ScannerOptions | None" = None) -> "Scanner":
        """Build a scanner with every detector that the settings do not switch off."""
        options = settings or DEFAULTS
        return cls([detector for detector in list_detectors(options) if _is_on(detector, options)], options)

    @property
    def budget_ms(self) -> float:
        """The time budget of a scan."""
        return self._options.scan_budget_ms

    def narrowed(
        self, options: ScannerOptions, min_score: float = 0.0, allows_value: Callable[[str], bool] | None = None
    ) -> "Scanner":
        """Return a scanner that leaves out findings, and has everything else in common with this one: it costs nothing.

        It drops what the `entities`, `ignored_entities`, `thresholds` and allow lists of `options` exclude, scores
        below `min_score` where `thresholds` has none, and values that `allows_value` takes, before it chooses between
        overlapping findings.

        Raises:
            InvalidDetector: a pattern is invalid or may take more than linear time.
        """
        is_allowed, before = build_allow_list(options), self._is_allowed
        wanted = (self.entities if options.entities is None else options.entities) - options.ignored_entities
        least = {entity: options.thresholds.get(entity, min_score) for entity in wanted}

        def is_left_out(explanation: Explanation, text: str) -> bool:
            score = least.get(explanation.finding.entity)
            if score is None or explanation.finding.score < score:
                return True
            finding = explanation.finding
            if allows_value is not None and allows_value(text[finding.start : finding.end]):
                return True
            return any(allows(explanation, text) for allows in (before, is_allowed) if allows is not None)

        scanner = copy.copy(self)
        scanner._is_allowed = is_left_out
        return scanner

    def warm_up(self) -> None:
        """Compile the slowest expressions now; each of the rest takes one or two milliseconds at its first use."""
        for matcher in self._matchers:
            if len(matcher.rule.pattern) >= SLOW_TO_COMPILE_CHARS:
                matcher.prepare(TimeBudget(0))
        # Allocates the scratch space of the prefilter engines for this thread.
        self._prefilter.find_candidates("card 4111 1111 1111 1111", "")

    def scan(self, text: str, *, key: str | None = None, budget_ms: float | None = None) -> list[Finding]:
        """Return the findings in `text`, in order and without overlap; `key` is the name of its field.

        `budget_ms` is the budget where that of the options is larger.

        Raises:
            TextTooLarge: the text exceeds the limit.
            ScanBudgetExceeded: the scan exceeded its time budget.
        """
        found = self.explain(text, key=key, budget_ms=budget_ms)
        return [explanation.finding for explanation in found] if found else []

    def explain(self, text: str, *, key: str | None = None, budget_ms: float | None = None) -> list[Explanation]:
        """Return the findings as `scan` does, with the reasons for each.

        Raises:
            TextTooLarge: the text exceeds the limit.
            ScanBudgetExceeded: the scan exceeded its time budget.
        """
        if len(text) > self._max_chars:
            raise TextTooLarge(self._max_chars)
        key_context = self._key_context_of(key[-MAX_KEY_CHARS:]) if key else _NO_KEY
        # On a short text the prefilter takes next to no time, and in most it finds no candidate.
        most_ms = self._options.scan_budget_ms if budget_ms is None else min(budget_ms, self._options.scan_budget_ms)
        clock = TimeBudget(most_ms) if len(text) > WHOLE_TEXT_CHARS else None
        if is_plain(text):
            found = self._search(text, key_context, clock)
        else:
            found = self._search_rewritten(normalize(text), key_context, clock)
        return self._choose(text, found) if found else found

    def _choose(self, text: str, found: list[Explanation]) -> list[Explanation]:
        """Drop allowed findings, and choose between overlapping ones."""
        if is_allowed := self._is_allowed:
            found = [explanation for explanation in found if not is_allowed(explanation, text)]
        return resolve(found) if len(found) > 1 else found

    def _search(
        self,
        text: str,
        key_context: KeyContext,
        clock: TimeBudget | None,
        path: tuple[str, ...] = (),
        zone: tuple[int, int] | None = None,
    ) -> list[Explanation]:
        """Search a normalized text and its layers; overlaps are not resolved yet.

        With a `zone`, findings of the text itself that do not overlap it may be left out.
        """
        candidates = self._prefilter.find_candidates(text, key_context.text, clock)
        may_be_form = "%" in text or ("+" in text and "=" in text)
        if not candidates and not may_be_form:
            return []
        clock = clock or TimeBudget(self._options.scan_budget_ms)
        found: list[Explanation] = []
        for layer in _layers_of(text, candidates, path, may_be_form=may_be_form):
            found += self._search_layer(layer, key_context, clock, path)
        if candidates:
            found += self._match(text, key_context, candidates, clock, zone)
        return found

    def layers(self, text: str) -> Iterator[str]:
        """Yield the normalized text and every text that is encoded in it, as a scan searches them.

        Raises:
            TextTooLarge: compressed content is too large to be scanned.
            ScanBudgetExceeded: there are too many layers.
        """
        return (layer for layer, _ in self.named_layers(text))

    def named_layers(self, text: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield what `layers` yields, each with the encodings around it, the outermost first; raises the same."""
        plain = text if is_plain(text) else normalize(text).text
        yield from self._layers(plain, TimeBudget(self._options.scan_budget_ms), ())

    def _layers(self, text: str, clock: TimeBudget, path: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield text, path
        candidates = self._prefilter.find_candidates(text, "", clock)
        may_be_form = "%" in text or ("+" in text and "=" in text)
        if not candidates and not may_be_form:
            return
        for layer in _layers_of(text, candidates, path, may_be_form=may_be_form):
            self._check_depth(clock, path)
            yield from self._layers(normalize(layer.content).text, clock, (*path, layer.kind))

    def spans(self, text: str) -> list[Finding]:
        """Return every match in a normalized text above the threshold, overlapping ones too, and none of its layers.

        Raises:
            ScanBudgetExceeded: the scan exceeded its time budget.
        """
        clock = TimeBudget(self._options.scan_budget_ms)
        candidates = self._prefilter.find_candidates(text, "", clock)
        own = {number: ends for number, ends in candidates.items() if number >= 0}
        return [one.finding for one in self._match(text, _NO_KEY, own, clock, None)] if own else []

    def _search_layer(
        self, layer: Layer, key_context: KeyContext, clock: TimeBudget, path: tuple[str, ...]
    ) -> Iterator[Explanation]:
        self._check_depth(clock, path)
        inner = normalize(layer.content)
        # Where normalizing made the text longer or shorter, the zone is not where it was.
        zone = layer.zone if len(inner.passes) == len(layer.content.passes) else None
        for explanation in self._search_rewritten(inner, key_context, clock, (*path, layer.kind), zone):
            if explanation.finding.start < layer.high and layer.low < explanation.finding.end:
                yield explanation._replace(decoded_from=layer.kind)

    def _check_depth(self, clock: TimeBudget, path: tuple[str, ...]) -> None:
        clock.check()
        if len(path) >= MAX_DEPTH:
            raise ScanBudgetExceeded(self._options.scan_budget_ms)

    def _search_rewritten(
        self,
        rewritten: RewrittenText,
        key_context: KeyContext,
        clock: TimeBudget | None,
        path: tuple[str, ...] = (),
        zone: tuple[int, int] | None = None,
    ) -> list[Explanation]:
        """Search a rewritten text; the offsets are those of the original."""
        found = []
        for explanation in self._search(rewritten.text, key_context, clock, path, zone):
            start, end = rewritten.span(explanation.finding.start, explanation.finding.end)
            found.append(explanation._replace(finding=explanation.finding._replace(start=start, end=end)))
        return found

    def _match(
        self,
        text: str,
        key_context: KeyContext,
        candidates: Candidates,
        clock: TimeBudget,
        zone: tuple[int, int] | None = None,
    ) -> list[Explanation]:
        passage = ScanPassage(text, key_context, self._label_index)
        shift = len(key_context.text)
        whole = passage.text
        is_short = len(whole) <= WHOLE_TEXT_CHARS
        zone = (zone[0] + shift, zone[1] + shift) if zone and not is_short else None
        found: list[Explanation] = []
        for number, ends in candidates.items():
            clock.check()
            matcher = self._matchers[number]
            if zone and not (ends := matcher.reaching(ends, zone)):
                continue
            matcher.prepare(clock)
            for span in matcher.find_all(whole) if is_short else matcher.find(whole, ends, clock):
                if span[0] < shift:
                    continue
                if isinstance(matcher, LinearMatcher):
                    explanation = matcher.explain(passage, span)
                else:
                    explanation = score_match(matcher, passage, span)
                if explanation:
                    found.append(explanation)
        return found

    def _build_key_context(self, key: str) -> KeyContext:
        text = f"{normalize(key).text}: "
        return KeyContext(text, tuple(self._label_index.find(text)))


def _layers_of(text: str, candidates: Candidates, path: tuple[str, ...], *, may_be_form: bool) -> Iterator[Layer]:
    """Yield what is encoded in a text; takes what the prefilter found of encodings out of `candidates`."""
    if BASE64 in candidates:
        yield from decode_tokens(text, candidates.pop(BASE64))
    if may_be_form or (candidates and min(candidates) < 0):
        signs = {sign: candidates.pop(sign) for sign in SIGNS if sign in candidates}
        yield from decode_layers(text, signs, path)


def _matchers(detectors: Sequence[Detector], options: ScannerOptions, cache: CompiledCache) -> list[Matcher]:
    topics: dict[str, list[int]] = {}
    for topic, detector in enumerate(detectors):
        topics.setdefault(detector.entity, []).append(topic)
    siblings = {entity: frozenset(numbers) for entity, numbers in topics.items()}
    rules = [rule for detector in detectors for rule in detector.rules if not isinstance(rule, LinearRule)]
    analyses = analyze_all((pattern for rule in rules for pattern in (rule.pattern, rule.prefilter) if pattern), cache)
    matchers: list[Matcher] = []
    for topic, detector in enumerate(detectors):
        threshold = options.thresholds.get(detector.entity, detector.threshold)
        for rule in detector.rules:
            if isinstance(rule, LinearRule):
                matcher: Matcher = LinearMatcher(detector, rule, topic, threshold)
            else:
                matcher = Matcher(detector, rule, topic, threshold, analyses)
            matcher.siblings = siblings[detector.entity]
            if matcher.can_pass():
                matchers.append(matcher)
    return matchers


def _is_on(detector: Detector, options: ScannerOptions) -> bool:
    is_wanted = options.entities is None or detector.entity in options.entities
    return is_wanted and detector.entity not in options.ignored_entities


def _labels(detectors: Sequence[Detector]) -> Iterator[tuple[str, int]]:
    for topic, detector in enumerate(detectors):
        yield from ((label, topic) for label in detector.labels)
        yield from ((label, negative_topic_of(topic)) for label in detector.against)
    yield from ((word, len(detectors)) for word in REFERENCE_WORDS)
