"""Anonymizes a text: replaces each finding as its action says; a JSON document stays one."""

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple

from vestibule.policy.decision import STRICTNESS, Action, DecidedFinding

KEPT_CHARS = 4
# Four characters of a shorter value would reveal too much of it.
LEAST_MASKED_CHARS = 8
# The content of a string of JSON, or a number or another literal.
_LEXEME = re.compile(r'"(?P<string>[^"\\]*(?:\\.[^"\\]*)*)"|(?P<literal>[^\s\[\]{}:,"]+)')
# One character of a string of JSON that is written as an escape; two escapes are a surrogate pair.
_ESCAPE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.")

_SPACE = re.compile(r"[ \t\r\n]*")

Replace = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class AnonymizerOperators:
    """The functions that replace by more than the entity: each takes a value and its entity."""

    hash: Replace
    tokenize: Replace
    number: Replace
    fake: Replace


class _ReplacedSpan(NamedTuple):
    start: int
    end: int
    entity: str
    action: Action


def anonymize(text: str, decided: Iterable[DecidedFinding], operators: AnonymizerOperators) -> str:
    """Return `text` with findings replaced as their actions say; the strictest action decides on overlapping ones.

    A JSON object or array stays one, also several one after the other, as in JSON Lines, and one inside of a string of
    another: replacements are escaped inside strings, and a number or literal with a finding becomes a string. Where a
    finding covers several of them, each is replaced.
    """
    spans = _merge(decided)
    if not spans:
        return text
    replacements = [_replacement(text[span.start : span.end], span, operators) for span in spans]
    if is_json(text):
        return _anonymize_json(text, spans, replacements)
    return replace_spans(text, [(span.start, span.end) for span in spans], replacements)[0]


def replace_spans(
    text: str, spans: Sequence[tuple[int, int]], replacements: Sequence[str]
) -> tuple[str, list[tuple[int, int]]]:
    """Return `text` with each span replaced, and where each replacement is in it.

    The spans are in order; where one reaches into the next, only what is before the next counts for it.
    """
    parts: list[str] = []
    places: list[tuple[int, int]] = []
    at = length = 0
    followed_by = [*(start for start, _ in spans), len(text)][1:]
    for (start, end), following, replacement in zip(spans, followed_by, replacements, strict=True):
        parts += text[at:start], replacement
        length += max(0, start - at)
        places.append((length, length + len(replacement)))
        length += len(replacement)
        at = min(end, following)
    return "".join([*parts, text[at:]]), places


def mask(value: str) -> str:
    """Return `value` with `*` for all but its last four characters; a short one is all `*`."""
    kept = KEPT_CHARS if len(value) >= LEAST_MASKED_CHARS else 0
    return mask_chars(value, "*", len(value) - kept)


def mask_chars(value: str, character: str, count: int, *, from_end: bool = False) -> str:
    """Return `value` with `character` for its first `count` characters, or its last ones."""
    masked = max(0, min(count, len(value)))
    if from_end:
        return value[: len(value) - masked] + character * masked
    return character * masked + value[masked:]


def _replacement(value: str, span: _ReplacedSpan, operators: AnonymizerOperators) -> str:
    match span.action:
        case Action.MASK:
            return mask(value)
        case Action.HASH:
            return operators.hash(value, span.entity)
        case Action.TOKENIZE:
            return operators.tokenize(value, span.entity)
        case Action.NUMBER:
            return operators.number(value, span.entity)
        case Action.FAKE:
            return operators.fake(value, span.entity)
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


def is_json(text: str) -> bool:
    """Say whether a text is one JSON object or array, or several one after the other."""
    at = _after_space(text, 0)
    # A text that is only a number or a string of JSON is far more often plain text.
    while text.startswith(("{", "["), at):
        try:
            _, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            return False
        at = _after_space(text, at)
        if at == len(text):
            return True
    return False


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_refuse_constant)


def _anonymize_json(text: str, spans: Sequence[_ReplacedSpan], replacements: list[str]) -> str:
    """Return `text` with its spans replaced; one that continues in another lexeme is replaced by its entity there."""
    parts: list[str] = []
    at, first = 0, 0
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
    widened = [_widened(escapes, max(span.start, start), min(span.end, end)) for span in spans]
    decoded = _document_within(text, start, end)
    if decoded is not None:
        # An escape stands for one character.
        shifts = [0, *accumulate(ended - begun - 1 for begun, ended in escapes)]
        ends = [ended for _, ended in escapes]
        inner = [
            span._replace(
                start=before - start - shifts[bisect_right(ends, before)],
                end=after - start - shifts[bisect_right(ends, after)],
            )
            for span, (before, after) in zip(spans, widened, strict=True)
        ]
        changed = _anonymize_json(decoded, inner, list(replacements))
        return json.dumps(changed, ensure_ascii="\\u" in text[start:end])[1:-1]
    for (before, after), replacement in zip(widened, replacements, strict=True):
        parts += text[at : max(at, before)], json.dumps(replacement, ensure_ascii=False)[1:-1]
        at = max(at, after)
    return "".join([*parts, text[at:end]])


def _document_within(text: str, start: int, end: int) -> str | None:
    """Return the document that is the content of a string; None if it is none."""
    if not text[start:end].lstrip(" ").startswith(("{", "[", "\\")):
        return None
    decoded: str = json.loads(f'"{text[start:end]}"')
    return decoded if is_json(decoded) else None


def _widened(escapes: Sequence[tuple[int, int]], before: int, after: int) -> tuple[int, int]:
    around = (_around(escapes, before), _around(escapes, after))
    return min(before, *(begun for begun, _ in around)), max(after, *(ended for _, ended in around))


def _around(escapes: Sequence[tuple[int, int]], place: int) -> tuple[int, int]:
    """Return the escape that contains `place` beyond its first character, or an empty span there."""
    number = bisect_left(escapes, (place, place)) - 1
    if number >= 0 and escapes[number][0] < place < escapes[number][1]:
        return escapes[number]
    return place, place
