"""What the tests of the front door share: a real Redis, and a service with its data directory."""

import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from vestibule.cli.embedded.redis_server import find_redis_program
from vestibule.client_service.sealed_content import REALM
from vestibule.client_service.settings import ClientSettings
from vestibule.detection import DetectionSettings
from vestibule.sealing import KeyRingFile, Sealer, create_key_ring

SECRET = "s" * 43


RedisProcess = tuple[str, "subprocess.Popen[bytes]"]


@contextmanager
def _running_redis() -> Iterator[RedisProcess]:
    with tempfile.TemporaryDirectory(prefix="vst-") as folder:
        socket = Path(folder) / "r.sock"
        options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", folder]
        server = subprocess.Popen([find_redis_program(), *options], stdout=subprocess.DEVNULL)
        try:
            _wait_for(server, socket)
            yield f"unix://{socket}", server
        finally:
            server.send_signal(signal.SIGCONT)
            server.terminate()
            server.wait(10)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The address of a real Redis that keeps nothing and ends with the tests."""
    with _running_redis() as (url, _server):
        yield url


@pytest.fixture
def own_redis() -> Iterator[RedisProcess]:
    """A real Redis for one test alone, which may freeze or kill it."""
    with _running_redis() as running:
        yield running


def _wait_for(server: "subprocess.Popen[bytes]", socket: Path) -> None:
    while server.poll() is None:
        try:
            with Redis(unix_socket_path=str(socket)) as redis:
                redis.ping()
                return
        except RedisError:
            continue
    raise RuntimeError("the Redis server ended at its start")


@pytest.fixture
def redis(redis_url: str) -> Iterator["Redis"]:
    """A client of an empty Redis."""
    with Redis.from_url(redis_url) as client:
        client.flushall()
        yield client


@pytest.fixture
def settings(tmp_path: Path, redis_url: str, redis: "Redis") -> ClientSettings:
    """Settings of an embedded front door with an empty queue and its keys in place."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "service_secret").write_text(SECRET)
    create_key_ring(tmp_path / "keys" / "keyring.json")
    # A few detectors are enough here, and are built in no time.
    detection = DetectionSettings(entities=frozenset({"EMAIL_ADDRESS", "CREDIT_CARD", "PASSWORD"}))
    return ClientSettings(
        data_dir=tmp_path, redis_url=redis_url, embedded=True, business_logic_url="", detection=detection
    )


@pytest.fixture
def sealer(tmp_path: Path) -> Sealer:
    """Seals for the queue, with the keys of `settings`."""
    ring = tmp_path / "keys" / "keyring.json"
    create_key_ring(ring)
    return Sealer(KeyRingFile(ring), REALM)
