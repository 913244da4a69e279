"""Builds rules: detectors of vendors' keys from the parts of a key, and expressions from lists of words."""

import re
from collections.abc import Iterable
from functools import cache, partial
from typing import NamedTuple

from vestibule.detection.rules import Check, Detector, Rule
from vestibule.detection.validation.placeholders import has_high_entropy, is_random

# The text between the name of a setting and its value in code, JSON, YAML, XML, headers and settings files.
_VALUE_WORD = r"(?:[\"']?[Vv]alue[\"']?\s{0,2}[=:]\s{0,2})?"
# A block scalar of YAML begins on the next line.
BLOCK = r"(?:[|>][+-]?\r?\n\s{1,12})?"
ASSIGNED = (
    r"[\w.-]{0,30}(?:[ :]{1,2}&?(?:[Ss]tr|[Ss]tring|text)\b)?[ \t]{0,3}[\"'`\])]{0,3}\s{0,4}"
    rf"(?:[=.?+|<:-]{{0,3}}[=:>|]\s{{0,12}}{_VALUE_WORD}[\"'`(]{{0,2}}|,\s{{0,12}}{_VALUE_WORD}[\"'`]|value\s?=\s?[\"'`]?)"
)
_ASSIGNED_VALUE = r"(?:[=:>|]\s{0,12}[\"'`(]{0,2}|,\s{0,12}[\"'`])[\w./+-]{8}"
_SHORT_LITERAL_CHARS = 4
_SHORT_NAME_CHARS = 7
_HEAD_CHARS = 10
# A repeated character class.
_RUN = re.compile(r"(\[(?:\\.|[^\]])*\])\{(\d+)(?:,\d+)?\}")
_PIECE = re.compile(r"\\.|\[(?:\\.|[^\]])*\]|\(\?[:>]?|\{[^}]*\}|[^\W\d_]")
_LETTERS_AND_DIGITS = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SAMPLE_CHARS = 97


class KeyPart(NamedTuple):
    """A part of a key: its expression, a made-up sample of it, and the literals that it may be."""

    pattern: str
    sample: str
    literals: tuple[str, ...] = ()


class KeyFormat(NamedTuple):
    """One kind of key of a vendor: its rule and a made-up example."""

    rule: Rule
    example: str


@cache
def _sample_characters(char_class: str) -> str:
    """Return pseudo-random characters of a class, letters and digits if it has any."""
    fits = re.compile(char_class).fullmatch
    alphabet = [c for c in _LETTERS_AND_DIGITS if fits(c)] or [c for c in map(chr, range(33, 127)) if fits(c)]
    state, drawn = 20_011, []
    for _ in range(_SAMPLE_CHARS):
        state = (state * 69_069 + 1) % 2**32
        drawn.append(alphabet[(state >> 8) % len(alphabet)])
    return "".join(drawn)


