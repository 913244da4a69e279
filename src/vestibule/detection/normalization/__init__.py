"""Replaces what hides characters by the characters themselves, and maps offsets back to the original text.

- Look-alikes become ASCII: digits of every script, compatibility forms (Unicode, NFKC), dashes, spaces, dots,
  apostrophes, and Cyrillic and Greek letters in words of the Latin script.
- Invisible characters are removed: format characters, default-ignorable ones and blanks without a width.
- Escapes become their character: those of JSON (RFC 8259, section 7) and of programs, and the character references of
  HTML. A backslash and n, r or t become two spaces.
"""

import re
import sys
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable
from functools import lru_cache
from html import entities
from typing import NamedTuple

# Default-ignorable characters that are not format characters, and characters that stand for nothing visible.
# Source: Unicode Character Database, DerivedCoreProperties.txt.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\ufffc\U0001d159\U000e0000-\U000e0fff]"
)
# Format characters and control characters (those of ASCII are left alone).
_INVISIBLE_CATEGORIES = frozenset(("Cf", "Cc"))
_SPACE_CATEGORIES = frozenset(("Zs", "Zl", "Zp"))
_TWINS = dict.fromkeys("\u2212\u2043\u02d7", "-") | dict.fromkeys("\u3002\u2024\ufe52\uff61", ".")
_TWINS |= dict.fromkeys("\u2018\u2019\u02bc\u201b", "'") | {"\u0085": " "}
# White on black: letters in circles and squares.
_TWINS |= {chr(first + at): chr(65 + at) for first in (0x1F150, 0x1F170) for at in range(26)}
# Characters that are read as they are, whatever their compatibility form.
_TWINS |= {char: char for char in "\u00aa\u00ba\u2026\u2116"}
# Marks over, under and through the letter before; with a letter of their own script they are spelling.
_MARK_CATEGORIES = frozenset(("Mn", "Mc", "Me"))
# Text in tag characters, of which flags hold no more than six, and in the letters of flags, of which two make one.
_RUNS = re.compile("[\U000e0020-\U000e007e]{8,}|[\U0001f1e6-\U0001f1ff]{3,}")
_TAGS = "\U000e0000"
_FIRST_OF_RUNS = "\U0001f1e6"
# Source: Unicode Technical Standard 39, confusables.txt: letters that look the same as a Latin one.
_LOOKALIKES = str.maketrans(
    "авсԁеһіјӏоԛрѕхуԝкАВЕЅІЈКМНОРСТХУԜΑΒΕΖΗΙΚΜΝΟΡΤΥΧοναικρυ",
    "abcdehijloqpsxywkABESIJKMHOPCTXYWABEZHIKMNOPTYXovaikpu",
)
_LOOKALIKE_CHARS = frozenset(map(chr, _LOOKALIKES))
_LOOKALIKE_CLASS = f"[{''.join(sorted(_LOOKALIKE_CHARS))}]"
_MIXED = re.compile(f"[A-Za-z]{_LOOKALIKE_CLASS}|{_LOOKALIKE_CLASS}[A-Za-z]")
_WORD = re.compile(r"\w+")

# Characters that are known to have no other form; ASCII is left alone.
_UNCHANGED = set(map(chr, range(128)))
_MAX_UNCHANGED = 20_000

# A search for a character is many times as fast as one that looks behind first: the lookbehind comes after it.
_ESCAPED_SPACE = re.compile(r"\\(?<!\\\\)[nrt]")
# A pair of surrogates is one character. Text within JSON within JSON has its backslashes doubled, within HTML within
# HTML its ampersands escaped.
_ESCAPED = re.compile(
    r"\\(?<!\\\\)\\*+(?:u[Dd][89ABab][0-9A-Fa-f]{2}\\++u[Dd][C-Fc-f][0-9A-Fa-f]{2}"
    r"|[ux]\{[0-9A-Fa-f]{1,8}\}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{2}|N\{[A-Z][A-Z0-9 -]{1,64}\}"
    # Octal numbers, but not the first part of an address behind backslashes, and those of style sheets.
    r"|[01][0-7]{2}(?![0-9.])|0{0,4}[2-7][0-9A-Fa-f][ ]|0000[2-7][0-9A-Fa-f]|[\"'/])"
    r"|&(?:amp;)*+(?:#(?:[0-9]++|[Xx][0-9A-Fa-f]++);?|[A-Za-z][A-Za-z0-9]{1,31};)"
)
# Longer numbers are no characters.
_REFERENCE_DIGITS = 8
_NUMBER = re.compile(r"[uUx\\]\{?([0-9A-Fa-f]+)")
_OCTAL = re.compile(r"\\+([01][0-7]{2})")
_NAME = re.compile(r"N\{([^}]+)\}")
# The times that a text is unescaped whose escapes make new ones.
MAX_ROUNDS = 8


def is_plain(text: str) -> bool:
    """Tell whether there is nothing to normalize, as in most texts."""
    return text.isascii() and "\\" not in text and ("&" not in text or (";" not in text and "&#" not in text))


