"""The engines of the prefilter: hyperscan searches for all literals in one pass, `re` for one after the other.

Both lead to the same findings; `re` is slower.
"""

import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from vestibule.detection.compiled_cache import CompiledCache
from vestibule.detection.errors import InvalidDetector

try:
    import hyperscan
except ImportError:  # no wheel for this platform
    hyperscan = None  # type: ignore[assignment]

Hits = list[tuple[int, int]]

# Appended to every text, so that "no letter follows" matches at the end too.
END = b"\n"


@dataclass(frozen=True)
class Literal:
    """A pattern to search for, the number of its rule, and the fewest digits that it contains."""

    expression: str
    number: int
    ignore_case: bool = False
    fewest_digits: int = 0


def build_engine(literals: Iterable[Literal], cache: CompiledCache) -> "HyperscanEngine | RegexEngine":
    """Build the fastest engine available; both are thread-safe."""
    owners: dict[tuple[str, bool], list[int]] = {}
    for literal in literals:
        numbers = owners.setdefault((literal.expression, literal.ignore_case), [])
        if literal.number not in numbers:
            numbers.append(literal.number)
    if not owners or hyperscan is None:
        return RegexEngine(owners)
    return HyperscanEngine(owners, cache)


class RegexEngine:
    """Searches for each literal with the standard library."""

    def __init__(self, owners: dict[tuple[str, bool], list[int]]) -> None:
        self._literals = [
            (re.compile(expression, re.ASCII | (re.IGNORECASE if ignore_case else 0)), numbers)
            for (expression, ignore_case), numbers in owners.items()
        ]

    def find(self, text: str, data: bytes) -> Hits:  # noqa: ARG002
        """Return (rule, end in code points, give or take one) of every literal in `text`; `data` is its UTF-8."""
        text += END.decode()
        return [
            (number, match.end())
            for expression, numbers in self._literals
            for match in expression.finditer(text)
            for number in numbers
        ]


class HyperscanEngine:
    """Searches for all literals at once with hyperscan."""

    def __init__(self, owners: dict[tuple[str, bool], list[int]], cache: CompiledCache) -> None:
        self._owners = list(owners.values())
        self._database = _compile(list(owners), cache)
        self._scratch = threading.local()

    def find(self, text: str, data: bytes) -> Hits:
        """Return (rule, end in code points, give or take one) of every literal in `text`; `data` is its UTF-8."""
        hits: Hits = []
        try:
            scratch = self._scratch.own
        except AttributeError:
            # Each thread needs scratch space of its own.
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
            # Continuation bytes (10xxxxxx) are not counted.
            chars += end - at - len(data[at:end].translate(None, _CHARACTER_STARTS))
            at = end
        converted.append((literal, chars))
    return converted


_CHARACTER_STARTS = bytes(byte for byte in range(256) if byte & 0xC0 != 0x80)


def _compile(literals: Sequence[tuple[str, bool]], cache: CompiledCache) -> Any:
    expressions = [expression.encode() for expression, _ in literals]
    flags = [
        hyperscan.HS_FLAG_DOTALL | (hyperscan.HS_FLAG_CASELESS if is_caseless else 0) for _, is_caseless in literals
    ]
    fingerprint = repr((getattr(hyperscan, "__version__", ""), expressions, flags)).encode()
    if kept := cache.load(fingerprint):
        try:
            return hyperscan.loadb(kept, hyperscan.HS_MODE_BLOCK)
        except hyperscan.error:
            pass  # compiled on another machine, or damaged: compiled again below
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    try:
        database.compile(expressions=expressions, ids=list(range(len(literals))), elements=len(literals), flags=flags)
    except hyperscan.error as error:
        refused = _find_refused(expressions, flags)
        raise InvalidDetector(f"the prefilter cannot search for {refused!r}: {error}") from error
    cache.save(fingerprint, hyperscan.dumpb(database))
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
