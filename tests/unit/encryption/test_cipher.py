"""What is sealed opens for whoever has the ring and the place, and for nobody else; any change is noticed."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vestibule.encryption import (
    Cipher,
    DecryptionFailed,
    KeyRingFile,
    Purpose,
    add_key,
    create_key_ring,
    key_id_of,
    read_key_ring,
    retire_key,
)
from vestibule.encryption.cipher import HEADER_BYTES, NONCE_BYTES, TAG_BYTES

SEALS = 100_000


@cache
def _cipher() -> Cipher:
    """Return one sealer for all examples of a property."""
    path = Path(mkdtemp()) / "keyring.json"
    create_key_ring(path)
    ring = KeyRingFile(path)
    path.unlink()
    path.with_name(f".{path.name}.lock").unlink()
    path.parent.rmdir()
    return Cipher(ring, "test")


@given(text=st.text(), place=st.binary(max_size=50))
def test_what_is_sealed_opens(text: str, place: bytes) -> None:
    """Any text comes back from any place, and its envelope is longer by a fixed number of bytes."""
    content = text.encode("utf-8", "surrogatepass")
    envelope = _cipher().encrypt(content, place)
    assert content == _cipher().decrypt(envelope, place)
    assert len(content) + HEADER_BYTES + TAG_BYTES == len(envelope)
    assert len(content) < 4 or content not in envelope


@given(content=st.binary(max_size=60), position=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_bit_that_is_flipped_is_noticed(content: bytes, position: float, bit: int) -> None:
    """Wherever it is: version, key id, salt, nonce, content or tag."""
    envelope = bytearray(_cipher().encrypt(content, b"place"))
    envelope[int(position * len(envelope))] ^= 1 << bit
    with pytest.raises(DecryptionFailed):
        _cipher().decrypt(bytes(envelope), b"place")


@given(content=st.binary(max_size=20), place=st.binary(max_size=8), other=st.binary(max_size=8))
def test_another_place_is_noticed(content: bytes, place: bytes, other: bytes) -> None:
    """What was sealed for one place opens in no other."""
    envelope = _cipher().encrypt(content, place)
    if place == other:
        assert content == _cipher().decrypt(envelope, other)
    else:
        with pytest.raises(DecryptionFailed, match="it was changed, or encrypted for another place"):
            _cipher().decrypt(envelope, other)


@given(content=st.binary(max_size=80), cut=st.integers(0, 200))
def test_what_was_cut_or_never_sealed_is_noticed(content: bytes, cut: int) -> None:
    """A part of an envelope is none, and neither is anything else."""
    envelope = _cipher().encrypt(content)
    for wrong in (envelope[: min(cut, len(envelope) - 1)], envelope + b"\0", content):
        with pytest.raises(DecryptionFailed):
            _cipher().decrypt(wrong)


@settings(max_examples=20)
@given(st.binary(max_size=20))
def test_realms_are_apart(content: bytes) -> None:
    """What was sealed for the queue does not open in the database, with the same ring and place."""
    other = Cipher(_cipher()._ring, "another")
    with pytest.raises(DecryptionFailed):
        other.decrypt(_cipher().encrypt(content, b"a"), b"a")


def test_no_nonce_is_used_twice() -> None:
    """Of a hundred thousand seals of one text no two have the same nonce, and no two the same content."""
    envelopes = [_cipher().encrypt(b"the same") for _ in range(SEALS)]
    nonces = {envelope[HEADER_BYTES - NONCE_BYTES : HEADER_BYTES] for envelope in envelopes}
    assert SEALS == len(nonces)
    assert SEALS == len({envelope[HEADER_BYTES:] for envelope in envelopes})


def test_each_process_seals_with_a_derived_key_of_its_own(ring: KeyRingFile) -> None:
    """Two sealers of one ring open each other's envelopes, and share no derived key, whatever their nonces are."""
    one, two = Cipher(ring, "test"), Cipher(ring, "test")
    first, second = one.encrypt(b"a"), two.encrypt(b"a")
    assert (b"a", b"a") == (two.decrypt(first), one.decrypt(second))
    assert first[: HEADER_BYTES - NONCE_BYTES] != second[: HEADER_BYTES - NONCE_BYTES]


def test_a_derived_key_is_given_up_in_time(ring: KeyRingFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before so many random nonces are drawn that two could be the same, another key is derived."""
    monkeypatch.setattr("vestibule.encryption.cipher.ENCRYPTIONS_PER_DERIVED_KEY", 100)
    cipher = Cipher(ring, "test")
    envelopes = [cipher.encrypt(b"a") for _ in range(350)]
    assert 4 == len({envelope[: HEADER_BYTES - NONCE_BYTES] for envelope in envelopes})
    assert {b"a"} == {cipher.decrypt(envelope) for envelope in envelopes}


def test_old_keys_open_and_the_active_one_seals(path: Path, ring: KeyRingFile) -> None:
    """After a rotation both envelopes open, and they name their keys."""
    cipher = Cipher(ring, "test")
    before = cipher.encrypt(b"before")
    assert cipher.is_current(before)
    key = add_key(path, Purpose.DATA)
    ring.reload()
    after = cipher.encrypt(b"after")
    assert (b"before", b"after") == (cipher.decrypt(before), cipher.decrypt(after))
    assert (key.id, False, True) == (key_id_of(after), cipher.is_current(before), cipher.is_current(after))


def test_a_key_that_was_added_just_now_is_looked_up(path: Path, ring: KeyRingFile) -> None:
    """An envelope from a process that saw a rotation earlier opens at once."""
    late = Cipher(ring, "test")
    add_key(path, Purpose.DATA)
    envelope = Cipher(KeyRingFile(path), "test").encrypt(b"a")
    assert b"a" == late.decrypt(envelope)


def test_the_reason_is_told(path: Path, ring: KeyRingFile, tmp_path: Path) -> None:
    """A key that is not there and one that was retired are told apart, and nothing of the content is said."""
    cipher = Cipher(ring, "test")
    envelope = cipher.encrypt(b"Zq7MARKER")
    create_key_ring(tmp_path / "other")
    with pytest.raises(DecryptionFailed, match=r"^the ring has no data key [0-9a-f]{8}$"):
        Cipher(KeyRingFile(tmp_path / "other"), "test").decrypt(envelope)
    add_key(path, Purpose.DATA)
    retire_key(path, key_id_of(envelope))
    ring.reload()
    with pytest.raises(DecryptionFailed, match=r"^the data key [0-9a-f]{8} was retired$"):
        cipher.decrypt(envelope)
    with pytest.raises(DecryptionFailed, match="it is not encrypted"):
        cipher.decrypt(b"Zq7MARKER" * 20)


def test_a_key_of_another_purpose_opens_nothing(path: Path, ring: KeyRingFile) -> None:
    """A token key that is named in an envelope is no data key."""
    envelope = bytearray(Cipher(ring, "test").encrypt(b"a"))
    envelope[1:5] = bytes.fromhex(read_key_ring(path).active(Purpose.TOKEN).id)
    with pytest.raises(DecryptionFailed, match="no data key"):
        Cipher(ring, "test").decrypt(bytes(envelope))
