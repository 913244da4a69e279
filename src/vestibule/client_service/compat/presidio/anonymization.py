"""Anonymizes texts by findings and operators that a client sends, and decrypts what it encrypted so."""

import re
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from vestibule.client_service.compat.presidio.refusals import (
    EMPTY_REQUEST,
    INTERNAL,
    PresidioRefusal,
    invalid_parameter,
    members_of,
)
from vestibule.contracts.errors import TooLarge
from vestibule.encryption import DecryptionFailed
from vestibule.policy.anonymizer import Replace, replace_spans
from vestibule.policy.operators import OperatorRefused, Parameters, build_anonymizer, build_deanonymizer

DEFAULT = "DEFAULT"
MOST_SPANS = 10_000
# What all spans together may read, and all replacements together may write.
MAX_CHARS = 8 * 1024 * 1024
# A line may end there, as for theirs.
_SPACES = re.compile(r" +\n?")
TOO_MANY = f"Invalid input, there may be at most {MOST_SPANS:,} results"
Reply = dict[str, Any] | list[dict[str, Any]]
_INTERNAL = PresidioRefusal(500, INTERNAL)
_JSON_NAMES = {str: "string", bool: "boolean", list: "array"}


class EntitySpan(NamedTuple):
    """Where an entity stands, how sure that is, and its place in the order of all."""

    start: int
    end: int
    entity: str
    score: float = 0.0
    number: int = 0


class Operator(NamedTuple):
    """An operator by its name, with its parameters."""

    name: str
    parameters: Parameters


def anonymize_request(content: Any) -> Reply:
    """Return the reply to a request to anonymize one text, or a list of them with a list of findings for each.

    Raises:
        PresidioRefusal: it is not valid.
        TooLarge: the result is too long.
    """
    given = _members(content)
    operators = _operators(given.get("anonymizers"))
    if any(one.name == "custom" for one in operators.values()):
        raise PresidioRefusal(400, "Custom type anonymizer is not supported")
    if given.get("analyzer_results") is None:
        raise invalid_parameter("Invalid input, request must contain analyzer results")
    operators = {DEFAULT: Operator("replace", {}), **operators}

    def spans_of(text: str, results: list[Any]) -> list[EntitySpan]:
        return merge_across_spaces(text, resolve_conflicts([_span(one, needs_score=True) for one in results]))

    return _reply(given, given["analyzer_results"], spans_of, OperatorSet(operators, build_anonymizer))


def deanonymize_request(content: Any) -> Reply:
    """Return the reply to a request to undo what `encrypt` did, in one text or a list of them.

    Raises:
        PresidioRefusal: it is not valid, or a value cannot be decrypted with the key.
        TooLarge: the result is too long.
    """
    given = _members(content)

    def spans_of(_text: str, results: list[Any]) -> list[EntitySpan]:
        return [_span(one, needs_score=False) for one in results]

    operators = OperatorSet(_operators(given.get("deanonymizers")), build_deanonymizer)
    return _reply(given, given.get("anonymizer_results") or [], spans_of, operators)


def _reply(
    given: Mapping[str, Any], results: Any, spans_of: Callable[[str, list[Any]], list[EntitySpan]], do: "OperatorSet"
) -> Reply:
    text = given.get("text", "")
    if not isinstance(text, list):
        checked = _text(text)
        return _operate(checked, spans_of(checked, _items(results)), do)
    several = _items(results)
    if len(several) != len(text):
        raise invalid_parameter("Invalid input, a list of texts needs a list of results for each")
    if sum(len(_items(one)) for one in several) > MOST_SPANS:
        raise invalid_parameter(TOO_MANY)
    texts = [_text(one) for one in text]
    return [_operate(one, spans_of(one, own), do) for one, own in zip(texts, several, strict=True)]


class OperatorSet:
    """The operators of a request by entity, each built where it is first used, and what is left of its bounds."""

    def __init__(self, operators: Mapping[str, Operator], build: Callable[[str, Parameters], Replace]) -> None:
        self._operators = operators
        self._build = build
        self._built: dict[str, Replace] = {}
        self._chars_left = MAX_CHARS

    def apply(self, value: str, entity: str) -> tuple[str, str]:
        """Return what replaces a value, and the name of the operator.

        Raises:
            PresidioRefusal: there is no operator, or it is not valid, or it fails.
            TooLarge: all together is too long.
        """
        chosen = entity if entity in self._operators else DEFAULT
        if chosen not in self._operators:
            raise _INTERNAL
        operator = self._operators[chosen]
        try:
            if chosen not in self._built:
                self._built[chosen] = self._build(*operator)
            replacement = self._built[chosen](value, entity)
        except OperatorRefused as refused:
            raise invalid_parameter(str(refused)) from None
        except DecryptionFailed:
            raise _INTERNAL from None
        self._chars_left -= len(value) + len(replacement)
        if self._chars_left < 0:
            raise TooLarge("The findings and what replaces them are too long together.")
        return replacement, operator.name


