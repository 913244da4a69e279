"""The index of the labels of all detectors: finds labels among the words around a value."""

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

STEM_CHARS = 4
# A text is split into words in chunks of this size; labels have no longer words than `_WORD_CHARS`.
_CHUNK_CHARS = 64
_WORD_CHARS = 40
_WORD = re.compile(r"[^\W\d_][^\W_]*")
_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W_A-Za-z]+")
_CAMEL_BOUNDARY = re.compile(r"[A-Z](?:(?<=[^\W_A-Z].)|(?=[A-Z][^\W_A-Z]))")
# The same for ASCII, without the T of 2024-10-23T11:22.
_ASCII_CAMEL_BOUNDARY = re.compile(
    r"[A-Z](?:(?<=[a-z].)|(?<=[a-z][0-9].)|(?<=[a-z][0-9][0-9].)|(?<=[0-9][0-9][0-9].)|[0-9]*[A-Z][A-Z0-9]*[a-z])"
)
# ASCII in lower case, with a space for all that is neither letter nor digit.
_FLAT = bytes(ord(chr(code).lower()) if chr(code).isalnum() else 32 for code in range(128)) + bytes([32]) * 128
# A word in such a text, without the digits before it.
_FLAT_WORD = re.compile("[a-z][a-z0-9]*")
# Scripts without spaces between words: their labels are searched for as substrings.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# What may follow a label inside one camelCase name: customerPhoneNumber names a phone, PhoneStatusBar does not.
_LONGEST_PAIR = 2
_NAME_SUFFIXES = frozenset(
    ("number", "numbers", "num", "no", "nr", "id", "code", "value", "val", "str", "string", "text", "field", "input")
)

# A word, its offsets, and whether a label may end with it.
Word = tuple[str, int, int, bool]


class Label(NamedTuple):
    """A label in a text: its offsets, and the detectors (by number) that it belongs to."""

    words: str
    start: int
    end: int
    topics: frozenset[int]


class _Phrase(NamedTuple):
    words: tuple[str, ...]
    joined: str
    topics: frozenset[int]


class LabelIndex:
    """All labels, indexed by their last word."""

    def __init__(self, labels: Iterable[tuple[str, int]]) -> None:
        topics: dict[str, set[int]] = {}
        for label, topic in labels:
            topics.setdefault(label, set()).add(topic)
        self._single: dict[str, frozenset[int]] = {}
        # By their last two words, the longest first.
        self._phrases: dict[tuple[str, str], tuple[_Phrase, ...]] = {}
        self.last_words: set[str] = set()
        self.by_stem: dict[str, tuple[tuple[str, frozenset[int]], ...]] = {}
        self._unspaced: dict[str, frozenset[int]] = {}
        for label, topic_sets in sorted(topics.items()):
            self._add(label, frozenset(topic_sets))
        alternatives = "|".join(map(re.escape, sorted(self._unspaced, key=len, reverse=True)))
        self._unspaced_label = re.compile(alternatives) if alternatives else None

    def _add(self, label: str, topics: frozenset[int]) -> None:
        if _UNSPACED.search(label):
            self._unspaced[label] = topics
        elif label.endswith("*"):
            stem = label[:STEM_CHARS]
            self.by_stem[stem] = (*self.by_stem.get(stem, ()), (label[:-1], topics))
        else:
            words = tuple(word for word, *_ in split_words(label))
            self.last_words.add(words[-1])
            if len(words) == 1:
                self._single[words[0]] = self._single.get(words[0], frozenset()) | topics
            else:
                pair = (words[-2], words[-1])
                phrases = (*self._phrases.get(pair, ()), _Phrase(words, " ".join(words), topics))
                self._phrases[pair] = tuple(sorted(phrases, key=lambda phrase: -len(phrase.words)))

    def find(self, text: str) -> list[Label]:
        """Return the labels in `text`, first to last; of a label within another, only the longer one."""
        return LabelMatches(self, text).labels(0, len(text))

    def labels_among(self, words: Sequence[Word]) -> list[Label]:
        """Return the labels in a sequence of words, the last one first."""
        found: list[Label] = []
        last_words, stems = self.last_words, self.by_stem
        at = len(words)
        while at:
            at -= 1
            word, _, _, may_end = words[at]
            if (
                may_end
                and (word in last_words or word[:STEM_CHARS] in stems)
                and (label := self._label_ending_at(words, at))
            ):
                found.append(label)
                while at and words[at - 1][1] >= label.start:
                    at -= 1
        return found

    def _label_ending_at(self, words: Sequence[Word], at: int) -> Label | None:
        word, start, end, _ = words[at]
        if at and (phrases := self._phrases.get((words[at - 1][0], word))):
            for phrase in phrases:
                first = at + 1 - len(phrase.words)
                if first >= 0 and phrase.words == tuple(word[0] for word in words[first : at + 1]):
                    return Label(phrase.joined, words[first][1], end, phrase.topics)
        if topics := self._single.get(word):
            return Label(word, start, end, topics)
        topic_sets = [topics for stem, topics in self.by_stem.get(word[:STEM_CHARS], ()) if word.startswith(stem)]
        return Label(word, start, end, frozenset().union(*topic_sets)) if topic_sets else None

    def find_unspaced(self, text: str, low: int, high: int) -> Iterator[Label]:
        """Yield the labels of scripts without spaces between words."""
        if self._unspaced_label:
            for m in self._unspaced_label.finditer(text, low, high):
                yield Label(m[0], m.start(), m.end(), self._unspaced[m[0]])


