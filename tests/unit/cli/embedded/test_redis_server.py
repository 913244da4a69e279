"""The Redis server: found, configured, and its socket wherever the data directory is."""

import os
import subprocess

from vestibule.cli.embedded.redis_server import find_redis_program


def test_settings_that_lose_nothing(start_redis, tmp_path):
    """The server writes every command to its file, evicts nothing, and listens on no port."""
    client, server = start_redis(tmp_path / 'a "quoted" folder with spaces, ü and \\')
    settings = client.config_get("*")
    expected = {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "port": "0",
        "dir": str(server.configuration.parent),
        "logfile": str(server.log),
    }
    assert expected == {name: settings[name] for name in expected}
    assert 0o700 == server.socket.stat().st_mode & 0o777


def test_socket_of_a_long_path(start_redis, tmp_path):
    """Where the data directory's path is too long for a socket, a short private folder takes it and goes away again."""
    client, server = start_redis(tmp_path / ("long" * 30))
    assert client.ping()
    assert len(os.fsencode(server.socket)) <= 100
    assert 0o700 == server.socket.parent.stat().st_mode & 0o777
    server.clean_up()
    assert not server.socket.parent.exists()


def test_server_of_the_machine_comes_first(tmp_path):
    """A server on the search path is taken before the one that came with the installation."""
    (tmp_path / "redis-server").touch(mode=0o755)
    assert tmp_path / "redis-server" == find_redis_program(str(tmp_path))


def test_server_of_the_installation_runs(tmp_path):
    """Without a server on the search path the one that came with the installation is found, and runs."""
    program = find_redis_program(str(tmp_path))
    assert "alkey server v=" in subprocess.run([program, "--version"], capture_output=True, text=True).stdout
