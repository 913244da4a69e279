"""Exports of the audit arrive at syslog servers as RFC 5424 has it."""

import json
import re
import socket
from contextlib import closing
from pathlib import Path

import pytest

from vestibule.cli.audit_sinks import SinkFailed, open_sink

EVENT = {"time": "2026-01-31T12:00:00Z", "act": "silence_added", "token": "Änderung"}
MESSAGE = re.compile(rb"<109>1 2026-01-31T12:00:00Z \S+ vestibule [0-9]+ audit - (\{.*\})", re.DOTALL)


@pytest.mark.parametrize("scheme", ["udp", "unix"])
def test_each_event_is_a_datagram(scheme: str, tmp_path: Path) -> None:
    """In their order, whole, with facility and severity of an audit."""
    family = socket.AF_INET if scheme == "udp" else socket.AF_UNIX
    with closing(socket.socket(family, socket.SOCK_DGRAM)) as server:
        server.settimeout(30)
        server.bind(("127.0.0.1", 0) if scheme == "udp" else str(tmp_path / "log"))
        target = f"udp://127.0.0.1:{server.getsockname()[1]}" if scheme == "udp" else f"unix:{tmp_path / 'log'}"
        open_sink(target).send([EVENT, {**EVENT, "act": "silence_ended"}])
        received = [MESSAGE.fullmatch(server.recv(65_536)) for _ in range(2)]
    assert all(received)
    assert ["silence_added", "silence_ended"] == [json.loads(one[1])["act"] for one in received if one]


def test_a_socket_that_nobody_reads_is_named(tmp_path: Path) -> None:
    """The export does not go on past what did not arrive."""
    with pytest.raises(SinkFailed, match="FileNotFoundError"):
        open_sink(f"unix:{tmp_path / 'missing'}").send([EVENT])
