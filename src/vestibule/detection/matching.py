"""Runs one rule at the places that the prefilter selected, within the time budget of the scan."""

import re
from collections.abc import Mapping, Sequence
from time import perf_counter, thread_time

from vestibule.detection.context import CERTAIN, DIRECT, REACH_CHARS
from vestibule.detection.errors import ScanBudgetExceeded
from vestibule.detection.regex_analysis import RegexProperties, analyze_regex
from vestibule.detection.rules import Detector, Rule
from vestibule.detection.start_sets import start_set_of

# In a shorter text, windows cost more than they save.
WHOLE_TEXT_CHARS = 250
# At most this much is searched between two checks of the time budget.
CHUNK_CHARS = 4_096
# The maximum length of an opening, and of the search for the first digit of a value.
LOOKAHEAD_CHARS = 80
# In a smaller window the expression is fast enough without its start set.
LEAST_WINDOW_CHARS = 150
Spans = list[tuple[int, int]]
# At the start of a scan so much is not counted, unless the budget is small.
UNCOUNTED_S, LEAST_UNCOUNTED_MS = 0.001, 20.0
_DIGIT = re.compile("[0-9]")


class TimeBudget:
    """The time budget of one scan, in CPU time of the thread that creates the object.

    What other threads do meanwhile does not count: no text is rejected because others are scanned beside it.

    To read CPU time is a system call, and the elapsed time is not. A thread cannot use more of the one than of the
    other, so CPU time is read where the elapsed time leaves it open. Most scans end before the first millisecond has,
    and never read it.
    """

    __slots__ = ("_budget_ms", "_cpu_deadline", "_deadline", "_extra_s")

    def __init__(self, budget_ms: float) -> None:
        self._budget_ms = budget_ms
        self._extra_s = 0.0
        self._cpu_deadline: float | None = None
        self._deadline = perf_counter() + UNCOUNTED_S
        if budget_ms < LEAST_UNCOUNTED_MS:
            self._count()

    def check(self) -> None:
        """Raise `ScanBudgetExceeded` when the budget is used up."""
        if perf_counter() < self._deadline:
            return
        if self._cpu_deadline is None:
            self._count()
        elif thread_time() > self._cpu_deadline + self._extra_s:
            raise ScanBudgetExceeded(self._budget_ms)

    def extend(self, seconds: float) -> None:
        """Do not count time spent on what a process does only once."""
        self._extra_s += seconds

    def _count(self) -> None:
        """Count CPU time from now on."""
        self._deadline = perf_counter() + self._budget_ms / 1000
        self._cpu_deadline = thread_time() + self._budget_ms / 1000


