"""Runs one rule over the places that the prefilter selected."""

import re
from collections.abc import Sequence
from time import perf_counter

from vestibule.detection.context.context import CERTAIN, DIRECT, REACH_CHARS
from vestibule.detection.regex.analysis import RegexAnalysisCache, analyze_regex
from vestibule.detection.regex.start_sets import start_set_of
from vestibule.detection.rules import Detector, Rule
from vestibule.detection.time_budget import TimeBudget

# Below this a window saves less than it costs.
WHOLE_TEXT_CHARS = 250
# The most that is searched between two looks at the clock.
CHUNK_CHARS = 4_096
# No opening is longer, nor how far the first digit of a value is looked for.
LOOKAHEAD_CHARS = 80
# In a smaller window the expression itself finds where it begins soon enough.
LEAST_WINDOW_CHARS = 150
Spans = list[tuple[int, int]]
_DIGIT = re.compile("[0-9]")


class Matcher:
    """A rule of a detector, ready to run."""

    siblings: frozenset[int] = frozenset()

    def __init__(
        self, detector: Detector, rule: Rule, topic: int, threshold: float, analyses: RegexAnalysisCache | None = None
    ) -> None:
        self.detector = detector
        self.rule = rule
        self.topic = topic
        self.threshold = threshold
        self.needs_label = rule.score < threshold
        self.is_certain = rule.score >= max(CERTAIN, threshold)
        self.best_score = max(rule.score, rule.broken_score or 0.0)
        self.has_negative_labels = bool(detector.against)
        name = getattr(rule.check, "__name__", type(rule.check).__name__)
        self._check_results = (f"{name}: failed", f"{name}: passed") if rule.check else (None, None)
        properties = analyses[rule.pattern] if analyses else analyze_regex(rule.pattern)
        prefilter_properties = (
            (analyses[rule.prefilter] if analyses else analyze_regex(rule.prefilter)) if rule.prefilter else properties
        )
        literal_width = max(map(len, rule.anchors)) if rule.anchors else prefilter_properties.width
        self.prefilter_digits = prefilter_properties.fewest_digits
        self.fewest_digits = max(properties.fewest_digits, rule.fewest_digits)
        # With the character before and the one after.
        self.width = properties.width + 2
        self._properties = properties
        self._back, self._ahead = self._reach(literal_width + 2)
        self._compiled: re.Pattern[str] | None = None
        self._starts: re.Pattern[str] | None = None
        self._group: str | int = "value" if "(?P<value>" in rule.pattern else 0

    def _reach(self, literal_width: int) -> tuple[int, int]:
        """Say how far before and after the end of a literal a match may begin."""
        if self.needs_label:
            # A label stands before a value or after it; its literal ends where the label does.
            return self.width + 2 * REACH_CHARS, REACH_CHARS
        # The literal stands within the match.
        is_opened = self.rule.opening is not None
        return (min(literal_width + LOOKAHEAD_CHARS, self.width) if is_opened else self.width), 1

    @property
    def expression(self) -> re.Pattern[str]:
        """The compiled pattern."""
        return self._compiled or self._compile()

    def describe_check(self, is_valid: bool) -> str | None:
        """Name the check and what it said; None where there is none."""
        return self._check_results[is_valid]

    def prepare(self, clock: TimeBudget) -> None:
        """Compile the pattern at the first use, since most rules of a process are never used."""
        if self._compiled is None:
            began = perf_counter()
            self._compile()
            clock.extend(perf_counter() - began)

    def _compile(self) -> re.Pattern[str]:
        if self._back + self._ahead >= LEAST_WINDOW_CHARS and (start_set := start_set_of(self.rule, self._properties)):
            self._starts = re.compile(start_set, re.DOTALL)
        self._compiled = re.compile(self.rule.expression, re.IGNORECASE if self.rule.ignore_case else 0)
        return self._compiled

    def can_pass(self) -> bool:
        """Say whether any score of the rule reaches the threshold under the best of circumstances."""
        best = max(self.rule.score, self.rule.broken_score or 0.0) + (DIRECT if self.detector.labels else 0.0)
        return max(best, self.rule.alone_score or 0.0) >= self.threshold

    def find_all(self, text: str) -> Spans:
        """Give the spans of the values in a short text."""
        group = self._group
        spans = [match.span(group) for match in self.expression.finditer(text)]
        return [span for span in spans if span[0] < span[1]]

    def find(self, text: str, ends: Sequence[int], clock: TimeBudget) -> Spans:
        """Give the spans of the values near the `ends` of the literals.

        Raises:
            ScanBudgetExceeded: the clock ran out.
        """
        matches: list[re.Match[str]] = []
        size, width, needs_digit = len(text), self.width, self.fewest_digits > 0
        self.expression  # noqa: B018 - compiled before it is known whether there is a cheaper way to the beginnings
        search = self._search if self._starts is None else self._try_start_set
        for low, high in self._windows(size, ends):
            clock.check()
            if not needs_digit or _DIGIT.search(text, low, high + width):
                search(text, low, high, matches)
        group = self._group
        spans = [match.span(group) for match in matches]
        return [span for span in spans if span[0] < span[1]]

    def _try_start_set(self, text: str, low: int, high: int, matches: list[re.Match[str]]) -> None:
        """Add what matches from `low` to `high` at the places where the expression may begin to, and not before."""
        assert self._starts is not None  # noqa: S101 - the caller has looked
        match_at = self.expression.match
        at = max(low, matches[-1].end()) if matches else low
        # What a match begins with is looked at a little beyond where it may begin.
        for start in self._starts.finditer(text, at, high + LOOKAHEAD_CHARS):
            begin = start.start()
            if begin >= high:
                return
            if begin >= at and (match := match_at(text, begin)):
                at = match.end()
                matches.append(match)

    def _search(self, text: str, low: int, high: int, matches: list[re.Match[str]]) -> None:
        """Add what matches from `low` to `high`."""
        end, size = high + self.width, len(text)
        at = max(low, matches[-1].end()) if matches else low
        for found in self.expression.finditer(text, at, end):
            if found.end() < end or end >= size:
                matches.append(found)
            # The end of a window looks like the end of the text, where more may match than really does.
            elif match := self.expression.match(text, found.start()):
                matches.append(match)

    def _windows(self, size: int, ends: Sequence[int]) -> Sequence[tuple[int, int]]:
        """Give where matches may begin, as pairs of offsets."""
        back, ahead = self._back, self._ahead
        if len(ends) > 1:
            ends = sorted(ends)
        low, high = max(ends[0] - back, 0), min(ends[0] + ahead, size)
        windows = []
        for end in ends:
            if end - back > high:
                windows.append((low, high))
                low = end - back
            high = min(end + ahead, size)
        windows.append((low, high))
        is_long = any(high - low > CHUNK_CHARS for low, high in windows)
        return [chunk for window in windows for chunk in _chunks(*window)] if is_long else windows


def _chunks(low: int, high: int) -> list[tuple[int, int]]:
    return [(at, min(at + CHUNK_CHARS, high)) for at in range(low, high, CHUNK_CHARS)]
