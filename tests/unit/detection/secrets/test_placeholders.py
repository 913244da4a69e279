"""What stands in for a secret, and what is drawn."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibule.detection.validation.placeholders import (
    has_high_entropy,
    is_made_of_words,
    is_placeholder,
    is_random,
    is_sequence,
)


@pytest.mark.parametrize(
    "value",
    [
        "changeme",
        "${DB_PASSWORD}",
        "$(cat secret.txt)",
        "{{ vault.password }}",
        "<your-api-key>",
        "your_api_key_here",
        "process.env.API_KEY",
        "os.environ['KEY']",
        "get_token(request)",
        "xxxxxxxxxxxxxxxx",
        "****************",
        "/run/secrets/key",
        "1234567890abcdef",
        "example-token",
        "%PASSWORD%",
        "q7Lw2Zk9Rt...",
    ],
)
def test_knows_placeholders(value: str) -> None:
    """What people write where a secret would stand is none."""
    assert is_placeholder(value)


@pytest.mark.parametrize(
    "value", ["hunter2", "tr0ub4dor&3", "q7Lw2Zk9Rt4Xv1Bn8Mc3", "8f14e45fceea167a5a36dedd4bea2543"]
)
def test_lets_secrets_be(value: str) -> None:
    """A password and a key stand for nothing but themselves."""
    assert not is_placeholder(value)


@pytest.mark.parametrize(
    "value", ["get_user_token_v2", "application-properties", "refreshTokenExpiry2", "settings_module.value1"]
)
def test_knows_words(value: str) -> None:
    """A name made of words is not drawn, whatever its digits."""
    assert is_made_of_words(value)
    assert not is_random(value)


def test_knows_rows() -> None:
    """Rows of a keyboard are not drawn."""
    assert [True, True, False] == [
        is_sequence(value) for value in ("abcdefghij0123456789", "qwertyuiop", "q7Lw2Zk9Rt4Xv1Bn8")
    ]


@given(st.text(alphabet=string.printable, max_size=400))
def test_reads_any_value(value: str) -> None:
    """No value is too odd to be judged, and what is random is drawn in form as well."""
    assert not is_random(value) or has_high_entropy(value) or len(value) > 100


@given(st.characters(), st.integers(min_value=8, max_value=300))
def test_takes_no_repetition_for_random(char: str, count: int) -> None:
    """One character repeated is padding."""
    assert not is_random(char * count)
