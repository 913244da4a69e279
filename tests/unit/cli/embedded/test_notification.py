"""The word to systemd that all is ready."""

import socket
from pathlib import Path

import pytest

from vestibule.cli.embedded.banner import READY, notify_ready


def test_it_is_told_to_the_socket_that_is_named(tmp_path: Path) -> None:
    """One datagram, in the form of sd_notify(3)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.settimeout(20)
        notify_ready({"NOTIFY_SOCKET": str(tmp_path / "s")})
        assert READY == listening.recv(100)


def test_without_a_socket_the_start_goes_on(tmp_path: Path) -> None:
    """No socket, one that is gone, or an unsupported name: no error, and the next notification arrives alone."""
    missing = ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}, {"NOTIFY_SOCKET": "vsock:2:1234"})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.setblocking(False)
        for environment in (*missing, {"NOTIFY_SOCKET": str(tmp_path / "s")}):
            notify_ready(environment)
        assert READY == listening.recv(100)
        with pytest.raises(BlockingIOError):
            listening.recv(100)