def of(char_class: str, size: int, most: int | None = None) -> KeyPart:
    """Return `size` (to `most`) characters of a class."""
    noise = _sample_characters(char_class)
    skip = size % 31
    sample = (noise[skip:] + noise * (size // _SAMPLE_CHARS + 1))[:size]
    return KeyPart(char_class + (f"{{{size}}}" if most is None else f"{{{size},{most}}}"), sample)


digits = partial(of, "[0-9]")
hexa = partial(of, "[0-9a-f]")
any_hexa = partial(of, "[0-9A-Fa-f]")
lower = partial(of, "[a-z0-9]")
upper = partial(of, "[A-Z0-9]")
alnum = partial(of, "[A-Za-z0-9]")
# Base64, and base64 for URLs without and with padding. Source: RFC 4648, sections 4 and 5.
base64 = partial(of, r"[A-Za-z0-9+/=]")
url64 = partial(of, r"[\w-]")
padded = partial(of, r"[\w=-]")


def uuid() -> KeyPart:
    """Return a UUID. Source: RFC 9562, section 4."""
    parts = [any_hexa(size) for size in (8, 4, 4, 4, 12)]
    return KeyPart("-".join(part.pattern for part in parts), "-".join(part.sample for part in parts))


def one_of(*literals: str) -> KeyPart:
    """Return a part that is one of several literals."""
    return KeyPart(f"(?:{'|'.join(map(re.escape, literals))})", literals[0], literals)


def maybe(literal: str) -> KeyPart:
    """Return an optional literal."""
    return KeyPart(f"(?:{re.escape(literal)})?", literal)


def key(
    name: str,
    *parts: str | KeyPart,
    score: float = 0.95,
    check: Check = has_high_entropy,
    not_after: str = r"\w.+-",
    not_before: str = r"\w-",
    prefilter: str | None = None,
) -> KeyFormat:
    """Declare a key of a distinctive form; strings among `parts` are literals, `prefilter` is as in `Rule`."""
    pieces = [KeyPart(re.escape(part), part, (part,)) if isinstance(part, str) else part for part in parts]
    pattern = "".join(piece.pattern for piece in pieces)
    anchors = max((p.literals for p in pieces if p.literals), key=lambda literals: min(map(len, literals)), default=())
    is_long = prefilter is None and bool(anchors) and min(map(len, anchors)) >= _SHORT_LITERAL_CHARS
    rule = Rule(
        name=name,
        pattern=pattern,
        anchors=anchors if is_long else (),
        prefilter=None if is_long else prefilter or _prefilter(pieces),
        score=score,
        check=check,
        not_after=not_after,
        not_before=not_before,
    )
    return KeyFormat(rule, f"[[{''.join(piece.sample for piece in pieces)}]]")


def named(name: str, words: str, *parts: str | KeyPart, check: Check = is_random, score: float = 0.92) -> KeyFormat:
    """Declare a key that is recognized by the name of its setting; `words` are the vendor's names, separated by |."""
    pieces = [KeyPart(re.escape(part), part) if isinstance(part, str) else part for part in parts]
    names = tuple(words.split("|"))
    # A short name is part of other words.
    is_short = min(map(len, names)) < _SHORT_NAME_CHARS
    rule = Rule(
        name=name,
        pattern=f"(?:{'|'.join(map(re.escape, names))}){ASSIGNED}(?P<value>{''.join(p.pattern for p in pieces)})",
        anchors=names,
        prefilter=_ASSIGNED_VALUE,
        score=score,
        check=check,
        not_after="A-Za-z" if is_short else "",
        not_before=r"\w-",
        ignore_case=True,
    )
    return KeyFormat(rule, f"{names[0]}_key = '[[{''.join(piece.sample for piece in pieces)}]]'")


def has_random_path(value: str) -> bool:
    """Tell whether a URL has a random path, which is a secret."""
    return has_high_entropy(value.partition("://")[2].partition("/")[2].replace("/", ""))


def vendor(entity: str, source: str, *forms: KeyFormat) -> Detector:
    """Declare all keys of one vendor; `source` is the page or rule set that describes them."""
    return Detector(
        entity=entity,
        rules=tuple(form.rule for form in forms),
        examples=tuple(form.example for form in forms),
        counter_examples=tuple(_mask_example(form.example) for form in forms),
        sources=(source,),
    )


def by_name(source: str, formats: Iterable[tuple[KeyPart, str]], entity: str = "API_KEY") -> tuple[Detector, ...]:
    """Declare vendors, separated by spaces, whose keys have the same form and are recognized by the vendor's name."""
    return tuple(
        vendor(entity, source, named(f"{word.split('|')[0]}-key", word, part))
        for part, words in formats
        for word in words.split()
    )


def _prefilter(pieces: list[KeyPart]) -> str:
    """Return an expression of the start of the key: its literals and a few characters after them."""
    head = r"\b" if pieces[0].literals else ""
    for piece in pieces:
        run = _RUN.fullmatch(piece.pattern)
        if run and int(run[2]) >= _HEAD_CHARS:
            return f"{head}{run[1]}{{{_HEAD_CHARS}}}" if head else piece.pattern
        head += piece.pattern
    return head


def _mask_example(example: str) -> str:
    """Mask the made-up key."""
    shown, _, rest = example.partition("[[")
    value = rest.partition("]]")[0]
    return shown + value[:6] + "x" * max(len(value) - 6, 6)


def any_case_pattern(words: str | Iterable[str]) -> str:
    """Join words (or expressions that begin with a letter) into one case-insensitive expression, grouped by letter.

    A string is a list of words separated by spaces.
    """
    by_letter: dict[str, list[str]] = {}
    for word in sorted(words.split() if isinstance(words, str) else words, key=len, reverse=True):
        by_letter.setdefault(word[0], []).append(in_any_case(word[1:]))
    groups = (f"{in_any_case(letter)}(?:{'|'.join(rests)})" for letter, rests in by_letter.items())
    return f"(?:{'|'.join(groups)})"


def word_of_name(words: str) -> str:
    """Match one of several words where a word of a name begins: in snake_case, kebab-case, camelCase and alone."""
    titled = "|".join(sorted((word.title() for word in words.split()), key=len, reverse=True))
    return rf"(?:(?:\b|_){any_case_pattern(words)}|[A-Za-z0-9](?:{titled}))"


def in_any_case(expression: str) -> str:
    """Match every letter of `expression` in either case; classes and escapes stay unchanged."""
    return _PIECE.sub(_in_both_cases, expression)


def _in_both_cases(match: re.Match[str]) -> str:
    piece = match[0]
    if len(piece) > 1 or not piece.islower():
        return piece
    # The prefilter reads bytes: a class would split a non-ASCII letter.
    return f"[{piece}{piece.upper()}]" if piece.isascii() else f"(?:{piece}|{piece.upper()})"
