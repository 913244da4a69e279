"""Builds case-insensitive expressions of word lists that fail fast in `re`."""

import re
from collections.abc import Iterable

_PIECE = re.compile(r"\\.|\[(?:\\.|[^\]])*\]|\(\?[:>]?|\{[^}]*\}|[^\W\d_]")


def any_case_pattern(words: str | Iterable[str]) -> str:
    """Join words, expressions that each begin with a letter, into one for either case, told apart by that letter.

    A string is a list of words with spaces between.
    """
    by_letter: dict[str, list[str]] = {}
    for word in sorted(words.split() if isinstance(words, str) else words, key=len, reverse=True):
        by_letter.setdefault(word[0], []).append(in_any_case(word[1:]))
    groups = (f"{in_any_case(letter)}(?:{'|'.join(rests)})" for letter, rests in by_letter.items())
    return f"(?:{'|'.join(groups)})"


def in_any_case(expression: str) -> str:
    """Let every letter of `expression` stand for itself in either case; classes and escapes stay as they are."""
    return _PIECE.sub(_in_both_cases, expression)


def _in_both_cases(match: re.Match[str]) -> str:
    piece = match[0]
    if len(piece) > 1 or not piece.islower():
        return piece
    # The prefilter reads bytes: a class would take half a letter beyond ASCII.
    return f"[{piece}{piece.upper()}]" if piece.isascii() else f"(?:{piece}|{piece.upper()})"
