"""Each finding gets what its own action puts in its place, and all the rest stays."""

import json
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vestibule.policy import Action, DecidedFinding
from vestibule.policy.anonymizer import AnonymizerOperators, anonymize, mask

TOOLS = AnonymizerOperators(
    hash=lambda value, entity: f"<{entity}:h{len(value)}>",
    tokenize=lambda value, entity: f"<{entity}:t>",
    number=lambda _value, entity: f"<{entity}_1>",
    fake=lambda value, _entity: value[::-1],
)


class Finding(NamedTuple):
    """A finding as the scanner makes them."""

    entity: str
    start: int
    end: int
    score: float = 0.9


def test_each_action_has_its_own_form() -> None:
    """Redacted, masked, hashed, tokenized, numbered, replaced by a fake, and left alone."""
    text = " ".join(f"{letter} 0123456789" for letter in "abcdefg")
    kinds = (Action.REDACT, Action.MASK, Action.HASH, Action.TOKENIZE, Action.NUMBER, Action.FAKE, Action.ALERT)
    decided = [
        DecidedFinding("value", Finding("X", 2 + 13 * place, 12 + 13 * place), action)
        for place, action in enumerate(kinds)
    ]
    assert "a <X> b ******6789 c <X:h10> d <X:t> e <X_1> f 9876543210 g 0123456789" == anonymize(text, decided, TOOLS)


def test_of_a_short_value_nothing_is_kept() -> None:
    """Four characters of seven would be too much."""
    assert ["", "****", "*******", "****5678"] == [mask(value) for value in ("", "1234", "1234567", "12345678")]


pieces = st.builds(
    lambda start, length, action: DecidedFinding("value", Finding("X", start, start + length), action),
    st.integers(0, 20),
    st.integers(1, 10),
    st.sampled_from([Action.REDACT, Action.MASK, Action.HASH, Action.TOKENIZE]),
)


@given(st.lists(pieces, max_size=6))
def test_what_is_outside_of_findings_stays_and_what_is_inside_goes(decided: list[DecidedFinding]) -> None:
    """Also where findings overlap: no character of one is left, except the four that a mask keeps."""
    text = "abcdefghijklmnopqrstuvwxyzabcdefgh"
    inside = {place for one in decided for place in range(one.found.start, one.found.end)}
    strict = [one._replace(action=Action.REDACT) for one in decided]
    left = anonymize(text, strict, TOOLS).replace("<X>", "")
    assert "".join(letter for place, letter in enumerate(text) if place not in inside) == left
    shown = anonymize(text, decided, TOOLS)
    assert decided == [] or shown != text


def _found(text: str, part: str, action: Action = Action.REDACT, entity: str = "X") -> DecidedFinding:
    start = text.index(part)
    return DecidedFinding("value", Finding(entity, start, start + len(part)), action)


@pytest.mark.parametrize(
    ("text", "part", "action", "expected"),
    [
        ('{"card": 4111111111111111}', "4111111111111111", Action.REDACT, '{"card": "<X>"}'),
        ('{"card": 4111111111111111}', "4111111111111111", Action.MASK, '{"card": "************1111"}'),
        ('{"card": 4111111111111111}', "4111111111111111", Action.HASH, '{"card": "<X:h16>"}'),
        ('{"card": 4111111111111111}', "4111111111111111", Action.TOKENIZE, '{"card": "<X:t>"}'),
        ("[-4111111111111111, 1]", "4111111111111111", Action.REDACT, '["-<X>", 1]'),
        ('{"to": "jane@example.org"}', "jane@example.org", Action.REDACT, '{"to": "<X>"}'),
        # The scanner takes the `n` of the line break for a part of the address.
        ('{"to": "line\\njane@example.org"}', "njane@example.org", Action.REDACT, '{"to": "line<X>"}'),
        ('{"to": "jane@example.org\\n"}', "jane@example.org\\", Action.REDACT, '{"to": "<X>"}'),
        ('["a\\ud83d\\ude00b"]', "\\ude00b", Action.REDACT, '["a<X>"]'),
        ('["secret\\\\\\"x12345"]', '\\"x12345', Action.MASK, '["secret\\\\****2345"]'),
        ('{"a": "1", "b": [2, "3"]}', '1", "b": [2, "3', Action.HASH, '{"a": "<X:h15>", "<X>": ["<X>", "<X>"]}'),
        ('{"a": "", "b": true}', '"", "b": true}', Action.REDACT, '{"a": "", "<X>": "<X>"}'),
        ("{}", "{}", Action.REDACT, "{}"),
        # Several documents, one after the other.
        ('{"n": 1}\n{"card": 4111111111111111}\n', "4111111111111111", Action.REDACT, '{"n": 1}\n{"card": "<X>"}\n'),
        ("[1] [4111111111111111]", "4111111111111111", Action.MASK, '[1] ["************1111"]'),
        ('{"n": 1}\n4111111111111111', "4111111111111111", Action.REDACT, '{"n": 1}\n<X>'),
        # A document inside of a string, and one inside of that.
        (r'{"p": "{\"card\": 4111111111111111}"}', "4111111111111111", Action.REDACT, r'{"p": "{\"card\": \"<X>\"}"}'),
        (r'["\n[\"\u00e9\", 4111]"]', "4111", Action.REDACT, r'["\n[\"\u00e9\", \"<X>\"]"]'),
        (r'["[\"\\u00e9\", 4111]"]', "4111", Action.REDACT, r'["[\"\\u00e9\", \"<X>\"]"]'),
        (r'["[\"[4111]\"]"]', "4111", Action.HASH, r'["[\"[\\\"<X:h4>\\\"]\"]"]'),
        (r'["[\"a\\nb\"]"]', r"\\nb", Action.REDACT, r'["[\"a<X>\"]"]'),
        # No JSON, or no document: as in any text.
        ("4111111111111111", "4111111111111111", Action.REDACT, "<X>"),
        ('{"card": 4111111111111111', "4111111111111111", Action.REDACT, '{"card": <X>'),
        ('{"n": NaN, "card": 4111111111111111}', "4111111111111111", Action.REDACT, '{"n": NaN, "card": <X>}'),
    ],
)
def test_a_json_document_stays_one(text: str, part: str, action: Action, expected: str) -> None:
    """A number becomes a string, and escapes and structure stay whole."""
    assert expected == anonymize(text, [_found(text, part, action)], TOOLS)


