"""Scores the context of a value: the nearest label decides, and a closer label weighs more.

What is added to a rule's score:
- `DIRECT` if a label of the detector stands right before the value, with only fillers (number, is, #, :) between;
- `NEAR` if a label stands within `REACH_CHARS` before or after the value, or is the key of the field;
- `FOREIGN` (negative) if a label of something else stands right before it: order, invoice, another kind of number;
- `AGAINST` (negative) if one of the detector's `against` words is near.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from vestibule.detection.context.label_index import Label, LabelMatches, is_within_word

REACH_CHARS = 45
# From this score on, the context is not read.
CERTAIN = 0.85
DIRECT = 0.45
NEAR = 0.3
FOREIGN = -0.35
AGAINST = -0.3

_FILLER = re.compile(
    r"(?:[\W_]|\b(?:number|numbers|num|no|nr|nro|id|ids|is|are|was|the|my|a|code|value|of|for|new|to|it|s|n|ist|lautet|"
    r"es|est|e|ein|numero|número|numéro|nummer|numer|номер|is|to|jest|de|do|del|di|da)(?=[\W_])){0,30}",
    re.IGNORECASE,
)

# Words that name a number of a thing or a moment, not of a person. Right before a value they count against every
# detector that does not list them among its labels.
_REFERENCE_WORDS = (
    "order invoice ticket tracking shipment parcel sku item product article part batch serial lot case issue bug "
    "bestellung rechnung auftrag pedido factura commande facture ordine fattura encomenda fatura bestelling factuur "
    "zamówienie faktura замовлення рахунок isbn issn ean upc gtin barcode doi model revision version ver build commit "
    "hash sha md5 checksum digest uuid guid etag trace span request correlation session seq sequence offset index pid "
    "tid thread port block blk node job task row rows line page count total size bytes length latency duration "
    "elapsed progress percent ratio weight height width price amount timestamp epoch time ts date datum fecha created "
    "updated expires exp iat nbf"
)
REFERENCE_WORDS = tuple(_REFERENCE_WORDS.split())


class ContextVerdict(NamedTuple):
    """The weight that the context adds to the score, and its words."""

    weight: float
    words: tuple[str, ...]


class ContextScorer:
    """Scores the labels around one value, read once for all rules that match it."""

    __slots__ = ("_after", "_before", "_direct", "_end", "_is_foreign", "_key", "_label_matches", "_pair", "_text")

    def __init__(
        self, label_matches: LabelMatches, text: str, start: int, end: int, key_labels: Sequence[Label]
    ) -> None:
        self._label_matches, self._text, self._end = label_matches, text, end
        if is_within_word(text, start):
            # The words before the value are read as if the text ended there.
            label_matches = LabelMatches(label_matches.label_index, text[:start])
        # The nearest one first.
        self._before = label_matches.labels(max(0, start - REACH_CHARS), start)[::-1]
        nearest = self._before[0] if self._before else None
        self._direct = nearest if nearest and _FILLER.fullmatch(text, nearest.end, start) else None
        self._is_foreign = self._direct is not None and any(number >= 0 for number in self._direct.topics)
        self._key = key_labels
        self._after: list[Label] | None = None
        self._pair: list[Label] | None = None

    def weigh(
        self, topic: int, siblings: frozenset[int], has_negative_labels: bool, *, is_proof: bool = False
    ) -> ContextVerdict:
        """Return the weight for detector number `topic`; `siblings` are all detectors of its entity.

        The label of something else does not count against a value that is proof of itself.
        """
        direct = self._direct
        if direct and topic in direct.topics:
            label, weight = direct, DIRECT
        elif direct and is_proof:
            is_against = negative_topic_of(topic) in direct.topics
            return ContextVerdict(AGAINST, (direct.words,)) if is_against else NOTHING
        elif direct and self._is_foreign and siblings.isdisjoint(direct.topics):
            return self._weigh_foreign(direct, topic)
        elif found := self._find(topic):
            label, weight = found, NEAR
        else:
            negative_label = self._find(negative_topic_of(topic)) if has_negative_labels else None
            return ContextVerdict(AGAINST, (negative_label.words,)) if negative_label else NOTHING
        if has_negative_labels and (negative_label := self._find(negative_topic_of(topic))):
            return ContextVerdict(weight + AGAINST, (label.words, negative_label.words))
        return ContextVerdict(weight, (label.words,))

    def _find(self, topic: int) -> Label | None:
        """Return the nearest label of a topic: before the value, after it or in the name of the field."""
        for label in self._before:
            if topic in label.topics:
                return label
        return _first_with_topic(topic, self._read_after()) or _first_with_topic(topic, self._key)

    def _read_after(self) -> list[Label]:
        after = self._after
        if after is None:
            end, high = self._end, min(self._end + REACH_CHARS, len(self._text))
            if is_within_word(self._text, end):
                after = self._label_matches.label_index.find(self._text[end:high])
            else:
                after = self._label_matches.labels(end, high)
            self._after = after
        return after

    def _weigh_foreign(self, direct: Label, topic: int) -> ContextVerdict:
        if self._pair is None:
            # Labels that share a value: "phone or email:", "phone / fax:".
            self._pair = [label for label in self._before if _PAIR.fullmatch(self._text, label.end, direct.start)]
        if label := _first_with_topic(topic, self._pair):
            return ContextVerdict(NEAR, (label.words, direct.words))
        label = _first_with_topic(topic, self._read_after())
        return ContextVerdict(0.0, (direct.words, label.words)) if label else ContextVerdict(FOREIGN, (direct.words,))


_PAIR = re.compile(r"\s?/\s?|\s(?:or|and|oder|und|ou|et|o|y|e|of|en|lub|i|або|та)\s")
NOTHING = ContextVerdict(0.0, ())


def negative_topic_of(topic: int) -> int:
    """Return the number under which the label index holds the `against` words of detector number `topic`."""
    return -1 - topic


def _first_with_topic(topic: int, labels: Iterable[Label]) -> Label | None:
    for label in labels:
        if topic in label.topics:
            return label
    return None
