"""What a key and a value may be."""

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vestibule.contracts.entries import MAX_KEY_BYTES, MAX_VALUE_BYTES, PRINTABLE, Pair

printable = st.text(st.characters(codec="utf-8").filter(str.isprintable), min_size=1, max_size=128)


@given(key=printable, value=st.text(st.characters(codec="utf-8")))
def test_every_printable_key_and_every_text_is_taken_as_it_is(key: str, value: str) -> None:
    """No character is changed, trimmed or composed on the way in."""
    pair = Pair(key=key, value=value)
    assert (key, value) == (pair.key, pair.value)


@pytest.mark.parametrize(
    ("character", "count"), [("a", MAX_KEY_BYTES), ("ё", MAX_KEY_BYTES // 2), ("🔑", MAX_KEY_BYTES // 4)]
)
def test_a_key_is_measured_in_bytes(character: str, count: int) -> None:
    """The limit holds for what is stored, not for what is seen."""
    assert character * count == Pair(key=character * count, value="").key
    with pytest.raises(ValidationError, match="at most 512 bytes"):
        Pair(key=character * count + "a", value="")


def test_a_value_is_measured_in_bytes() -> None:
    """A MiB is taken, a byte more is not."""
    assert MAX_VALUE_BYTES == len(Pair(key="a", value="x" * MAX_VALUE_BYTES).value)
    with pytest.raises(ValidationError, match="at most 1,048,576 bytes"):
        Pair(key="a", value="ё" * (MAX_VALUE_BYTES // 2) + "x")


@pytest.mark.parametrize(
    "key", ["", "a\0b", "a\nb", "a\tb", "\x1b[31m", "a\u2028b", "\u202eabc", "\ud800", "\ufeffa", "\x7f"]
)
def test_a_key_that_cannot_be_shown_is_refused(key: str) -> None:
    """Keys stand in lists and terminals, so they hold nothing invisible."""
    with pytest.raises(ValidationError):
        Pair(key=key, value="")


@pytest.mark.parametrize("value", ["\ud800", "a\udfffb"])
def test_a_value_that_is_no_unicode_is_refused(value: str) -> None:
    """A lone surrogate has no UTF-8 form and cannot be stored."""
    with pytest.raises(ValidationError):
        Pair(key="a", value=value)


@given(st.one_of(st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.text())))
def test_only_text_is_a_value(value: object) -> None:
    """Nothing is turned into text silently."""
    with pytest.raises(ValidationError):
        Pair.model_validate({"key": "a", "value": value})


def test_a_member_that_nobody_documented_is_refused() -> None:
    """A misspelled member is told, not dropped."""
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Pair.model_validate({"key": "a", "value": "b", "vlaue": "c"})


def test_the_pattern_of_the_schema_agrees_with_the_rule() -> None:
    """It refuses nothing that is printable, and takes of the rest only what is unassigned or above U+FFFF."""
    characters = [chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) != "Cs"]
    taken = {character for character in characters if re.fullmatch(PRINTABLE, character)}
    assert set() == {one for one in characters if one.isprintable()} - taken
    wrongly = {one for one in taken if not one.isprintable() and one <= "\uffff"}
    assert {"Cn"} == {unicodedata.category(one) for one in wrongly}
