"""Real parts for these tests: a Redis that writes its append-only file, and workers as a deployment starts them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from servers.redis import LocalRedis, redis_on_socket
from vestibule.client_service.queue.application import REALM
from vestibule.client_service.settings import ClientSettings
from vestibule.encryption import Cipher, KeyRingFile, create_key_ring


@dataclass(frozen=True)
class Place:
    """A data directory with keys, beside a Redis of its own."""

    settings: ClientSettings
    redis: LocalRedis

    @property
    def cipher(self) -> Cipher:
        """Seals for the queue."""
        return Cipher(KeyRingFile(self.settings.key_ring_path), REALM)

    def append_only_files(self) -> bytes:
        """Return all that Redis has put on disk."""
        return b"\n".join(path.read_bytes() for path in self.redis.folder.rglob("*.aof*"))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place to work in."""
    create_key_ring(tmp_path / "keys" / "keyring.json")
    with redis_on_socket("--appendonly", "yes", "--appendfsync", "always") as server:
        yield Place(ClientSettings(data_dir=tmp_path, redis_url=server.url), server)


@pytest.fixture
def workers() -> list["subprocess.Popen[bytes]"]:
    """The workers that run; a test that ends one takes it out."""
    return []


@pytest.fixture
def start_worker(place: Place, workers: list["subprocess.Popen[bytes]"]) -> Iterator[Callable[..., Path]]:
    """Starts a worker with more variables and returns the file that takes its output; it ends with the test."""

    def start(**environment: str) -> Path:
        output = place.settings.data_dir / "worker.out"
        variables = {name: value for name, value in os.environ.items() if not name.startswith("VESTIBULE_")}
        variables["VESTIBULE_DATA_DIR"] = str(place.settings.data_dir)
        variables["VESTIBULE_REDIS_URL"] = place.settings.redis_url
        variables.update(environment)
        with output.open("ab") as sink:
            command = [sys.executable, "-m", "vestibule", "worker", "--name", "worker1", "--concurrency", "1"]
            workers.append(subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT, env=variables))
        return output

    yield start
    for worker in workers:
        assert worker.poll() is None, "a worker has ended in the middle of a test"
        worker.send_signal(signal.SIGTERM)
        worker.wait(60)
