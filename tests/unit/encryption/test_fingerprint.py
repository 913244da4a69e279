"""A fingerprint is the same for the same value in the same epoch everywhere, and of no use without the key."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vestibule.encryption import Fingerprinter, KeyRingFile, Purpose, add_key, create_key_ring, retire_key
from vestibule.encryption.pseudonyms import canonical

EPOCH_S = 30 * 86_400


NAMES = st.from_regex(r"~?[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(text=st.text(), other=st.text())
def test_equal_texts_and_only_they_are_recognised(ring: KeyRingFile, text: str, other: str) -> None:
    """Any text has a fingerprint, which differs from that of any other value."""
    one, two = Fingerprinter(ring), Fingerprinter(ring)
    assert one.fingerprint(text, "north") == two.fingerprint(text, "north")
    assert (canonical(text) == canonical(other)) == (one.fingerprint(text, "north") == one.fingerprint(other, "north"))
    assert one.fingerprint(text + "\ud800", "north").startswith("e")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(text=st.text(), other=st.text(), one=NAMES, another=NAMES)
def test_tenants_have_no_fingerprint_in_common(
    ring: KeyRingFile, text: str, other: str, one: str, another: str
) -> None:
    """No pair of a tenant and a value has the fingerprint of another, so trying values tells nothing of others."""
    fingerprinter = Fingerprinter(ring)
    is_same = one == another and canonical(text) == canonical(other)
    assert is_same == (fingerprinter.fingerprint(text, one) == fingerprinter.fingerprint(other, another))


def test_data_of_versions_without_tenants_is_found(ring: KeyRingFile) -> None:
    """All tenants once had the fingerprints that the default tenant has; an erasure finds them too."""
    fingerprinter = Fingerprinter(ring)
    before = fingerprinter.fingerprint("hello", "default")
    found = list(fingerprinter.candidates("hello", "north", datetime.now(UTC)))
    assert [fingerprinter.fingerprint("hello", "north"), before] == found
    assert [before] == list(fingerprinter.candidates("hello", "default", datetime.now(UTC)))


def test_a_fingerprint_names_its_epoch(ring: KeyRingFile) -> None:
    """Within an epoch of thirty days it stays; in the next it is another that has nothing in common with it."""
    moments = iter([682 * EPOCH_S, 683 * EPOCH_S - 1, 683 * EPOCH_S])
    fingerprinter = Fingerprinter(ring, clock=lambda: next(moments))
    first, last, following = (fingerprinter.fingerprint("hello", "north") for _ in range(3))
    assert first == last
    assert ("e682", "e683") == (first.partition(":")[0], following.partition(":")[0])
    assert first.partition(":")[2] != following.partition(":")[2]
    assert 32 == len(first.partition(":")[2])


def test_it_is_the_same_in_every_process(path: Path, ring: KeyRingFile) -> None:
    """Each process has its own copy of the ring, and gives the same fingerprint."""
    program = (
        "import sys; from pathlib import Path; from vestibule.encryption import Fingerprinter, KeyRingFile;"
        "print(Fingerprinter(KeyRingFile(Path(sys.argv[1]))).fingerprint('hello', 'north'))"
    )
    other = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert Fingerprinter(ring).fingerprint("hello", "north") == other.stdout.strip()


def test_it_cannot_be_made_without_the_key(ring: KeyRingFile, tmp_path: Path) -> None:
    """Two installations give different fingerprints, so a list of common values is of no use."""
    create_key_ring(tmp_path / "other")
    other = Fingerprinter(KeyRingFile(tmp_path / "other"))
    assert Fingerprinter(ring).fingerprint("hello", "north") != other.fingerprint("hello", "north")


def test_every_fingerprint_of_a_value_can_be_found_again(path: Path, ring: KeyRingFile) -> None:
    """Over epochs and rotations; of a retired key there is none any more."""
    now = datetime.now(UTC)
    unix_time = 0.0
    fingerprinter = Fingerprinter(ring, clock=lambda: unix_time)
    given_then = []
    for days in (70, 40, 0):
        unix_time = (now - timedelta(days=days)).timestamp()
        given_then.append(fingerprinter.fingerprint("hello", "north"))
    first = ring.current().active(Purpose.FINGERPRINT).id
    add_key(path, Purpose.FINGERPRINT)
    ring.reload()
    after = fingerprinter.fingerprint("hello", "north")
    found = list(fingerprinter.candidates("hello", "north", now - timedelta(days=70)))
    assert {*given_then, after} <= set(found)
    assert len(set(found)) == len(found)
    assert not {*given_then, after} & set(fingerprinter.candidates("other", "north", now - timedelta(days=70)))
    retire_key(path, first)
    assert not set(given_then) & set(fingerprinter.candidates("hello", "north", now - timedelta(days=70)))
    assert after in set(fingerprinter.candidates("hello", "north", now))


@pytest.mark.parametrize(
    ("one", "other", "are_the_same"),
    [
        ("4111 1111 1111 1111", "4111-1111-1111-1111", True),
        ("de89 3704 0044", "DE8937040044", True),
        ("+49 30 901820", "+49 (30) 90-18-20", True),
        ("Jane@example.org", "jane@example.org", True),
        ("jane.doe@example.org", "janedoe@example.org", False),
        ("4111 1111 1111 1111", "4111 1111 1111 1112", False),
    ],
)
def test_the_ways_of_writing_a_value_share_a_fingerprint(
    ring: KeyRingFile, one: str, other: str, are_the_same: bool
) -> None:
    """Separators and case do not make another card of a card; a dot before the at sign makes another address."""
    fingerprinter = Fingerprinter(ring)
    assert are_the_same == (fingerprinter.fingerprint(one, "north") == fingerprinter.fingerprint(other, "north"))
