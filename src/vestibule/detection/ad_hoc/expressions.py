"""Expressions that strangers write, matched by RE2: no text makes one take more than linear time.

Source: https://github.com/google/re2/wiki/Syntax. RE2 has no lookaround and no back-references. A lookaround of one
character at the start or the end of an expression is a check of the character there, and is taken; so is a lookahead
at the start or the end, which is a check of what begins there.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from vestibule.detection.matching import TimeBudget


class ExpressionLimits(NamedTuple):
    """How large an expression may be.

    `memory_bytes` bounds the program that it becomes, and so what each character of a text may cost. A text is searched
    window by window, so that no single search is long; a match is at most as long as the overlap of two windows.
    """

    chars: int
    memory_bytes: int
    window_bytes: int
    overlap_bytes: int


# Of callers, and of the operator, whose rules also find private keys of several lines.
CALLERS = ExpressionLimits(2_000, 256 * 1024, 4_096, 1_024)
OPERATORS = ExpressionLimits(65_536, 8 * 1024 * 1024, 65_536, 16_384)

_ONE = r"(?:\\[dDwWsS]|\\[^A-Za-z0-9]|\[\^?(?:\\.|[^\]\\])+\]|[^\\\[\](){}?*+|.^$])"
_ALONE = re.compile(_ONE)
_BEFORE = re.compile(rf"\(\?<(?P<sign>[=!])(?P<one>{_ONE})\)")
_AFTER = re.compile(rf"\(\?(?P<sign>[=!])(?P<one>{_ONE})\)$")
_AHEAD = re.compile(r"(?P<border>\\b)?\(\?(?P<sign>[=!])")
_ESCAPED_OR_CLASS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
MAX_OPENINGS = 4
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

    def as_re2(self) -> str:
        """Return an expression of the character, or of its absence at the end of the text."""
        one = self.one.pattern
        if self.is_wanted:
            return one
        if one.startswith("["):
            return f"(?:[{one[2:]}|\\z)" if one.startswith("[^") else f"(?:[^{one[1:]}|\\z)"
        return rf"(?:[^{one}]|\z)"

    def allows(self, character: str) -> bool:
        """Say whether the character, empty at an edge of the text, may stand there."""
        return (self.one.fullmatch(character) is not None) == self.is_wanted


class Lookahead(NamedTuple):
    """What has to begin where a match begins or ends, or must not."""

    expression: "BoundedExpression"
    is_wanted: bool

    def allows(self, data: bytes, place: int) -> bool:
        """Say whether a match may begin, or end, at a place."""
        return self.expression.begins_at(data, place) == self.is_wanted


class BoundedExpression:
    """One expression, compiled; `groups` is the number of its groups, `group_numbers` has those with a name."""

    def __init__(self, expression: str, flags: re.RegexFlag, limits: ExpressionLimits = CALLERS) -> None:
        """Compile it with flags of the standard library, of which case, lines and dots count.

        Raises:
            ExpressionRefused: it is not valid, too long, or cannot be matched in linear time.
        """
        if len(expression) > limits.chars:
            raise ExpressionRefused(f"an expression may have at most {limits.chars:,} characters")
        if flags & re.VERBOSE:
            raise ExpressionRefused("the flag VERBOSE is not supported")
        self._limits = limits
        core, self._before, self._after = _split_edges(expression, flags)
        openings, core = _split_openings(core)
        endings, core = _split_ending(core)
        if not self._after and (one := next((end for end in endings if _ALONE.fullmatch(end[1])), None)):
            endings.remove(one)
            self._after = _neighbour(*one, flags)
        self._openings, self._endings = (
            [Lookahead(BoundedExpression(one, flags, limits), sign == "=") for sign, one in some]
            for some in (openings, endings)
        )
        # The character behind a match is matched too, so that a shorter one is found where the longest has another.
        self._shift = 1 if self._after else 0
        self._compiled = _compile(f"({core}){self._after.as_re2()}" if self._after else core, flags, limits)
        self.groups: int = self._compiled.groups - self._shift
        self.group_numbers: Mapping[str, int] = {
            name: number - self._shift for name, number in self._compiled.groupindex.items()
        }

    def find(self, data: bytes, clock: TimeBudget) -> Iterator[ByteSpan]:
        """Yield the matches in a text in UTF-8 that are not empty, from left to right and without overlap.

        Raises:
            ScanBudgetExceeded: it takes too long.
        """
        return (spans[0] for spans in self.find_groups(data, clock))

    def find_groups(self, data: bytes, clock: TimeBudget) -> Iterator[Sequence[ByteSpan]]:
        """Yield for each match that `find` yields its span and those of its groups; -1 where one took no part.

        Raises:
            ScanBudgetExceeded: it takes too long.
        """
        at, limits = 0, self._limits
        while at < len(data):
            clock.check()
            window = _character_start(data, at + limits.window_bytes)
            is_last = window == len(data)
            searched_to = len(data) if is_last else _character_start(data, window - limits.overlap_bytes)
            found = self._compiled.search(data, at, window)
            span = None if found is None else found.span(self._shift)
            if span is None or span[0] >= searched_to:
                at = searched_to
            elif span[0] < span[1] and self._fits(data, *span):
                yield [ByteSpan(*found.span(group + self._shift)) for group in range(self.groups + 1)]
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
        found = self._compiled.search(data, 0, _character_start(data, self._limits.window_bytes))
        if found is not None and self._fits(data, *found.span(self._shift)):
            return True
        return any(True for _ in self.find(data, clock))

    def begins_at(self, data: bytes, start: int) -> bool:
        """Say whether a match, which may be empty, begins at a place."""
        found = self._compiled.match(data, start, _character_start(data, start + self._limits.overlap_bytes))
        return found is not None and self._fits(data, *found.span(self._shift))

    def _fits(self, data: bytes, start: int, end: int) -> bool:
        if self._before and not self._before.allows(_character_before(data, start)):
            return False
        if self._after and not self._after.allows(_character_after(data, end)):
            return False
        return all(one.allows(data, start) for one in self._openings) and all(
            one.allows(data, end) for one in self._endings
        )


def _compile(core: str, flags: re.RegexFlag, limits: ExpressionLimits) -> Any:
    re2 = _load_re2()
    options = re2.Options()
    options.max_mem = limits.memory_bytes
    options.log_errors = False
    options.case_sensitive = not flags & re.IGNORECASE
    options.dot_nl = bool(flags & re.DOTALL)
    core = _END.sub(r"\1\\z", core)
    try:
        return re2.compile(f"(?m){core}" if flags & re.MULTILINE else core, options)
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
        before, expression = _neighbour(found["sign"], found["one"], flags), expression[found.end() :]
    if (found := _AFTER.search(expression)) and not _has_branches(expression[: found.start()]):
        after, expression = _neighbour(found["sign"], found["one"], flags), expression[: found.start()]
    return expression, before, after


def _split_openings(expression: str) -> tuple[list[tuple[str, str]], str]:
    """Return the lookaheads that an expression begins with, each with its sign, and the expression without them."""
    openings: list[tuple[str, str]] = []
    if not _AHEAD.match(expression) or _has_branches(expression):
        return openings, expression
    border = ""
    while found := _AHEAD.match(expression):
        inner, closed, rest = _split_group(expression[found.end() :])
        if not closed or len(openings) == MAX_OPENINGS:
            break
        openings.append((found["sign"], _without_lookahead(inner)))
        border, expression = border or found["border"] or "", rest
    return openings, border + expression


def _split_ending(expression: str) -> tuple[list[tuple[str, str]], str]:
    """Return the lookahead that an expression ends with, with its sign, and the expression without it."""
    plain, depth = _plain(expression), 0
    if not plain.endswith(")"):
        return [], expression
    for at in range(len(plain) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(plain[at], 0)
        if depth == 0:
            break
    found = _AHEAD.match(expression, at)
    if depth or not found or found["border"] or not at or _has_branches(expression):
        return [], expression
    inner = _without_lookahead(expression[found.end() : -1])
    # Nothing of several is nothing of each.
    branches = _branches(inner) if found["sign"] == "!" else [inner]
    return [(found["sign"], one) for one in branches], expression[:at]


def _without_lookahead(inner: str) -> str:
    # Each inside another would be compiled by itself, as deep as they go; one of a character is none.
    plain = _plain(_AFTER.sub("", inner))
    if "(?=" in plain or "(?!" in plain:
        raise ExpressionRefused("a lookahead may not have another one inside")
    return inner


def _split_group(opened: str) -> tuple[str, str, str]:
    """Return what is in a group, its closing bracket, which may be missing, and what is behind it."""
    plain, depth = _plain(opened), 1
    for at, character in enumerate(plain):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return opened[:at], ")", opened[at + 1 :]
    return opened, "", ""


def _plain(expression: str) -> str:
    """Return an expression of the same length without the characters that stand for themselves."""
    return _ESCAPED_OR_CLASS.sub(lambda found: "_" * len(found[0]), expression)


def _has_branches(expression: str) -> bool:
    """Say whether there are branches outside of groups, of which the edge would be part of one alone."""
    return len(_branches(expression)) > 1


def _branches(expression: str) -> list[str]:
    """Return the branches of an expression outside of groups."""
    depth, began, branches = 0, 0, []
    for at, character in enumerate(_plain(expression)):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "|" and depth == 0:
            branches.append(expression[began:at])
            began = at + 1
    return [*branches, expression[began:]]


def _neighbour(sign: str, one: str, flags: re.RegexFlag) -> Neighbour:
    try:
        return Neighbour(re.compile(one, flags & re.IGNORECASE), sign == "=")
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
