"""Builds detectors of vendors' keys from the parts of a key: its pattern, its anchor and its example."""

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from vestibule.detection.rules import Check, Detector, Rule
from vestibule.detection.validation.placeholders import has_high_entropy, is_random

# What stands between the name of a setting and its value in code, JSON, YAML, XML, headers and settings files.
_VALUE_WORD = r"(?:[\"']?[Vv]alue[\"']?\s{0,2}[=:]\s{0,2})?"
ASSIGNED = (
    r"[\w.-]{0,30}(?:[ :]{1,2}&?(?:[Ss]tr|[Ss]tring|text)\b)?[ \t]{0,3}[\"'`\])]{0,3}\s{0,4}"
    rf"(?:[=.?+|<:-]{{0,3}}[=:>|]\s{{0,12}}{_VALUE_WORD}[\"'`(]{{0,2}}|,\s{{0,12}}{_VALUE_WORD}[\"'`]|value\s?=\s?[\"'`]?)"
)
_ASSIGNED_VALUE = r"(?:[=:>|]\s{0,12}[\"'`(]{0,2}|,\s{0,12}[\"'`])[\w./+-]{8}"
_SHORT_LITERAL_CHARS = 4
_SHORT_NAME_CHARS = 7
_HEAD_CHARS = 10
# A single class, so many times.
_RUN = re.compile(r"(\[(?:\\.|[^\]])*\])\{(\d+)(?:,\d+)?\}")
_LETTERS_AND_DIGITS = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SAMPLE_CHARS = 97


class KeyPart(NamedTuple):
    """A piece of a key: its expression, one made-up instance of it, and the literals that it may be."""

    pattern: str
    sample: str
    literals: tuple[str, ...] = ()


class KeyFormat(NamedTuple):
    """One kind of key of a vendor: the rule that finds it and the made-up text that shows it."""

    rule: Rule
    example: str


@cache
def _sample_characters(char_class: str) -> str:
    """Draw characters of a class, the same ones at every start; letters and digits where it has any."""
    fits = re.compile(char_class).fullmatch
    alphabet = [c for c in _LETTERS_AND_DIGITS if fits(c)] or [c for c in map(chr, range(33, 127)) if fits(c)]
    state, drawn = 20_011, []
    for _ in range(_SAMPLE_CHARS):
        state = (state * 69_069 + 1) % 2**32
        drawn.append(alphabet[(state >> 8) % len(alphabet)])
    return "".join(drawn)


def of(char_class: str, size: int, most: int | None = None) -> KeyPart:
    """Give `size` (to `most`) characters of a class."""
    noise = _sample_characters(char_class)
    skip = size % 31
    sample = (noise[skip:] + noise * (size // _SAMPLE_CHARS + 1))[:size]
    return KeyPart(char_class + (f"{{{size}}}" if most is None else f"{{{size},{most}}}"), sample)


def digits(size: int, most: int | None = None) -> KeyPart:
    """Give decimal digits."""
    return of("[0-9]", size, most)


def hexa(size: int, most: int | None = None) -> KeyPart:
    """Give lower-case hexadecimal digits."""
    return of("[0-9a-f]", size, most)


def any_hexa(size: int, most: int | None = None) -> KeyPart:
    """Give hexadecimal digits of either case."""
    return of("[0-9A-Fa-f]", size, most)


def lower(size: int, most: int | None = None) -> KeyPart:
    """Give lower-case letters and digits."""
    return of("[a-z0-9]", size, most)


def upper(size: int, most: int | None = None) -> KeyPart:
    """Give upper-case letters and digits."""
    return of("[A-Z0-9]", size, most)


def alnum(size: int, most: int | None = None) -> KeyPart:
    """Give letters and digits."""
    return of("[A-Za-z0-9]", size, most)


def url64(size: int, most: int | None = None) -> KeyPart:
    """Give the alphabet of base64 for URLs. Source: RFC 4648, section 5."""
    return of(r"[\w-]", size, most)


def padded(size: int, most: int | None = None) -> KeyPart:
    """Give the alphabet of base64 for URLs with its padding."""
    return of(r"[\w=-]", size, most)


def base64(size: int, most: int | None = None) -> KeyPart:
    """Give the alphabet of base64 with its padding. Source: RFC 4648, section 4."""
    return of(r"[A-Za-z0-9+/=]", size, most)


def uuid() -> KeyPart:
    """Give a UUID. Source: RFC 9562, section 4."""
    parts = [any_hexa(size) for size in (8, 4, 4, 4, 12)]
    return KeyPart("-".join(part.pattern for part in parts), "-".join(part.sample for part in parts))


def one_of(*literals: str) -> KeyPart:
    """Give one of several literals."""
    return KeyPart(f"(?:{'|'.join(map(re.escape, literals))})", literals[0], literals)


def maybe(literal: str) -> KeyPart:
    """Give a literal that may be missing."""
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
    """Declare a key that its own form tells; strings among `parts` are literals, `prefilter` is as in `Rule`."""
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
    """Declare a key that is known by the setting it stands in; `words` are the vendor's names, divided by |."""
    pieces = [KeyPart(re.escape(part), part) if isinstance(part, str) else part for part in parts]
    names = tuple(words.split("|"))
    # A short name stands inside other words.
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
    """Declare all keys of one vendor; `source` is where it, or a published rule set, describes them."""
    return Detector(
        entity=entity,
        rules=tuple(form.rule for form in forms),
        examples=tuple(form.example for form in forms),
        counter_examples=tuple(_mask_example(form.example) for form in forms),
        sources=(source,),
    )


def by_name(source: str, formats: Iterable[tuple[KeyPart, str]], entity: str = "API_KEY") -> tuple[Detector, ...]:
    """Declare vendors, divided by spaces, whose keys are of one shape and known by the vendor's name alone."""
    return tuple(
        vendor(entity, source, named(f"{word.split('|')[0]}-key", word, part))
        for part, words in formats
        for word in words.split()
    )


def _prefilter(pieces: list[KeyPart]) -> str:
    """Look for the head of the key: its literals and a few of the characters after them."""
    head = r"\b" if pieces[0].literals else ""
    for piece in pieces:
        run = _RUN.fullmatch(piece.pattern)
        if run and int(run[2]) >= _HEAD_CHARS:
            return f"{head}{run[1]}{{{_HEAD_CHARS}}}" if head else piece.pattern
        head += piece.pattern
    return head


def _mask_example(example: str) -> str:
    """Turn the made-up key into a covered one."""
    shown, _, rest = example.partition("[[")
    value = rest.partition("]]")[0]
    return shown + value[:6] + "x" * max(len(value) - 6, 6)
