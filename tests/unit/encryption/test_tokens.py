"""A token stands for one value of one tenant: always the same, revealed by its key alone, and harmless at the door."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vestibule.detection import DetectionSettings, Scanner
from vestibule.encryption import (
    KeyRingFile,
    Purpose,
    Tokenizer,
    TokenKeyRetired,
    UnrecognizedToken,
    add_key,
    create_key_ring,
    retire_key,
)

MAIL = "jane.roe@example.org"
with_ring = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@with_ring
@given(value=st.text(), tenant=st.text(), other=st.text())
def test_a_value_comes_back_to_its_tenant_alone(ring: KeyRingFile, value: str, tenant: str, other: str) -> None:
    """Any value has one token within a tenant; another tenant has another one, and can reveal only its own."""
    tokenizer = Tokenizer(ring)
    token = tokenizer.tokenize(value, "EMAIL_ADDRESS", tenant)
    assert token == Tokenizer(ring).tokenize(value, "EMAIL_ADDRESS", tenant)
    assert value == tokenizer.reveal(token, tenant)
    if tenant != other:
        assert token != tokenizer.tokenize(value, "EMAIL_ADDRESS", other)
        with pytest.raises(UnrecognizedToken):
            tokenizer.reveal(token, other)


@with_ring
@given(value=st.text(max_size=20), position=st.integers(0, 200), character=st.sampled_from("A7<>.=_é1z"))
def test_a_token_that_was_changed_is_unknown(ring: KeyRingFile, value: str, position: int, character: str) -> None:
    """Whichever character is another one: there is exactly one text that reveals a value."""
    tokenizer = Tokenizer(ring)
    token = tokenizer.tokenize(value, "EMAIL_ADDRESS", "t")
    at = position % len(token)
    changed = token[:at] + character + token[at + 1 :]
    if changed != token:
        with pytest.raises(UnrecognizedToken):
            tokenizer.reveal(changed, "t")


@pytest.mark.parametrize(
    "text", ["", "<EMAIL_ADDRESS>", MAIL, "<A.v1.00000000.AAAA>", "<A.v2.00000000.AAAA>", "\0" * 99]
)
def test_what_is_no_token_is_unknown(ring: KeyRingFile, text: str) -> None:
    """The refusal repeats nothing of it."""
    with pytest.raises(UnrecognizedToken) as caught:
        Tokenizer(ring).reveal(text, "t")
    assert not text or text not in str(caught.value)


def test_a_token_of_another_installation_is_unknown(ring: KeyRingFile, tmp_path: Path) -> None:
    """Its key is not in this ring, and never was."""
    create_key_ring(tmp_path / "other")
    token = Tokenizer(KeyRingFile(tmp_path / "other")).tokenize(MAIL, "EMAIL_ADDRESS", "t")
    with pytest.raises(UnrecognizedToken):
        Tokenizer(ring).reveal(token, "t")


def test_a_rotated_token_reveals_and_a_retired_one_says_so(path: Path, ring: KeyRingFile) -> None:
    """After a rotation new tokens are others and old ones still reveal; when their key is retired they say that."""
    tokenizer = Tokenizer(ring)
    before = tokenizer.tokenize(MAIL, "EMAIL_ADDRESS", "t")
    first = ring.current().active(Purpose.TOKEN).id
    add_key(path, Purpose.TOKEN)
    ring.reload()
    after = tokenizer.tokenize(MAIL, "EMAIL_ADDRESS", "t")
    assert before != after
    assert (MAIL, MAIL) == (tokenizer.reveal(before, "t"), tokenizer.reveal(after, "t"))
    assert (True, False, False) == tuple(map(tokenizer.is_rotated, (before, after, "no token")))
    retire_key(path, first)
    ring.reload()
    with pytest.raises(TokenKeyRetired):
        tokenizer.reveal(before, "t")
    assert MAIL == tokenizer.reveal(after, "t")


def test_a_token_that_was_made_just_now_elsewhere_reveals(path: Path, ring: KeyRingFile) -> None:
    """A key that this process has not seen yet is looked up."""
    tokenizer = Tokenizer(ring)
    add_key(path, Purpose.TOKEN)
    assert MAIL == tokenizer.reveal(Tokenizer(KeyRingFile(path)).tokenize(MAIL, "EMAIL_ADDRESS", "t"), "t")


@pytest.mark.parametrize("entity", ["", "email", "A B", "A>", "A.B", "É", "1A", "A" * 65])
def test_an_entity_is_a_name(ring: KeyRingFile, entity: str) -> None:
    """Nothing that would break the token's form gets into it."""
    with pytest.raises(ValueError, match="an entity name has"):
        Tokenizer(ring).tokenize(MAIL, entity, "t")


def test_a_token_is_no_finding(ring: KeyRingFile) -> None:
    """A text with tokens in it can come in again, in the places where secrets and numbers are looked for too."""
    tokenizer, scanner = Tokenizer(ring), Scanner.from_settings(DetectionSettings())
    contexts = ("my data is {} today", "{}", "password={}", '{{"token": "{}"}}', "api_key: {}", "IBAN {} phone {}")
    for entity in ("EMAIL_ADDRESS", "PASSWORD", "API_KEY", "ACCESS_TOKEN", "SECRET", "IBAN_CODE", "CREDIT_CARD"):
        for number in range(40):
            token = tokenizer.tokenize(f"user{number}@example.org", entity, "t")
            for context in contexts:
                text = context.replace("{}", token)
                assert [] == [finding.entity for finding in scanner.scan(text)], context
