"""Files of the queue that the server cannot read are set aside, so that it starts."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from vestibule.cli.embedded.data_directory import DataDirectory, prepare_data_directory
from vestibule.cli.embedded.redis_server import RedisServer, prepare_redis_server

TIMEOUT_S = 60


@pytest.fixture
def prepared(tmp_path: Path) -> RedisServer:
    """A server that does not run yet."""
    directory = DataDirectory(tmp_path)
    prepare_data_directory(directory)
    return prepare_redis_server(directory)


def _run(server: RedisServer, use: Callable[[redis.Redis], None]) -> int | None:
    """Run the server meanwhile; return its exit code if it ends by itself."""
    process = subprocess.Popen([server.program, server.configuration])
    client = redis.Redis(unix_socket_path=str(server.socket))
    deadline = time.monotonic() + TIMEOUT_S
    try:
        while process.poll() is None:
            try:
                client.ping()
            except redis.RedisError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            else:
                use(client)
                return None
        return process.returncode
    finally:
        client.close()
        process.terminate()
        process.wait(TIMEOUT_S)


def _fill(client: redis.Redis) -> None:
    for number in range(200):
        client.set(f"k{number}", "v" * 50)


def _middle(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:2000] + b"junk\0\xff" * 10 + content[2060:])


def _command(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"$3\r\nSET", b"$3\r\nJNK", 100))


def _all(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 10)


def _gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("pattern", "spoil"),
    [("*.incr.aof", _middle), ("*.incr.aof", _command), ("*.manifest", _all), ("*.base.aof", _gone)],
)
def test_what_the_server_cannot_read_is_kept_elsewhere(
    prepared: RedisServer, pattern: str, spoil: Callable[[Path], None]
) -> None:
    """The next start is with an empty queue; the folder of the damaged files has their bytes."""
    assert _run(prepared, _fill) is None
    assert prepared.set_damaged_files_aside() is None
    (path,) = prepared.configuration.parent.rglob(pattern)
    spoil(path)
    before = path.read_bytes() if path.exists() else None
    assert 1 == _run(prepared, _fill)
    folder = prepared.set_damaged_files_aside()
    assert folder is not None
    assert before == next((kept.read_bytes() for kept in folder.rglob(pattern)), None)
    found: list[int] = []
    assert _run(prepared, lambda client: found.append(client.dbsize())) is None
    assert ([0], None) == (found, prepared.set_damaged_files_aside())


def test_a_truncated_end_is_no_damage(prepared: RedisServer) -> None:
    """The server drops the incomplete command and keeps the rest."""
    assert _run(prepared, _fill) is None
    (path,) = prepared.configuration.parent.rglob("*.incr.aof")
    path.write_bytes(path.read_bytes()[:-20])
    found: list[int] = []
    assert _run(prepared, lambda client: found.append(client.dbsize())) is None
    assert ([199], None) == (found, prepared.set_damaged_files_aside())