def test_a_replacement_is_escaped_inside_a_string() -> None:
    """Whatever an operator returns, and however often a number or a string has findings."""
    quoting = replace(TOOLS, hash=lambda value, _: f'"{value}\\', tokenize=lambda value, _: value)
    text = '["ab", 1234567]'
    decided = [_found(text, part, Action.HASH) for part in ("a", "b", "12", "67")]
    assert ['"a\\"b\\', '"12\\345"67\\'] == json.loads(anonymize(text, decided, quoting))


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
).filter(lambda document: isinstance(document, list | dict))


class Pairs(NamedTuple):
    """The members of an object, in order; names may repeat."""

    pairs: list[tuple[str, Any]]


def _shape(value: Any) -> Any:
    """The lists of a document as lists of shapes, objects as lists of pairs, all else as None."""
    if isinstance(value, list):
        return [_shape(one) for one in value]
    return ("object", [_shape(one) for _, one in value.pairs]) if isinstance(value, Pairs) else None


@given(documents, st.booleans(), st.sampled_from([None, 1]), st.data())
def test_no_findings_break_json(document: Any, is_ascii: bool, indent: int | None, data: st.DataObject) -> None:
    """Anywhere, overlapping or not, by any action: the document has its shape, and what no finding touches stays."""
    text = json.dumps(document, ensure_ascii=is_ascii, indent=indent)
    place = st.integers(0, len(text) - 1)
    actions = st.sampled_from([Action.REDACT, Action.MASK, Action.HASH, Action.TOKENIZE])
    spans = data.draw(st.lists(st.tuples(place, st.integers(1, 10), actions), max_size=5))
    decided = [
        DecidedFinding("value", Finding("X", start, min(start + length, len(text))), action)
        for start, length, action in spans
    ]
    # Two replaced names of an object may be equal, so that pairs are compared and not dictionaries.
    shown = json.loads(anonymize(text, decided, TOOLS), object_pairs_hook=Pairs)
    assert _shape(json.loads(text, object_pairs_hook=Pairs)) == _shape(shown)
    if not decided:
        assert text == anonymize(text, decided, TOOLS)


@given(documents, documents, st.booleans(), st.data())
def test_no_findings_break_json_within_json(outer: Any, inner: Any, is_ascii: bool, data: st.DataObject) -> None:
    """Nor lines of it: each line and the document in its string have their shape."""
    line = json.dumps([outer, json.dumps(inner, ensure_ascii=is_ascii)], ensure_ascii=is_ascii)
    text = f"{line}\n{line}"
    spans = data.draw(st.lists(st.tuples(st.integers(0, len(text) - 1), st.integers(1, 10)), max_size=4))
    decided = [
        DecidedFinding("value", Finding("X", start, min(start + length, len(text))), Action.REDACT)
        for start, length in spans
    ]
    shown = anonymize(text, decided, TOOLS).split("\n")
    assert 2 == len(shown)
    for one in shown:
        first, second = json.loads(one, object_pairs_hook=Pairs)
        assert _shape(json.loads(json.dumps(outer), object_pairs_hook=Pairs)) == _shape(first)
        inside = json.loads(second, object_pairs_hook=Pairs)
        assert _shape(json.loads(json.dumps(inner), object_pairs_hook=Pairs)) == _shape(inside)


@given(st.dictionaries(st.text(), st.text(min_size=1), min_size=1, max_size=4), st.booleans(), st.data())
def test_of_a_whole_string_nothing_is_left(document: dict[str, str], is_ascii: bool, data: st.DataObject) -> None:
    """A finding that covers a string replaces it exactly; the other members stay as they were.

    A string that is a document itself keeps its shape.
    """
    name = data.draw(st.sampled_from(sorted(document)))
    assume(not document[name].strip().startswith(("[", "{")))
    text = json.dumps(document, ensure_ascii=is_ascii)
    lead = json.dumps(
        {one: document[one] for one in list(document)[: list(document).index(name)]}, ensure_ascii=is_ascii
    )
    opened = len(lead) - 1 + (2 if len(lead) > 2 else 0) + len(json.dumps(name, ensure_ascii=is_ascii)) + 2
    inner = len(json.dumps(document[name], ensure_ascii=is_ascii)) - 2
    finding = Finding("X", opened + 1, opened + 1 + inner)
    shown = json.loads(anonymize(text, [DecidedFinding("value", finding, Action.REDACT)], TOOLS))
    assert {**document, name: "<X>"} == shown


@given(st.integers(0, 33), st.integers(1, 34))
def test_nothing_of_a_finding_stays_in_json(start: int, length: int) -> None:
    """No character of a string or a number that a finding covers is left, and every other one is."""
    text = '["abcdefgh", 123456780, "ABCDEFGH"]'
    end = min(start + length, len(text))
    shown = anonymize(text, [DecidedFinding("value", Finding("x", start, end), Action.REDACT)], TOOLS)
    left = shown.replace("<x>", "")
    assert {letter for letter in text[:start] + text[end:] if letter.isalnum()} == set(filter(str.isalnum, left))
