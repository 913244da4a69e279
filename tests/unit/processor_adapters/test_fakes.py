"""Fakes have the form of a value and pass the check of its detector, or there is none."""

import random
import re

import pytest

from vestibule.detection import Scanner
from vestibule.encryption import KeyRing
from vestibule.policy.fakes import MOST_TRIES_IN_ALL, Faker, IsFound
from vestibule.processor_adapters import build_pseudonymizer


class _Ring:
    def current(self) -> KeyRing:
        raise NotImplementedError

    reload = current


@pytest.fixture(scope="module")
def is_found() -> IsFound:
    """What the scanner finds."""
    scanner = Scanner.from_settings()
    return build_pseudonymizer(_Ring(), lambda: scanner).is_found


def _form(value: str) -> str:
    return re.sub(r"[a-z]", "a", re.sub(r"[A-Z]", "A", re.sub(r"\d", "0", value)))


@pytest.mark.parametrize(
    ("entity", "value", "kept"),
    [
        ("CREDIT_CARD", "4111 1111 1111 1111", "41"),
        ("CREDIT_CARD", "378282246310005", "37"),
        ("IBAN_CODE", "DE89 3704 0044 0532 0130 00", "DE"),
        ("IBAN_CODE", "GB29NWBK60161331926819", "GB"),
        ("PHONE_NUMBER", "+49 30 901820", "+49 30"),
        ("US_SSN", "536-90-4399", ""),
        ("IT_FISCAL_CODE", "RSSMRA85T10A562S", ""),
    ],
)
def test_a_fake_has_the_form_and_passes_the_check(is_found: IsFound, entity: str, value: str, kept: str) -> None:
    """Separators, length and what says which kind it is stay."""
    for seed in range(10):
        fake = Faker(is_found, random.Random(seed)).fake(value, entity, lambda _text: False)
        assert fake is not None
        assert fake != value
        assert (_form(value), True) == (_form(fake), is_found(fake, entity)), fake
        assert fake.startswith(kept)


@pytest.mark.parametrize(
    ("entity", "value", "expected"),
    [
        ("EMAIL_ADDRESS", "jane.roe@firma.de", r"[a-z]{10}@example\.org"),
        ("IP_ADDRESS", "10.1.2.3", r"(192\.0\.2|198\.51\.100|203\.0\.113)\.\d+"),
        ("IP_ADDRESS", "2001:4860:4860::8888", r"2001:db8::[0-9a-f]+:[0-9a-f]+"),
    ],
)
def test_what_is_set_aside_for_examples_is_used(is_found: IsFound, entity: str, value: str, expected: str) -> None:
    """Mail to a fake reaches nobody."""
    fake = Faker(is_found).fake(value, entity, lambda _text: False)
    assert fake is not None
    assert re.fullmatch(expected, fake)
    assert is_found(fake, entity)


def test_a_value_that_is_found_by_its_surroundings_has_a_fake_of_its_form(is_found: IsFound) -> None:
    """There is no check that it could pass."""
    assert not is_found("912803456", "US_PASSPORT")
    fake = Faker(is_found).fake("912803456", "US_PASSPORT", lambda _text: False)
    assert fake is not None
    assert "000000000" == _form(fake)


@pytest.mark.parametrize(
    ("entity", "value"),
    [
        ("PERSON", "Jane Roe"),
        ("PASSWORD", "Tr0ub4dor&3x"),
        ("STREET_ADDRESS", "12 Main Street"),
        ("DATE_OF_BIRTH", "12.03.1980"),
        ("US_PASSPORT", "9" * 1_000),
    ],
)
def test_there_is_no_fake_of_words_dates_and_secrets(is_found: IsFound, entity: str, value: str) -> None:
    """Random letters are no name, and random digits no date."""
    assert Faker(is_found).fake(value, entity, lambda _text: False) is None


def test_tries_are_bounded() -> None:
    """Values without fakes cost a text no more than this, however many there are."""
    tried: list[str] = []

    def is_found(value: str, _entity: str) -> bool:
        tried.append(value)
        return value.startswith("AB")

    faker = Faker(is_found, random.Random(1))
    values = [f"AB{number:08}" for number in range(50)]
    assert {None} == {faker.fake(value, "X", lambda _text: True) for value in values}
    assert len(values) + MOST_TRIES_IN_ALL >= len(tried)
