"""The gates of a scanner: which rules are worth trying on a text, and near which places."""

from collections.abc import Sequence

from vestibule.detection.matching import Matcher
from vestibule.detection.normalization.decoding import BASE64_SIGN
from vestibule.detection.prefilter.compiled_cache import CompiledCache
from vestibule.detection.prefilter.engines import END, Literal, build_engine
from vestibule.detection.prefilter.literals import label_literals, literals_of
from vestibule.detection.time_budget import TimeBudget

# Each rule that is worth trying, with the ends of its signs.
Fired = dict[int, list[int]]

# What needs fewer digits than this is looked for among the words.
_SEVERAL = 3
# The number under which base64 fires.
BASE64 = -1
# A long text is read in pieces, so that the clock is looked at; each repeats the end of the one before it, which is
# more than any sign takes.
PIECE_CHARS = 32_768
OVERLAP_CHARS = 1_024
# A value that is a text of its own is no longer than this.
LONGEST_ALONE_CHARS = 48
_DIGITS = b"0123456789"


class Prefilter:
    """Four of them, so that a text pays for no more than it needs.

    One is for what holds no digit; one for labels and the like, whose values hold some; one for what holds several
    itself; and one for a value that is all the text.
    """

    def __init__(self, matchers: Sequence[Matcher], cache: CompiledCache) -> None:
        self._fewest_digits = [matcher.fewest_digits for matcher in matchers]
        literals = [literal for number, matcher in enumerate(matchers) for literal in literals_of(matcher, number)]
        plain = [literal for literal in literals if not self._need(literal)]
        self._plain = _Tier([*plain, Literal(BASE64_SIGN, BASE64)], 0, cache)
        labels = [literal for literal in literals if self._need(literal) and not self._is_number(literal)]
        numbers = [literal for literal in literals if self._is_number(literal)]
        self._tiers = [_Tier(some, min(map(self._need, some), default=0), cache) for some in (labels, numbers)]
        alone = [literal for number, matcher in enumerate(matchers) for literal in label_literals(matcher, number)]
        self._alone = _Tier(alone, min(map(self._need, alone), default=0), cache)

    def _need(self, literal: Literal) -> int:
        """How many digits a text holds at least where the sign is of use."""
        return max(literal.fewest_digits, self._fewest_digits[literal.number])

    def _is_number(self, literal: Literal) -> bool:
        return literal.fewest_digits > 0 and self._need(literal) >= _SEVERAL

    def fire(self, text: str, lead: str, clock: TimeBudget | None = None) -> Fired:
        """Give the rules worth trying; the ends are offsets into `lead` and `text` together.

        Raises:
            ScanBudgetExceeded: the clock ran out; it is looked at for long texts only.
        """
        fired: Fired = {}
        whole = lead + text if lead else text
        if len(whole) <= PIECE_CHARS:
            self._fire_piece(whole, 0, fired)
        else:
            for start in range(0, len(whole), PIECE_CHARS):
                if clock:
                    clock.check()
                low = max(start - OVERLAP_CHARS, 0)
                self._fire_piece(whole[low : start + PIECE_CHARS], low, fired)
        if lead:
            self._fire_field(text, lead, fired)
        if len(text) <= LONGEST_ALONE_CHARS:
            self._fire_alone(text, len(lead), fired)
        return fired

    def _fire_piece(self, piece: str, low: int, fired: Fired) -> None:
        data = _encode(piece)
        for number, end in self._plain.find(piece, data):
            fired.setdefault(number, []).append(end + low)
        digits = len(data) - len(data.translate(None, _DIGITS))
        if not digits:
            return
        fewest = self._fewest_digits
        for tier in self._tiers:
            if tier.least_digits <= digits:
                for number, end in tier.find(piece, data):
                    if fewest[number] <= digits:
                        fired.setdefault(number, []).append(end + low)

    def _fire_field(self, text: str, lead: str, fired: Fired) -> None:
        """What the name of the field calls for may stand anywhere in the text."""
        everywhere = range(len(lead), len(lead) + len(text) + 1, 64)
        for number, ends in fired.items():
            if number != BASE64 and ends[0] <= len(lead) + 1:
                fired[number] = [*ends, *everywhere]

    def _fire_alone(self, text: str, shift: int, fired: Fired) -> None:
        data = _encode(text)
        if len(data) - len(data.translate(None, _DIGITS)) >= self._alone.least_digits:
            for number, end in self._alone.find(text, data):
                fired.setdefault(number, []).append(end + shift)


class _Tier:
    """A gate, and how many digits a text holds at least that may pass it."""

    __slots__ = ("find", "least_digits")

    def __init__(self, literals: Sequence[Literal], least_digits: int, cache: CompiledCache) -> None:
        self.find = build_engine(literals, cache.load, cache.save).find
        self.least_digits = least_digits


def _encode(text: str) -> bytes:
    try:
        return text.encode() + END
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass") + END
