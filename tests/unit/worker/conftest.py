"""What the tests of the worker share: settings with keys in place, and no Redis."""

from pathlib import Path

import pytest

from vestibule.client_service.settings import ClientSettings
from vestibule.detection import DetectionSettings
from vestibule.encryption import create_key_ring


@pytest.fixture
def settings(tmp_path: Path) -> ClientSettings:
    """Settings with the key ring in place and a few detectors, which are built in no time."""
    (tmp_path / "keys").mkdir()
    create_key_ring(tmp_path / "keys" / "keyring.json")
    detection = DetectionSettings(entities=frozenset({"EMAIL_ADDRESS", "CREDIT_CARD", "PASSWORD"}))
    return ClientSettings(data_dir=tmp_path, embedded=True, detection=detection)
