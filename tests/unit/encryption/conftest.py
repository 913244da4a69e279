"""What the tests of the sealing room share: a ring in a file."""

from pathlib import Path

import pytest

from vestibule.encryption import KeyRingFile, create_key_ring


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of a new ring."""
    file = tmp_path / "keys" / "keyring.json"
    create_key_ring(file)
    return file


@pytest.fixture
def ring(path: Path) -> KeyRingFile:
    """The ring as a service has it."""
    return KeyRingFile(path)
