"""Normalizes look-alike characters before matching, and maps offsets back to the original.

Digits of every script, full-width letters, dashes and spaces become their ASCII twins in place; invisible characters
are taken out; the two characters of an escape such as a backslash and n become two spaces. Escapes that name a
character by its number, as JSON (RFC 8259, section 7), programs and HTML write them, become that character; so do
escaped quotes.
"""

import re
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

# First characters of the blocks of ten decimal digits that stand in the Basic Multilingual Plane, and beyond it.
# Source: Unicode Character Database, category Nd.
_ZEROS = (
    *(0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50),
    *(0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50),
    *(0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6),
)
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63"
_SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\u2028\u2029"
_DOTS = "\u3002\u2024\ufe52"
_INVISIBLE = (
    "\\u00ad\\u034f\\u061c\\u115f\\u1160\\u180e\\u200b\\u200c\\u200d\\u200e\\u200f\\u202a-\\u202e\\u2060-\\u2064\\u2066-\\u206f"
    "\\ufe00-\\ufe0f\\ufeff"
)


def _replacements() -> dict[str, str]:
    replacements = {chr(zero + digit): str(digit) for zero in _ZEROS for digit in range(10)}
    replacements |= {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    replacements |= dict.fromkeys(_DASHES, "-") | dict.fromkeys(_SPACES, " ") | dict.fromkeys(_DOTS, ".")
    return replacements


_REPLACEMENTS = _replacements()
_INVISIBLE_RUN = re.compile(f"[{_INVISIBLE}]+")
_ESCAPED_SPACE = re.compile(r"(?<!\\)\\[nrt]")


# A pair of surrogates first, which is one character; JSON within JSON has its backslashes doubled.
_ESCAPED = re.compile(
    r"\\{1,4}u[Dd][89ABab][0-9A-Fa-f]{2}\\{1,4}u[Dd][C-Fc-f][0-9A-Fa-f]{2}"
    r"|\\{1,4}(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[\"'])|&#(?:[0-9]{1,7}|[Xx][0-9A-Fa-f]{1,6});"
)
_NUMBER = re.compile(r"[ux]([0-9A-Fa-f]+)")


def is_plain(text: str) -> bool:
    """Tell whether there is nothing to fold, which is so for most texts."""
    return text.isascii() and "\\" not in text and "&#" not in text


class NormalizedText(NamedTuple):
    """A normalized text; its character `i` was from `starts[i]` to `ends[i]` of the original, None: nothing moved."""

    text: str
    starts: Sequence[int] | None = None
    ends: Sequence[int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Give the span in the original; both offsets in code points."""
        if self.starts is None or self.ends is None:
            return start, end
        return self.starts[start], self.ends[end - 1]


def normalize(text: str) -> NormalizedText:
    """Make `text` plain."""
    normalized = NormalizedText(text)
    if "\\" in text:
        text = _ESCAPED_SPACE.sub("  ", text)
        normalized = NormalizedText(text)
    if ("\\" in text or "&#" in text) and _ESCAPED.search(text):
        normalized = _replace(normalized, _ESCAPED, _decode_escape)
        text = normalized.text
    if text.isascii():
        return normalized
    # A text holds few kinds of such characters, and to replace all of a kind takes next to no time.
    for char in _REPLACEMENTS.keys() & set(text):
        text = text.replace(char, _REPLACEMENTS[char])
    normalized = normalized._replace(text=text)
    return _replace(normalized, _INVISIBLE_RUN, lambda _unseen: "") if _INVISIBLE_RUN.search(text) else normalized


def _decode_escape(escape: str) -> str:
    if escape.startswith("&"):
        number = escape[2:-1]
        code = int(number[1:], 16) if number[0] in "Xx" else int(number)
        return chr(code) if code <= sys.maxunicode else "\ufffd"
    if escape[-1] in "\"'":
        return escape[-1]
    first, *second = (int(number, 16) for number in _NUMBER.findall(escape))
    return chr(0x10000 + ((first - 0xD800) << 10) + second[0] - 0xDC00) if second else chr(first)


def _replace(normalized: NormalizedText, pattern: re.Pattern[str], meaning: Callable[[str], str]) -> NormalizedText:
    """Put one character or none for each match of a pattern."""
    text, size = normalized.text, len(normalized.text)
    old_starts, old_ends = normalized.starts or range(size), normalized.ends or range(1, size + 1)
    parts: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0
    for match in pattern.finditer(text):
        begin, end = match.span()
        parts.append(text[at:begin])
        starts += old_starts[at:begin]
        ends += old_ends[at:begin]
        if char := meaning(match[0]):
            parts.append(char)
            starts.append(old_starts[begin])
            ends.append(old_ends[end - 1])
        at = end
    parts.append(text[at:])
    starts += old_starts[at:]
    ends += old_ends[at:]
    return NormalizedText("".join(parts), starts, ends)
