"""The engines of the prefilter: one pass over a text selects the few rules worth trying, and where.

With hyperscan all anchors, labels and expressions are searched for at once. Without it (`RegexEngine`) each is searched
for separately: the same findings, but slower. Literals with digits are separate from those without: most texts skip the
more expensive half, and two small databases compile in a fraction of the time of one.
"""

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from vestibule.detection.errors import InvalidDetector

try:
    import hyperscan
except ImportError:  # no wheel for this platform: slower, not different
    hyperscan = None  # type: ignore[assignment]

Hits = list[tuple[int, int]]
Load = Callable[[bytes], bytes | None]
Save = Callable[[bytes, bytes], None]

# Stands after the data of every text, so that "and no letter follows" needs no look at the end.
END = b"\n"


@dataclass(frozen=True)
class Literal:
    """A pattern to search for, the number of its rule, and the fewest digits that it contains."""

    expression: str
    number: int
    ignore_case: bool = False
    fewest_digits: int = 0


class PrefilterEngine(Protocol):
    """Searches a text for all literals; thread-safe."""

    def find(self, text: str, data: bytes) -> Hits:
        """Return (rule, end of its literal in code points, give or take one) for all in `text`; `data` is its UTF-8."""


def build_engine(literals: Iterable[Literal], load: Load, save: Save) -> PrefilterEngine:
    """Build the fastest engine available; `load` and `save` cache the compiled form by a fingerprint of its input."""
    owners: dict[tuple[str, bool], list[int]] = {}
    for literal in literals:
        numbers = owners.setdefault((literal.expression, literal.ignore_case), [])
        if literal.number not in numbers:
            numbers.append(literal.number)
    if not owners or hyperscan is None:
        return RegexEngine(owners)
    return HyperscanEngine(owners, load, save)


class RegexEngine:
    """Searches for each literal with the standard library."""

    def __init__(self, owners: dict[tuple[str, bool], list[int]]) -> None:
        self._literals = [
            (re.compile(expression, re.ASCII | (re.IGNORECASE if ignore_case else 0)), numbers)
            for (expression, ignore_case), numbers in owners.items()
        ]

    def find(self, text: str, data: bytes) -> Hits:  # noqa: ARG002
        """Give every place of every literal."""
        text += END.decode()
        return [
            (number, match.end())
            for expression, numbers in self._literals
            for match in expression.finditer(text)
            for number in numbers
        ]


class HyperscanEngine:
    """Searches for all literals at once with hyperscan."""

    def __init__(self, owners: dict[tuple[str, bool], list[int]], load: Load, save: Save) -> None:
        self._owners = list(owners.values())
        self._database = _compile(list(owners), load, save)
        self._scratch = threading.local()

    def find(self, text: str, data: bytes) -> Hits:
        """Give every place of every literal."""
        hits: Hits = []
        try:
            scratch = self._scratch.own
        except AttributeError:
            # Scratch space belongs to one scan at a time, hence to one thread.
            scratch = self._scratch.own = hyperscan.Scratch(self._database)
        self._database.scan(data, match_event_handler=_record_hit, scratch=scratch, context=hits)
        if not hits:
            return hits
        if len(data) > len(text) + 1:
            hits = _in_code_points(data, hits)
        owners = self._owners
        return [(number, end) for literal, end in hits for number in owners[literal]]


def _record_hit(literal: int, _start: int, end: int, _flags: int, hits: Hits) -> None:
    hits.append((literal, end))


def _in_code_points(data: bytes, hits: Hits) -> Hits:
    hits.sort(key=lambda hit: hit[1])
    converted: Hits = []
    at = chars = 0
    for literal, end in hits:
        if end > at:
            # A byte that continues a character (10xxxxxx) is not one of its own.
            chars += end - at - len(data[at:end].translate(None, _CHARACTER_STARTS))
            at = end
        converted.append((literal, chars))
    return converted


_CHARACTER_STARTS = bytes(byte for byte in range(256) if byte & 0xC0 != 0x80)


def _compile(literals: Sequence[tuple[str, bool]], load: Load, save: Save) -> Any:
    expressions = [expression.encode() for expression, _ in literals]
    flags = [
        hyperscan.HS_FLAG_DOTALL | (hyperscan.HS_FLAG_CASELESS if is_caseless else 0) for _, is_caseless in literals
    ]
    fingerprint = repr((getattr(hyperscan, "__version__", ""), expressions, flags)).encode()
    if kept := load(fingerprint):
        try:
            return hyperscan.loadb(kept, hyperscan.HS_MODE_BLOCK)
        except hyperscan.error:
            pass  # of another machine, or broken: compiled again below
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    try:
        database.compile(expressions=expressions, ids=list(range(len(literals))), elements=len(literals), flags=flags)
    except hyperscan.error as error:
        refused = _find_refused(expressions, flags)
        raise InvalidDetector(f"the prefilter cannot look for {refused!r}: {error}") from error
    save(fingerprint, hyperscan.dumpb(database))
    return database


def _find_refused(expressions: Sequence[bytes], flags: Sequence[int]) -> str:
    for expression, flag in zip(expressions, flags, strict=True):
        try:
            hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK).compile(
                expressions=[expression], ids=[0], elements=1, flags=[flag]
            )
        except hyperscan.error:
            return expression.decode()
    return "so many literals"