def resolve_conflicts(spans: Sequence[EntitySpan]) -> list[EntitySpan]:
    """Return spans none of which is within another; those of one entity that overlap are one.

    They are in the order of the text; one that was united stands where its last part did. Of two at the same place the
    higher score counts, and of equal scores the later. Spans of different entities may still overlap in part.
    """
    by_entity: dict[str, list[EntitySpan]] = {}
    ordered = sorted(spans, key=attrgetter("start", "end"))
    for span in (one._replace(number=number) for number, one in enumerate(ordered)):
        own = by_entity.setdefault(span.entity, [])
        if own and own[-1].start < span.end and span.start < own[-1].end:
            last = own[-1]
            own[-1] = span._replace(start=last.start, end=max(last.end, span.end), score=max(last.score, span.score))
        else:
            own.append(span)
    united = [span for own in by_entity.values() for span in own]
    # The widest at a place first, and there the one that counts.
    united.sort(key=lambda span: (span.start, -span.end, -span.score, -span.number))
    kept: list[EntitySpan] = []
    for span in united:
        if not kept or span.end > kept[-1].end:
            kept.append(span)
    return sorted(kept, key=attrgetter("number"))


def merge_across_spaces(text: str, spans: Sequence[EntitySpan]) -> list[EntitySpan]:
    """Return spans of which those of one entity with only spaces between them are one."""
    merged: list[EntitySpan] = []
    for span in spans:
        if merged and merged[-1].entity == span.entity:
            between = text[merged[-1].end : span.start]
            if _SPACES.fullmatch(between):
                merged[-1] = span._replace(start=merged[-1].start)
                continue
        merged.append(span)
    return merged


def _operate(text: str, spans: Sequence[EntitySpan], operators: OperatorSet) -> dict[str, Any]:
    ordered = sorted(spans, key=attrgetter("start", "end"))
    replacements: list[str] = []
    names: list[str] = []
    for span in ordered:
        if span.end > len(text):
            raise invalid_parameter("Invalid analyzer result, start and end must be within the text.")
        replacement, name = operators.apply(text[span.start : span.end], span.entity)
        replacements.append(replacement)
        names.append(name)
    changed, places = replace_spans(text, [(span.start, span.end) for span in ordered], replacements)
    items = [
        {"start": start, "end": end, "entity_type": span.entity, "text": replacement, "operator": name}
        for span, replacement, (start, end), name in zip(ordered, replacements, places, names, strict=True)
    ]
    return {"text": changed, "items": items[::-1]}


def _members(content: Any) -> dict[str, Any]:
    if not content:
        raise PresidioRefusal(400, EMPTY_REQUEST)
    return members_of(content, _INTERNAL)


def _text(text: Any) -> str:
    if not isinstance(text, str):
        raise _INTERNAL
    return text


def _operators(given: Any) -> dict[str, Operator]:
    operators = {}
    for entity, about in members_of({} if given is None else given, _INTERNAL).items():
        members = members_of(about, _INTERNAL)
        name = members.get("type")
        if not name or not isinstance(name, str):
            raise invalid_parameter("Invalid input, operator config must contain operator_name")
        operators[entity] = Operator(name, {key: value for key, value in members.items() if key != "type"})
    return operators


def _items(given: Any) -> list[Any]:
    if not isinstance(given, list):
        raise _INTERNAL
    if len(given) > MOST_SPANS:
        raise invalid_parameter(TOO_MANY)
    return given


def _span(given: Any, *, needs_score: bool) -> EntitySpan:
    members = members_of(given, _INTERNAL)
    start, end = (_place(members.get(name), name) for name in ("start", "end"))
    entity = members.get("entity_type")
    if not entity:
        raise invalid_parameter("Invalid input, result must contain entity_type")
    if not isinstance(entity, str):
        raise _INTERNAL
    if start < 0 or end < 0:
        raise invalid_parameter("Invalid input, result start and end must be positive")
    if start > end:
        raise invalid_parameter("Invalid input, start index must be smaller than end index")
    score = members.get("score") if needs_score else 0.0
    if score is None:
        raise invalid_parameter("Invalid input, analyzer result must contain score")
    if not isinstance(score, int | float):
        raise _INTERNAL
    return EntitySpan(start, end, entity, float(score))


def _place(given: Any, name: str) -> int:
    if given is None:
        raise invalid_parameter(f"Invalid input, result must contain {name}")
    if isinstance(given, int):
        return int(given)
    kind = _JSON_NAMES.get(type(given))
    got = f" for {name}. Expecting 'number', but got '{kind}'." if kind else f" for '{name}'."
    raise invalid_parameter(f"Invalid parameter value{got}")
