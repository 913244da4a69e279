"""Each finding gets what its own action puts in its place, and all the rest stays."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from vestibule.policy import Action, DecidedFinding
from vestibule.policy.anonymizer import AnonymizerOperators, anonymize, mask

TOOLS = AnonymizerOperators(
    hash=lambda value, entity: f"<{entity}:h{len(value)}>", tokenize=lambda value, entity: f"<{entity}:t>"
)


class Finding(NamedTuple):
    """A finding as the scanner makes them."""

    entity: str
    start: int
    end: int
    score: float = 0.9


def test_each_action_has_its_own_form() -> None:
    """Redacted, masked, hashed, tokenized, and left alone."""
    text = "a 0123456789 b 0123456789 c 0123456789 d 0123456789 e 0123456789"
    kinds = (Action.REDACT, Action.MASK, Action.HASH, Action.TOKENIZE, Action.ALERT)
    decided = [
        DecidedFinding("value", Finding("X", 2 + 13 * place, 12 + 13 * place), action)
        for place, action in enumerate(kinds)
    ]
    assert "a <X> b ******6789 c <X:h10> d <X:t> e 0123456789" == anonymize(text, decided, TOOLS)


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
