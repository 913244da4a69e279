"""The word to systemd that all is ready."""

import socket
from pathlib import Path

from vestibule.cli.embedded.systemd_notify import READY, notify_ready


def test_it_is_told_to_the_socket_that_is_named(tmp_path: Path) -> None:
    """One datagram, in the form of sd_notify(3)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.settimeout(20)
        notify_ready({"NOTIFY_SOCKET": str(tmp_path / "s")})
        assert READY == listening.recv(100)


def test_where_nobody_waits_nothing_happens(tmp_path: Path) -> None:
    """No socket, one that is gone, or a name that is none: the start goes on."""
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}, {"NOTIFY_SOCKET": "vsock:2:1234"}):
        notify_ready(environment)
