"""Addresses, ports that are taken, and the URL of Redis."""

import socket

import pytest

from vestibule.cli.embedded.parts import Address
from vestibule.cli.embedded.start_checks import PortTaken, RedisUrlInvalid, check_ports, check_redis_url


def test_taken_port_is_named(free_ports):
    """The refusal names the port and says how to choose another."""
    free, taken = free_ports(2)
    with socket.create_server(("127.0.0.1", taken)), pytest.raises(PortTaken, match=f"port {taken} .*--base-port"):
        check_ports([Address("127.0.0.1", free), Address("127.0.0.1", taken)])


def test_free_ports_are_accepted(free_port):
    """Free ports are accepted, and are free afterwards."""
    check_ports([Address("127.0.0.1", free_port)])
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


def test_a_redis_url_of_the_wrong_kind_is_refused():
    """An address that is none of Redis's is refused before anything is started."""
    with pytest.raises(RedisUrlInvalid, match="VESTIBULE_REDIS_URL"):
        check_redis_url("http://127.0.0.1:6379")
