"""Stand-ins: the same value has the same one within a conversation, and every one has its value."""

import pytest

from vestibule.policy.fakes import Faker
from vestibule.policy.stand_ins import MOST_CHARS, MOST_STAND_INS, StandIn, StandIns

NO_FAKES = Faker(lambda _value, _entity: False)


def test_values_are_numbered_by_entity() -> None:
    """From 1 on, each new value of an entity one more; a conversation that goes on goes on counting."""
    stand_ins = StandIns()
    assert not stand_ins.is_changed
    given = [("jane", "PERSON"), ("roe", "PERSON"), ("jane", "PERSON"), ("jane", "NICKNAME")]
    numbered = ["<PERSON_1>", "<PERSON_2>", "<PERSON_1>", "<NICKNAME_1>"]
    assert numbered == [stand_ins.number(value, entity) for value, entity in given]
    assert stand_ins.is_changed
    later = StandIns(list(stand_ins))
    assert ["<PERSON_2>", "<PERSON_3>"] == [later.number(value, "PERSON") for value in ("roe", "doe")]


def test_a_number_in_a_text_is_no_value_of_this_conversation() -> None:
    """What comes from elsewhere would be taken for it; the numbers go on after it."""
    stand_ins = StandIns()
    stand_ins.reserve(["<PERSON_3> wrote to <DE_TAX_ID_2>, <PERSON_X>, <PERSON_1>", "<person_9>"])
    entities = ("PERSON", "DE_TAX_ID", "DE_TAX")
    assert ["<PERSON_4>", "<DE_TAX_ID_3>", "<DE_TAX_1>"] == [stand_ins.number("a", entity) for entity in entities]
    assert "<PERSON_5>" == StandIns(list(stand_ins)).number("b", "PERSON")


def test_a_value_without_a_fake_gets_a_number() -> None:
    """And its entity is named."""
    stand_ins = StandIns()
    assert "<PERSON_1>" == stand_ins.fake("jane", "PERSON", NO_FAKES)
    assert {"PERSON"} == stand_ins.without_fake


def test_a_fake_is_the_same_each_time_and_of_one_value() -> None:
    """No fake is another's, or a value of the conversation."""
    stand_ins = StandIns()
    faker = Faker(lambda _value, _entity: True)
    fakes = [stand_ins.fake(f"192.0.2.{number}", "IP_ADDRESS", faker) for number in range(1, 255)]
    assert fakes == [stand_ins.fake(f"192.0.2.{number}", "IP_ADDRESS", faker) for number in range(1, 255)]
    assert 254 == len(set(fakes))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<PERSON_1> and <PERSON_12>", "[jane] and <PERSON_12>"),
        ("call 030-77, not 030-771 or 1030-77", "call [0], not 030-771 or 1030-77"),
        ("nobody", "nobody"),
    ],
)
def test_stand_ins_are_found_as_words(text: str, expected: str) -> None:
    """Not within a longer word or number."""
    stand_ins = StandIns([StandIn("PERSON", "jane", "<PERSON_1>", True), StandIn("PHONE_NUMBER", "0", "030-77", False)])
    assert expected == stand_ins.replace(text, lambda one: f"[{one.value}]")


def test_a_conversation_is_bounded() -> None:
    """What is too much becomes its entity, for good, and nothing of it is kept."""
    stand_ins = StandIns()
    assert "<PERSON>" == stand_ins.number("x" * (MOST_CHARS + 1), "PERSON")
    assert not stand_ins.is_changed
    for number in range(MOST_STAND_INS):
        stand_ins.number(str(number), "PERSON")
    assert "<PERSON>" == stand_ins.number("one more", "PERSON")
    assert "<PERSON_1>" == stand_ins.number("0", "PERSON")
