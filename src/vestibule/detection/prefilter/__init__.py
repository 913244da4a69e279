"""The prefilter: selects, in one pass, the rules worth trying on a text and the places to try them."""

from collections.abc import Sequence

from vestibule.detection.compiled_cache import CompiledCache
from vestibule.detection.matching import Matcher, TimeBudget
from vestibule.detection.normalization.decoding import SIGNS
from vestibule.detection.prefilter.engines import END, Literal, build_engine
from vestibule.detection.prefilter.literals import literals_of, whole_value_literals

# The rules worth trying, with the ends of their literals.
Candidates = dict[int, list[int]]

# Literals of values with fewer digits belong to the tier of labels.
_SEVERAL = 3
# A long text is read in chunks, between which the time budget is checked; they overlap by more than any literal.
CHUNK_CHARS = 32_768
OVERLAP_CHARS = 1_024
# The maximum length of a value that is the whole text.
MAX_WHOLE_VALUE_CHARS = 48
_DIGITS = b"0123456789"


class Prefilter:
    """Selects the candidate rules of a text in four tiers, of which most texts need only the first.

    The tiers: literals without digits; labels of values with digits; literals with several digits; whole values.
    """

    def __init__(self, matchers: Sequence[Matcher], cache: CompiledCache) -> None:
        self._fewest_digits = [matcher.fewest_digits for matcher in matchers]
        self._always = [number for number, matcher in enumerate(matchers) if matcher.is_always_tried]
        literals = [literal for number, matcher in enumerate(matchers) for literal in literals_of(matcher, number)]
        plain = [literal for literal in literals if not self._need(literal)]
        self._plain = _Tier([*plain, *(Literal(pattern, sign) for sign, pattern in SIGNS.items())], 0, cache)
        labels = [literal for literal in literals if self._need(literal) and not self._is_number(literal)]
        numbers = [literal for literal in literals if self._is_number(literal)]
        self._tiers = [_Tier(some, min(map(self._need, some), default=0), cache) for some in (labels, numbers)]
        whole_value = [
            literal for number, matcher in enumerate(matchers) for literal in whole_value_literals(matcher, number)
        ]
        self._whole_value = _Tier(whole_value, min(map(self._need, whole_value), default=0), cache)

    def _need(self, literal: Literal) -> int:
        """Return the minimum number of digits of a text in which the literal can lead to a finding."""
        return max(literal.fewest_digits, self._fewest_digits[literal.number])

    def _is_number(self, literal: Literal) -> bool:
        return literal.fewest_digits > 0 and self._need(literal) >= _SEVERAL

    def find_candidates(self, text: str, prefix: str, clock: TimeBudget | None = None) -> Candidates:
        """Return the rules worth trying; the ends are offsets into `prefix + text`.

        Raises:
            ScanBudgetExceeded: the budget is used up; checked for long texts only.
        """
        candidates: Candidates = {number: [0] for number in self._always}
        whole = prefix + text if prefix else text
        if len(whole) <= CHUNK_CHARS:
            self._scan_chunk(whole, 0, candidates)
        else:
            for start in range(0, len(whole), CHUNK_CHARS):
                if clock:
                    clock.check()
                low = max(start - OVERLAP_CHARS, 0)
                self._scan_chunk(whole[low : start + CHUNK_CHARS], low, candidates)
        if prefix:
            self._add_field_candidates(text, prefix, candidates)
        if len(text) <= MAX_WHOLE_VALUE_CHARS:
            self._add_whole_value_candidates(text, len(prefix), candidates)
        return candidates

    def _scan_chunk(self, chunk: str, low: int, candidates: Candidates) -> None:
        data = _encode(chunk)
        for number, end in self._plain.find(chunk, data):
            candidates.setdefault(number, []).append(end + low)
        digits = len(data) - len(data.translate(None, _DIGITS))
        if not digits:
            return
        fewest = self._fewest_digits
        for tier in self._tiers:
            if tier.least_digits <= digits:
                for number, end in tier.find(chunk, data):
                    if fewest[number] <= digits:
                        candidates.setdefault(number, []).append(end + low)

    def _add_field_candidates(self, text: str, prefix: str, candidates: Candidates) -> None:
        """A label in the name of the field applies to the whole text."""
        everywhere = range(len(prefix), len(prefix) + len(text) + 1, 64)
        for number, ends in candidates.items():
            if number >= 0 and ends[0] <= len(prefix) + 1:
                candidates[number] = [*ends, *everywhere]

    def _add_whole_value_candidates(self, text: str, shift: int, candidates: Candidates) -> None:
        data = _encode(text)
        if len(data) - len(data.translate(None, _DIGITS)) >= self._whole_value.least_digits:
            for number, end in self._whole_value.find(text, data):
                candidates.setdefault(number, []).append(end + shift)


class _Tier:
    """An engine, and the minimum number of digits of a text to run it on."""

    __slots__ = ("find", "least_digits")

    def __init__(self, literals: Sequence[Literal], least_digits: int, cache: CompiledCache) -> None:
        self.find = build_engine(literals, cache).find
        self.least_digits = least_digits


def _encode(text: str) -> bytes:
    try:
        return text.encode() + END
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass") + END
