"""No field of an event breaks out of its line, in JSON or on a terminal."""

import json
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibule.service_kit.logging.log_line import decode_line, encode_line, render_line

texts = st.text(st.characters(), max_size=40) | st.sampled_from(
    ["\x1b[2J", "a\nb", "a\r\n{}", "\u2028", "\u202eevil", "\x9b31m", "\x7f", "\ud800", "\u200bx", '"\\', "\U000e0041"]
)
values = st.recursive(
    texts | st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=5),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(texts, parts, max_size=3),
    max_leaves=6,
)
events = st.dictionaries(texts, values, max_size=5)


def _dangerous(text: str) -> list[str]:
    # Control, format and private signs that are not seen, surrogates, and what separates lines.
    return [sign for sign in text if unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} or sign in "\u202e\u200b"]


def _texts_in(value: Any) -> list[str]:
    match value:
        case str():
            return [value]
        case list():
            return [text for part in value for text in _texts_in(part)]
        case dict():
            return [text for name, part in value.items() for text in (name, *_texts_in(part))]
        case _:
            return []


@given(events)
def test_whatever_the_fields_hold_they_are_one_harmless_line(event: dict[str, Any]) -> None:
    """A line is JSON, ends where it ends, and holds nothing that a terminal obeys, before and after it is parsed."""
    line = encode_line(event)
    assert line.endswith(b"\n")
    assert [] == _dangerous(line.decode()[:-1])
    parsed = json.loads(line)
    assert [] == [text for text in _texts_in(parsed) if _dangerous(text)]
    assert parsed == decode_line(line)


@given(events, st.booleans())
def test_whatever_the_fields_hold_a_terminal_shows_one_harmless_line(event: dict[str, Any], has_colour: bool) -> None:
    """In columns there are no signs that a terminal obeys but our own colours."""
    shown = render_line(event, has_colour=has_colour)
    assert [] == _dangerous(re.sub(r"\x1b\[[0-9;]*m", "", shown) if has_colour else shown)


def test_ordinary_text_stays_as_it_is() -> None:
    """Letters of all languages and emoji are no danger."""
    event = {
        "event": "greeting",
        "text": "Grüße, 你好, שלום 🎉",
        "path": 'C:\\x "quoted"',
        "numbers": [1, 2.5, None, True],
    }
    assert event == json.loads(encode_line(event))


@pytest.mark.parametrize("line", [b"", b"torn", b'{"a":', b"[1]", b"12", b"\xff\xfe"])
def test_what_is_no_line_of_ours_is_none(line: bytes) -> None:
    """Files may hold what others wrote."""
    assert decode_line(line) is None


def test_columns_have_what_a_person_looks_for_first() -> None:
    """Time, level, part and event, then the rest by name."""
    event = {
        "timestamp": "2026-01-31T14:05:06.789012Z",
        "level": "error",
        "service": "worker1",
        "event": "task_failed",
        "request_id": "the-id",
        "detail": "it's \nover",
        "frames": ["tasks.py:1 f"],
    }
    expected = (
        "2026-01-31 14:05:06.789 error   worker1        task_failed "
        'request_id=the-id detail="it\'s \\nover" frames=["tasks.py:1 f"]'
    )
    assert expected == render_line(event, has_colour=False)