class Edits(NamedTuple):
    """The replacements in a text, in order: `starts[i]:ends[i]` became `new_starts[i]:new_ends[i]`."""

    starts: list[int]
    ends: list[int]
    new_starts: list[int]
    new_ends: list[int]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span in the text before the replacements; a replacement counts as a whole."""
        at = bisect_right(self.new_starts, start) - 1
        if at >= 0:
            start = self.starts[at] if start < self.new_ends[at] else self.ends[at] + start - self.new_ends[at]
        last = end - 1
        at = bisect_right(self.new_starts, last) - 1
        if at >= 0:
            end = self.ends[at] if last < self.new_ends[at] else self.ends[at] + end - self.new_ends[at]
        return start, end


class RewrittenText(NamedTuple):
    """A text after several passes of replacements."""

    text: str
    passes: tuple[Edits, ...] = ()

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span in the original; both offsets in code points."""
        for edits in reversed(self.passes):
            start, end = edits.span(start, end)
        return start, end

    def replace(self, matches: Iterable[re.Match[str]], meaning: Callable[[str], str]) -> "RewrittenText":
        """Replace each match, in order, by its meaning."""
        text, at, shift = self.text, 0, 0
        parts: list[str] = []
        edits = Edits([], [], [], [])
        for match in matches:
            begin, end = match.span()
            new = meaning(match[0])
            parts += text[at:begin], new
            edits.starts.append(begin)
            edits.ends.append(end)
            edits.new_starts.append(begin + shift)
            shift += len(new) - end + begin
            edits.new_ends.append(end + shift)
            at = end
        if not parts:
            return self
        return RewrittenText("".join([*parts, text[at:]]), (*self.passes, edits))


def normalize(text: str | RewrittenText) -> RewrittenText:
    """Make `text` plain."""
    normalized = RewrittenText(text) if isinstance(text, str) else text
    for _ in range(MAX_ROUNDS):
        if not normalized.text.isascii():
            normalized = _fold(normalized)
        if "\\" in normalized.text:
            normalized = normalized._replace(text=_ESCAPED_SPACE.sub("  ", normalized.text))
        elif "&" not in normalized.text:
            break
        unescaped = normalized.replace(_ESCAPED.finditer(normalized.text), _decode_escape)
        if unescaped is normalized:
            break
        normalized = unescaped
    return normalized


def _decode_escape(escape: str) -> str:
    if escape[0] == "&":
        reference = escape[1:]
        while reference.startswith("amp;"):
            reference = reference[4:]
        if reference[0] != "#":
            return entities.html5.get(reference, escape)
        is_hexadecimal = reference[1] in "Xx"
        number = reference[1 + is_hexadecimal :].rstrip(";").lstrip("0") or "0"
        codes = [int(number, 16 if is_hexadecimal else 10) if len(number) < _REFERENCE_DIGITS else sys.maxsize]
    elif escape[-1] in "\"'/":
        return escape[-1]
    elif name := _NAME.search(escape):
        return _character_named(name[1], escape)
    elif octal := _OCTAL.fullmatch(escape):
        codes = [int(octal[1], 8)]
    else:
        codes = [int(number, 16) for number in _NUMBER.findall(escape)]
    return character_of(codes)


def _character_named(name: str, otherwise: str) -> str:
    try:
        return unicodedata.lookup(name)
    except KeyError:
        return otherwise


def character_of(codes: list[int]) -> str:
    """Return the character of a code point, or of a pair of surrogates."""
    if len(codes) > 1:
        return chr(0x10000 + ((codes[0] - 0xD800) << 10) + codes[1] - 0xDC00)
    return chr(codes[0]) if codes[0] <= sys.maxunicode else "\ufffd"


def _fold(normalized: RewrittenText) -> RewrittenText:
    text = normalized.text
    chars = set(text)
    others = []
    marks = []
    if max(chars) >= _FIRST_OF_RUNS:
        text = _RUNS.sub(_read_run, text)
    for char in chars - _UNCHANGED:
        plain = _plain_form(char)
        if unicodedata.category(char) in _MARK_CATEGORIES and not _INVISIBLE.match(char):
            marks.append(char)
        elif plain == char:
            if len(_UNCHANGED) < _MAX_UNCHANGED:
                _UNCHANGED.add(char)
        elif len(plain) == 1:
            # A text has few different characters, and replacing all of one kind is fast.
            text = text.replace(char, plain)
        else:
            others.append(char)
    if not chars.isdisjoint(_LOOKALIKE_CHARS) and _MIXED.search(text):
        text = _WORD.sub(_fold_word, text)
    normalized = normalized._replace(text=text)
    if others:
        matches = re.compile(f"[{''.join(map(re.escape, others))}]").finditer(text)
        normalized = normalized.replace(matches, _plain_form)
    if marks:
        matches = re.compile(f"[!-~][{''.join(marks)}]+").finditer(normalized.text)
        normalized = normalized.replace(matches, lambda marked: unicodedata.normalize("NFC", marked)[0])
    return normalized


def _read_run(run: re.Match[str]) -> str:
    if run[0] < _TAGS:
        return "".join([chr(ord(char) - ord(_FIRST_OF_RUNS) + ord("A")) for char in run[0]])
    return "".join([chr(ord(char) - ord(_TAGS)) for char in run[0]])


def _fold_word(word: re.Match[str]) -> str:
    folded = word[0].translate(_LOOKALIKES)
    return folded if folded.isascii() else word[0]


@lru_cache(maxsize=4_096)
def _plain_form(char: str) -> str:
    """Return the ASCII twin of a character, "" for an invisible one, and the character itself if it has none."""
    if char in _TWINS:
        return _TWINS[char]
    category = unicodedata.category(char)
    if category in _INVISIBLE_CATEGORIES or _INVISIBLE.match(char):
        return ""
    if category == "Pd":
        return "-"
    if category in _SPACE_CATEGORIES:
        return " "
    digit = unicodedata.digit(char, None)
    if digit is not None:
        return str(digit)
    compatible = unicodedata.normalize("NFKC", char)
    return compatible if compatible.isascii() or len(compatible) == 1 else char
