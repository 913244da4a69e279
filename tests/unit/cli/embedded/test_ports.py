"""Addresses, and ports that are taken."""

import socket

import pytest

from vestibule.cli.embedded.ports import Address, refuse_taken_ports
from vestibule.cli.embedded.start_errors import PortTaken


def test_taken_port_is_named(free_ports):
    """The refusal names the port and says how to choose another."""
    free, taken = free_ports(2)
    with socket.create_server(("127.0.0.1", taken)), pytest.raises(PortTaken, match=f"port {taken} .*--base-port"):
        refuse_taken_ports([Address("127.0.0.1", free), Address("127.0.0.1", taken)])


def test_free_ports_are_accepted(free_port):
    """Free ports are accepted, and are free afterwards."""
    refuse_taken_ports([Address("127.0.0.1", free_port)])
    with socket.create_server(("127.0.0.1", free_port)) as listening:
        assert free_port == listening.getsockname()[1]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
        ("example.org", "http://example.org:8000"),
    ],
)
def test_url_reaches_the_address(host, expected):
    """The URL is one that this machine can connect to, also where the service listens everywhere."""
    assert expected == Address(host, 8000).url
