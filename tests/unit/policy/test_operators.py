"""Operators that a caller chooses: what each does with its parameters, and what it refuses."""

import hashlib

import pytest

from vestibule.policy.anonymizer import replace_spans
from vestibule.policy.operators import OperatorRefused, build_anonymizer, build_deanonymizer

MASK = {"masking_char": "#", "chars_to_mask": 3, "from_end": False}
SALT = "0123456789abcdef"


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("replace", {}, "<NAME>"),
        ("replace", {"new_value": ""}, "<NAME>"),
        ("replace", {"new_value": "X"}, "X"),
        ("redact", {}, ""),
        ("keep", {"ignored": 1}, "Jane Roe"),
        ("mask", MASK, "###e Roe"),
        ("mask", {**MASK, "from_end": True}, "Jane ###"),
        ("mask", {**MASK, "chars_to_mask": 99}, "########"),
        ("mask", {**MASK, "chars_to_mask": -1}, "Jane Roe"),
        ("hash", {"salt": SALT}, hashlib.sha256(f"Jane Roe{SALT}".encode()).hexdigest()),
        ("hash", {"salt": SALT, "hash_type": "sha512"}, hashlib.sha512(f"Jane Roe{SALT}".encode()).hexdigest()),
    ],
)
def test_what_an_operator_does(name, parameters, expected):
    """With one value of one entity."""
    assert expected == build_anonymizer(name, parameters)("Jane Roe", "NAME")


def test_a_hash_without_salt_is_another_one_each_time():
    """So that nobody can try likely values."""
    digest = build_anonymizer("hash", {})
    assert digest("Jane", "NAME") != digest("Jane", "NAME")


def test_encrypt_and_decrypt_take_the_same_key():
    """The key comes with each request."""
    encrypted = build_anonymizer("encrypt", {"key": "k" * 32})("Jane", "NAME")
    assert "Jane" == build_deanonymizer("decrypt", {"key": "k" * 32})(encrypted, "NAME")


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("custom", {}, "Invalid operator class"),
        ("replace", {"new_value": 5}, "new_value. Expecting 'string', but got 'number'"),
        ("mask", {}, "Expected parameter masking_char"),
        ("mask", {**MASK, "masking_char": "##"}, "must be a character"),
        ("mask", {**MASK, "chars_to_mask": True}, "Expecting 'number', but got 'boolean'"),
        ("mask", {**MASK, "from_end": 1}, "Expecting 'boolean', but got 'number'"),
        ("hash", {"hash_type": "md5"}, "is not in range of values"),
        ("hash", {"salt": ""}, "cannot be empty"),
        ("hash", {"salt": "short"}, "at least 16 bytes"),
        ("hash", {"salt": 5}, "salt"),
        ("encrypt", {}, "Expected parameter key"),
        ("encrypt", {"key": "short"}, "128, 192 or 256 bits"),
    ],
)
def test_what_an_operator_refuses(name, parameters, message):
    """The message names the parameter, and repeats no value."""
    with pytest.raises(OperatorRefused, match=message):
        build_anonymizer(name, parameters)


def test_spans_that_reach_into_the_next_are_cut_there():
    """Each is replaced, and each place is that in the new text."""
    assert ("a<1><2>i", [(1, 4), (4, 7)]) == replace_spans("abcdefghi", [(1, 5), (3, 8)], ["<1>", "<2>"])
    assert ("abc", []) == replace_spans("abc", [], [])
