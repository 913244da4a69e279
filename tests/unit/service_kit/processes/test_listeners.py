"""The sockets of a port, before anything listens."""

import socket
import stat
from pathlib import Path

import pytest

from vestibule.service_kit.processes.listeners import bind


def test_a_port_is_bound_and_does_not_listen_yet(free_port: int) -> None:
    """Callers are refused until the first process serves; a second service cannot take the port."""
    (listener,) = bind("127.0.0.1", free_port)
    with listener:
        assert ("127.0.0.1", free_port) == listener.getsockname()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", free_port))
        listener.listen()
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1, port {free_port}: Address already in use"):
            bind("127.0.0.1", free_port)


def test_a_socket_file_takes_the_place_of_an_old_one(tmp_path: Path) -> None:
    """What a killed service left behind is in nobody's way; a file that is no socket stays, and is an error."""
    path = tmp_path / "client.sock"
    for _ in range(2):
        (listener,) = bind(f"unix://{path}", 0)
        listener.close()
    assert stat.S_ISSOCK(path.stat().st_mode)
    path.unlink()
    path.write_text("kept")
    with pytest.raises(OSError, match="in use"):
        bind(f"unix://{path}", 0)
    assert "kept" == path.read_text()
