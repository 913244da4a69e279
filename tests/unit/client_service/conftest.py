"""What the tests of the client service share: a real Redis, and settings with a data directory."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from servers.redis import redis_on_socket
from vestibule.client_service.queue.application import REALM
from vestibule.client_service.settings import ClientSettings
from vestibule.detection import DetectionSettings
from vestibule.encryption import Cipher, KeyRingFile, create_key_ring

SECRET = "s" * 43


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The address of a real Redis that keeps nothing and ends with the tests."""
    with redis_on_socket() as server:
        yield server.url


@pytest.fixture
def redis(redis_url: str) -> Iterator["Redis"]:
    """A client of an empty Redis."""
    with Redis.from_url(redis_url) as client:
        client.flushall()
        yield client


@pytest.fixture
def settings(tmp_path: Path, redis_url: str, redis: "Redis") -> ClientSettings:
    """Settings of an embedded client service with an empty queue and its keys in place."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "service_secret").write_text(SECRET)
    create_key_ring(tmp_path / "keys" / "keyring.json")
    # A few detectors are enough here, and are built in no time.
    detection = DetectionSettings(entities=frozenset({"EMAIL_ADDRESS", "CREDIT_CARD", "PASSWORD"}))
    return ClientSettings(
        data_dir=tmp_path,
        redis_url=redis_url,
        embedded=True,
        business_logic_url="",
        detection=detection,
        # Longer than any machine takes under load.
        service_timeout_s=60,
    )


@pytest.fixture
def cipher(tmp_path: Path) -> Cipher:
    """Seals for the queue, with the keys of `settings`."""
    ring = tmp_path / "keys" / "keyring.json"
    create_key_ring(ring)
    return Cipher(KeyRingFile(ring), REALM)
