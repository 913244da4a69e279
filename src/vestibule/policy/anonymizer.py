"""Changes a text as it was decided: each finding gets what its own action puts in its place."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from vestibule.policy.action import STRICTNESS, Action
from vestibule.policy.decision import Judged

KEPT_CHARS = 4
# Of a short value, four characters would be too much of it.
LEAST_MASKED_CHARS = 8

Replace = Callable[[str, str], str]


@dataclass(frozen=True, slots=True)
class AnonymizerOperators:
    """How to hash and to tokenize: each takes a value and its entity and returns what stands in its place."""

    hash: Replace
    tokenize: Replace


class _Piece(NamedTuple):
    start: int
    end: int
    entity: str
    action: Action


def anonymize(text: str, judged: Iterable[Judged], tools: AnonymizerOperators) -> str:
    """Return `text` with every finding replaced that is to be; where findings overlap, the strictest action counts."""
    parts: list[str] = []
    at = 0
    for piece in _merge(judged):
        parts += text[at : piece.start], _replacement(text[piece.start : piece.end], piece, tools)
        at = piece.end
    return "".join([*parts, text[at:]])


def mask(value: str) -> str:
    """Return `value` with `*` for all but its last four characters; a short one is all `*`."""
    if len(value) < LEAST_MASKED_CHARS:
        return "*" * len(value)
    return "*" * (len(value) - KEPT_CHARS) + value[-KEPT_CHARS:]


def _replacement(value: str, piece: _Piece, tools: AnonymizerOperators) -> str:
    match piece.action:
        case Action.MASK:
            return mask(value)
        case Action.HASH:
            return tools.hash(value, piece.entity)
        case Action.TOKENIZE:
            return tools.tokenize(value, piece.entity)
        case _:
            return f"<{piece.entity}>"


def _merge(judged: Iterable[Judged]) -> list[_Piece]:
    replaced = (one for one in judged if one.action.changes_text)
    merged: list[_Piece] = []
    for one in sorted(replaced, key=lambda one: (one.found.start, -one.found.end)):
        piece = _Piece(one.found.start, one.found.end, one.found.entity, one.action)
        if merged and piece.start < merged[-1].end:
            last = merged[-1]
            stricter = max(last, piece, key=lambda either: STRICTNESS[either.action])
            merged[-1] = stricter._replace(start=last.start, end=max(last.end, piece.end))
        else:
            merged.append(piece)
    return merged
