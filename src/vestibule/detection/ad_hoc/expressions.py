"""Expressions that strangers write, matched by RE2: no text makes one take more than linear time.

Source: https://github.com/google/re2/wiki/Syntax. RE2 has no lookaround and no back-references. A lookaround of one
character at the start or the end of an expression is a check of the character there, and is taken.
"""

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any, NamedTuple

from vestibule.detection.matching import TimeBudget

MAX_EXPRESSION_CHARS = 2_000
# Bounds the size of the program that an expression becomes, and so what each character of a text may cost.
MAX_MEMORY_BYTES = 256 * 1024
# A text is searched window by window, so that no single search is long; a match is at most as long as the overlap.
WINDOW_BYTES, OVERLAP_BYTES = 4_096, 1_024

_ONE = r"(?:\\[dDwWsS]|\\[^A-Za-z0-9]|\[\^?(?:\\.|[^\]\\])+\]|[^\\\[\](){}?*+|.^$])"
_BEFORE = re.compile(rf"\(\?<(?P<sign>[=!])(?P<one>{_ONE})\)")
_AFTER = re.compile(rf"\(\?(?P<sign>[=!])(?P<one>{_ONE})\)$")
# RE2 writes the end of the text in lower case, and knows the others by another name or not at all.
_END = re.compile(r"(?<!\\)((?:\\\\)*)\\Z")


class ExpressionRefused(ValueError):
    """The expression is not valid, or cannot be matched in linear time; the message repeats nothing of it."""


class ByteSpan(NamedTuple):
    """Where a match is, in bytes of UTF-8."""

    start: int
    end: int


class Neighbour(NamedTuple):
    """What the character beside a match has to be, or must not be."""

    one: re.Pattern[str]
    is_wanted: bool

    def allows(self, character: str) -> bool:
        """Say whether the character, empty at an edge of the text, may stand there."""
        return (self.one.fullmatch(character) is not None) == self.is_wanted


class BoundedExpression:
    """One expression, compiled."""

    def __init__(self, expression: str, flags: re.RegexFlag) -> None:
        """Compile it with flags of the standard library, of which case, lines and dots count.

        Raises:
            ExpressionRefused: it is not valid, too long, or cannot be matched in linear time.
        """
        re2 = _load_re2()
        if len(expression) > MAX_EXPRESSION_CHARS:
            raise ExpressionRefused(f"an expression may have at most {MAX_EXPRESSION_CHARS:,} characters")
        if flags & re.VERBOSE:
            raise ExpressionRefused("the flag VERBOSE is not supported")
        core, self._before, self._after = _split_edges(expression, flags)
        options = re2.Options()
        options.max_mem = MAX_MEMORY_BYTES
        options.log_errors = False
        options.case_sensitive = not flags & re.IGNORECASE
        options.dot_nl = bool(flags & re.DOTALL)
        core = _END.sub(r"\1\\z", core)
        try:
            self._compiled: Any = re2.compile(f"(?m){core}" if flags & re.MULTILINE else core, options)
        except re2.error:
            raise ExpressionRefused(
                "an expression has to be valid and small, without lookaround inside and without back-references, "
                "so that it matches in linear time"
            ) from None
        except UnicodeEncodeError:
            raise ExpressionRefused("an expression has to be valid Unicode") from None
        finally:
            # Its cache would keep what callers send.
            re2.purge()

    def find(self, data: bytes, clock: TimeBudget) -> Iterator[ByteSpan]:
        """Yield the matches in a text in UTF-8 that are not empty, from left to right and without overlap.

        Raises:
            ScanBudgetExceeded: it takes too long.
        """
        at = 0
        while at < len(data):
            clock.check()
            window = _character_start(data, at + WINDOW_BYTES)
            searched_to = len(data) if window == len(data) else _character_start(data, window - OVERLAP_BYTES)
            found = self._compiled.search(data, at, window)
            span = None if found is None else found.span()
            if span is None or span[0] >= searched_to:
                at = searched_to
            elif span[0] < span[1] and self._fits(data, *span):
                yield ByteSpan(*span)
                at = span[1]
            else:
                at = _character_start(data, span[0] + 1)

    def is_in(self, text: str, clock: TimeBudget) -> bool:
        """Say whether a text has a match, which may be empty.

        Raises:
            ScanBudgetExceeded: it takes too long.
        """
        clock.check()
        data = text.encode("utf-8", "surrogatepass")
        found = self._compiled.search(data, 0, _character_start(data, WINDOW_BYTES))
        if found is not None and self._fits(data, *found.span()):
            return True
        return any(True for _ in self.find(data, clock))

    def _fits(self, data: bytes, start: int, end: int) -> bool:
        if self._before and not self._before.allows(_character_before(data, start)):
            return False
        return not self._after or self._after.allows(_character_after(data, end))


def _load_re2() -> Any:
    # Loaded where a caller sends an expression, which few do.
    try:
        return import_module("re2")
    except ImportError:  # no wheel for this platform
        raise ExpressionRefused("this installation has no RE2, which matches expressions of callers") from None


def _split_edges(expression: str, flags: re.RegexFlag) -> tuple[str, Neighbour | None, Neighbour | None]:
    """Return an expression without lookarounds of one character at its edges, and these."""
    before = after = None
    if (found := _BEFORE.match(expression)) and not _has_branches(expression[found.end() :]):
        before, expression = _neighbour(found, flags), expression[found.end() :]
    if (found := _AFTER.search(expression)) and not _has_branches(expression[: found.start()]):
        after, expression = _neighbour(found, flags), expression[: found.start()]
    return expression, before, after


def _has_branches(expression: str) -> bool:
    """Say whether there are branches outside of groups, of which the edge would be part of one alone."""
    depth, at = 0, 0
    plain = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "_", expression, flags=re.DOTALL)
    while at < len(plain):
        depth += {"(": 1, ")": -1}.get(plain[at], 0)
        if plain[at] == "|" and depth == 0:
            return True
        at += 1
    return False


def _neighbour(found: re.Match[str], flags: re.RegexFlag) -> Neighbour:
    try:
        return Neighbour(re.compile(found["one"], flags & re.IGNORECASE), found["sign"] == "=")
    except re.error:
        raise ExpressionRefused("a character class at the edge of an expression is not valid") from None


def _character_start(data: bytes, at: int) -> int:
    """Return the start of the character at `at` or after it."""
    at = min(at, len(data))
    while at < len(data) and data[at] & 0xC0 == 0x80:
        at += 1
    return at


def _character_before(data: bytes, at: int) -> str:
    return data[max(0, at - 4) : at].decode("utf-8", "ignore")[-1:]


def _character_after(data: bytes, at: int) -> str:
    return data[at : at + 4].decode("utf-8", "ignore")[:1]
