"""Anonymizes a text: replaces each finding as its action says; a JSON document stays one."""

import json
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from vestibule.policy.decision import STRICTNESS, Action, DecidedFinding

KEPT_CHARS = 4
# Four characters of a shorter value would reveal too much of it.
LEAST_MASKED_CHARS = 8
# The content of a string of JSON, or a number or another literal.
_LEXEME = re.compile(r'"(?P<string>[^"\\]*(?:\\.[^"\\]*)*)"|(?P<literal>[^\s\[\]{}:,"]+)')
# One character of a string of JSON that is written as an escape; two escapes are a surrogate pair.
_ESCAPE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.")

Replace = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class AnonymizerOperators:
    """The functions that hash and tokenize: each takes a value and its entity and returns the replacement."""

    hash: Replace
    tokenize: Replace


class _ReplacedSpan(NamedTuple):
    start: int
    end: int
    entity: str
    action: Action


def anonymize(text: str, decided: Iterable[DecidedFinding], operators: AnonymizerOperators) -> str:
    """Return `text` with findings replaced as their actions say; the strictest action decides on overlapping ones.

    A JSON object or array stays one: replacements are escaped inside strings, and a number or literal with a finding
    becomes a string. Where a finding covers several of them, each is replaced.
    """
    spans = _merge(decided)
    if not spans:
        return text
    if _is_json(text):
        return _anonymize_json(text, spans, operators)
    parts: list[str] = []
    at = 0
    for span in spans:
        parts += text[at : span.start], _replacement(text[span.start : span.end], span, operators)
        at = span.end
    return "".join([*parts, text[at:]])


def mask(value: str) -> str:
    """Return `value` with `*` for all but its last four characters; a short one is all `*`."""
    if len(value) < LEAST_MASKED_CHARS:
        return "*" * len(value)
    return "*" * (len(value) - KEPT_CHARS) + value[-KEPT_CHARS:]


def _replacement(value: str, span: _ReplacedSpan, operators: AnonymizerOperators) -> str:
    match span.action:
        case Action.MASK:
            return mask(value)
        case Action.HASH:
            return operators.hash(value, span.entity)
        case Action.TOKENIZE:
            return operators.tokenize(value, span.entity)
        case _:
            return f"<{span.entity}>"


def _merge(decided: Iterable[DecidedFinding]) -> list[_ReplacedSpan]:
    replaced = (one for one in decided if one.action.changes_text)
    merged: list[_ReplacedSpan] = []
    for one in sorted(replaced, key=lambda one: (one.found.start, -one.found.end)):
        span = _ReplacedSpan(one.found.start, one.found.end, one.found.entity, one.action)
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            stricter = max(last, span, key=lambda either: STRICTNESS[either.action])
            merged[-1] = stricter._replace(start=last.start, end=max(last.end, span.end))
        else:
            merged.append(span)
    return merged


def _is_json(text: str) -> bool:
    # A text that is only a number or a string of JSON is far more often plain text.
    if not text.lstrip(" \t\r\n").startswith(("{", "[")):
        return False
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _anonymize_json(text: str, spans: Sequence[_ReplacedSpan], operators: AnonymizerOperators) -> str:
    parts: list[str] = []
    at, first = 0, 0
    # A span that continues in another lexeme was replaced in the one before.
    replacements = [_replacement(text[span.start : span.end], span, operators) for span in spans]
    for lexeme in _LEXEME.finditer(text):
        is_string = lexeme["string"] is not None
        start, end = lexeme.span("string" if is_string else "literal")
        while first < len(spans) and spans[first].end <= start:
            first += 1
        if first == len(spans):
            break
        after = first
        while after < len(spans) and spans[after].start < end:
            after += 1
        if start == end or after == first:
            continue
        content = _replace_within(text, start, end, spans[first:after], replacements[first:after])
        for number in range(first, after):
            replacements[number] = f"<{spans[number].entity}>"
        parts += text[at:start], content if is_string else f'"{content}"'
        at = end
    return "".join([*parts, text[at:]])


def _replace_within(
    text: str, start: int, end: int, spans: Sequence[_ReplacedSpan], replacements: Sequence[str]
) -> str:
    """Return the content of the lexeme from `start` to `end`; an escape is replaced as a whole."""
    parts: list[str] = []
    at = start
    escapes = [found.span() for found in _ESCAPE.finditer(text, start, end)]
    for span, replacement in zip(spans, replacements, strict=True):
        before, after = max(span.start, start), min(span.end, end)
        for begun, ended in (_around(escapes, before), _around(escapes, after)):
            before, after = min(before, begun), max(after, ended)
        parts += text[at : max(at, before)], json.dumps(replacement, ensure_ascii=False)[1:-1]
        at = max(at, after)
    return "".join([*parts, text[at:end]])


def _around(escapes: Sequence[tuple[int, int]], place: int) -> tuple[int, int]:
    """Return the escape that contains `place` beyond its first character, or an empty span there."""
    number = bisect_left(escapes, (place, place)) - 1
    if number >= 0 and escapes[number][0] < place < escapes[number][1]:
        return escapes[number]
    return place, place
