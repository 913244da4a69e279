"""AES-CBC with a key that a caller brings, in Presidio's form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vestibule.encryption import CbcCipher, DecryptionFailed

# Encrypted by presidio-anonymizer; from e2e-tests/tests/test_api_anonymizer.py of microsoft/presidio.
THEIRS = "e6HnOMnIxbd4a8Qea44LshQDnjvxwzBIaAz+YqHNnMW2mC5r3AWoay8Spsoajyyy"


@given(st.text(), st.sampled_from([16, 24, 32]))
def test_what_is_encrypted_can_be_decrypted(value, length):
    """Any text, with keys of each size; twice the same value is not the same."""
    cipher = CbcCipher(b"k" * length)
    assert value == cipher.decrypt(cipher.encrypt(value))
    assert cipher.encrypt(value) != cipher.encrypt(value)


def test_what_presidio_encrypted_can_be_decrypted():
    """In the alphabet of base64 and in that of base64url."""
    for form in (THEIRS, THEIRS.replace("+", "-")):
        assert "text_for_encryption" == CbcCipher(b"1" * 16).decrypt(form)


@pytest.mark.parametrize("key", [b"", b"short", b"k" * 17, b"k" * 33])
def test_a_key_of_another_size_is_refused(key):
    """128, 192 and 256 bits are the sizes that there are."""
    with pytest.raises(ValueError, match="bits long"):
        CbcCipher(key)


@pytest.mark.parametrize("value", ["", "e6Hn", "no base64!", "é", THEIRS[:-4], "A" * 44])
def test_what_is_no_such_value_cannot_be_decrypted(value):
    """The error says nothing of it."""
    with pytest.raises(DecryptionFailed) as failed:
        CbcCipher(b"2" * 16).decrypt(value)
    assert not value or value not in str(failed.value)
