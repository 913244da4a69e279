"""Anonymizes a text: replaces each finding as its action says."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from vestibule.policy.decision import STRICTNESS, Action, DecidedFinding

KEPT_CHARS = 4
# Four characters of a shorter value would reveal too much of it.
LEAST_MASKED_CHARS = 8

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
    """Return `text` with findings replaced as their actions say; the strictest action decides on overlapping ones."""
    parts: list[str] = []
    at = 0
    for span in _merge(decided):
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