class Matcher:
    """A rule of a detector, ready to run."""

    siblings: frozenset[int] = frozenset()
    # Set by `prepare`, since most rules are never used in a process.
    expression: re.Pattern[str]
    is_compiled = False
    # Whether it is tried on every text, since nothing in a text says that it may match.
    is_always_tried = False
    _starts: re.Pattern[str] | None = None

    def __init__(
        self,
        detector: Detector,
        rule: Rule,
        topic: int,
        threshold: float,
        analyses: Mapping[str, RegexProperties] | None = None,
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
        self.check_results = (f"{name}: failed", f"{name}: passed") if rule.check else (None, None)
        known = analyses or {pattern: analyze_regex(pattern) for pattern in (rule.pattern, rule.prefilter) if pattern}
        properties = known[rule.pattern]
        prefilter_properties = known[rule.prefilter] if rule.prefilter else properties
        literal_width = max(map(len, rule.anchors)) if rule.anchors else prefilter_properties.width
        self.prefilter_digits = prefilter_properties.fewest_digits
        self.fewest_digits = max(properties.fewest_digits, rule.fewest_digits)
        # With the characters before and after it.
        self.width = properties.width + 2
        self._properties = properties
        self._back, self._ahead = self._reach(literal_width + 2)
        self._group: str | int = "value" if "(?P<value>" in rule.pattern else 0

    def _reach(self, literal_width: int) -> tuple[int, int]:
        """Return how far before and after the end of a literal a match may begin."""
        if self.needs_label:
            # A label stands before or after the value; its literal ends where the label does.
            return self.width + 2 * REACH_CHARS, REACH_CHARS
        # The literal stands within the match.
        has_opening = self.rule.opening is not None
        return (min(literal_width + LOOKAHEAD_CHARS, self.width) if has_opening else self.width), 1

    def prepare(self, clock: TimeBudget) -> None:
        """Compile the expressions at the first use."""
        if self.is_compiled:
            return
        began = thread_time()
        if self._back + self._ahead >= LEAST_WINDOW_CHARS and (start_set := start_set_of(self.rule, self._properties)):
            self._starts = re.compile(start_set, re.DOTALL)
        self.expression = re.compile(self.rule.expression, re.IGNORECASE if self.rule.ignore_case else 0)
        self.is_compiled = True
        clock.extend(thread_time() - began)

    def can_pass(self) -> bool:
        """Tell whether any match of the rule can reach the threshold."""
        best = self.best_score + (DIRECT if self.detector.labels else 0.0)
        return max(best, self.rule.alone_score or 0.0) >= self.threshold

    def find_all(self, text: str) -> Spans:
        """Return the spans of the values in a short text."""
        group = self._group
        spans = [match.span(group) for match in self.expression.finditer(text)]
        return [span for span in spans if span[0] < span[1]]

    def reaching(self, ends: Sequence[int], zone: tuple[int, int]) -> list[int]:
        """Return those of the `ends` of literals near which a match may overlap `zone`."""
        low, high = zone[0] - self._ahead - self.width, zone[1] + self._back
        return [end for end in ends if low < end < high]

    def find(self, text: str, ends: Sequence[int], clock: TimeBudget) -> Spans:
        """Return the spans of the values near the `ends` of the literals.

        Raises:
            ScanBudgetExceeded: the budget is used up.
        """
        matches: list[re.Match[str]] = []
        size, width, needs_digit = len(text), self.width, self.fewest_digits > 0
        search = self._search if self._starts is None else self._try_start_set
        for low, high in self._windows(size, ends):
            clock.check()
            if not needs_digit or _DIGIT.search(text, low, high + width):
                search(text, low, high, matches)
        group = self._group
        spans = [match.span(group) for match in matches]
        return [span for span in spans if span[0] < span[1]]

    def _try_start_set(self, text: str, low: int, high: int, matches: list[re.Match[str]]) -> None:
        """Add the matches from `low` to `high`, trying only the places of the start set."""
        assert self._starts is not None  # noqa: S101 - checked by the caller
        match_at = self.expression.match
        at = max(low, matches[-1].end()) if matches else low
        # The lookahead of the start set reads beyond the last place where a match may begin.
        for start in self._starts.finditer(text, at, high + LOOKAHEAD_CHARS):
            begin = start.start()
            if begin >= high:
                return
            if begin >= at and (match := match_at(text, begin)):
                at = match.end()
                matches.append(match)

    def _search(self, text: str, low: int, high: int, matches: list[re.Match[str]]) -> None:
        """Add the matches from `low` to `high`."""
        end, size = high + self.width, len(text)
        at = max(low, matches[-1].end()) if matches else low
        for found in self.expression.finditer(text, at, end):
            if found.end() < end or end >= size:
                matches.append(found)
            # The end of the window may cut a match: match again without it.
            elif match := self.expression.match(text, found.start()):
                matches.append(match)

    def _windows(self, size: int, ends: Sequence[int]) -> Sequence[tuple[int, int]]:
        """Return the windows in which matches may begin, as pairs of offsets."""
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
        if not is_long:
            return windows
        return [(at, min(at + CHUNK_CHARS, high)) for low, high in windows for at in range(low, high, CHUNK_CHARS)]