class LabelMatches:
    """The labels of one text, which is split into words lazily, chunk by chunk."""

    __slots__ = ("_chunks", "_is_ascii", "_text", "label_index")

    def __init__(self, label_index: LabelIndex, text: str) -> None:
        self.label_index = label_index
        self._text = text
        self._is_ascii = text.isascii()
        self._chunks: dict[int, list[Word]] = {}

    def labels(self, low: int, high: int) -> list[Label]:
        """Return the labels from `low` to `high`, first to last; of a label within another, only the longer one."""
        window = self._text[low:high]
        if window.isascii() and not _ASCII_CAMEL_BOUNDARY.search(window):
            return self._plain_labels(window, low)
        chunks = range(low // _CHUNK_CHARS, (high - 1) // _CHUNK_CHARS + 1)
        words = [word for number in chunks for word in self._chunk(number) if low <= word[1] and word[2] <= high]
        found = self.label_index.labels_among(words)
        found.reverse()
        if not self._is_ascii:
            found += self.label_index.find_unspaced(self._text, low, high)
            found.sort(key=lambda label: label.end)
        return found

    def _plain_labels(self, window: str, low: int) -> list[Label]:
        """Return the labels of a window without camelCase; most have none, which a look at each word tells."""
        flat = window.encode().translate(_FLAT).decode()
        words = _FLAT_WORD.findall(flat)
        index = self.label_index
        if index.last_words.isdisjoint(words) and index.by_stem.keys().isdisjoint([w[:STEM_CHARS] for w in words]):
            return []
        return self._locate(flat, low)

    def _locate(self, flat: str, low: int) -> list[Label]:
        text, high = self._text, low + len(flat)
        placed = [(word[0], low + word.start(), low + word.end(), True) for word in _FLAT_WORD.finditer(flat)]
        # A word that the window cuts is none.
        if placed[-1][2] == high and is_within_word(text, high):
            placed.pop()
        if placed and placed[0][1] == low and is_within_word(text, low):
            del placed[0]
        found = self.label_index.labels_among(placed)
        found.reverse()
        return found

    def _chunk(self, number: int) -> list[Word]:
        """Return the words that end in a chunk."""
        known = self._chunks.get(number)
        if known is None:
            low = number * _CHUNK_CHARS
            high = low + _CHUNK_CHARS
            words = split_words(self._text, *_widen(self._text, low, high))
            known = self._chunks[number] = [word for word in words if low < word[2] <= high]
        return known


def _widen(text: str, low: int, high: int) -> tuple[int, int]:
    first, last = max(low - _WORD_CHARS, 0), min(high + _WORD_CHARS, len(text))
    while low > first and text[low - 1].isalnum():
        low -= 1
    while high < last and text[high].isalnum():
        high += 1
    return low, high


def split_words(text: str, low: int = 0, high: int = sys.maxsize) -> list[Word]:
    """Split into lower-case words with their offsets; `snake_case` and `camelCase` are split.

    In a camelCase name of more than two parts only the last one can be a label.
    """
    chunk = text[low:high]
    lowered = chunk.lower()
    # Some non-ASCII letters become two in lower case.
    if len(lowered) == len(chunk) and not _CAMEL_BOUNDARY.search(chunk):
        return [(match[0], low + match.start(), low + match.end(), True) for match in _WORD.finditer(lowered)]
    words: list[Word] = []
    for match in _WORD.finditer(text, low, high):
        word = match[0]
        lower = word.lower()
        if word == lower or word[1:] == lower[1:] or word.isupper():
            words.append((lower, *match.span(), True))
        else:
            words += _parts_of_name(word, match.start())
    return words


def _parts_of_name(word: str, at: int) -> list[Word]:
    parts = [(part[0].lower(), at + part.start(), at + part.end()) for part in _CAMEL.finditer(word)]
    last = len(parts)
    while last and parts[last - 1][0] in _NAME_SUFFIXES:
        last -= 1
    first_end = last - 1 if len(parts) > _LONGEST_PAIR else 0
    return [(*part, number >= first_end) for number, part in enumerate(parts)]


def is_within_word(text: str, at: int) -> bool:
    """Tell whether offset `at` is inside a word."""
    return 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()
