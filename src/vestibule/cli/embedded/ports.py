"""The ports of an instance, counted from its base port, and the check that they are free."""

import socket
import time
from dataclasses import dataclass

from vestibule.cli.embedded.start_errors import PortTaken

# A killed instance's parts need a moment to let go of their ports.
_TIMEOUT_S = 1.0


@dataclass(frozen=True)
class Address:
    """Where one part listens."""

    host: str
    port: int

    @property
    def reachable_host(self) -> str:
        """Return the host by which this machine reaches the part: a wildcard is no place to connect to."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)

    @property
    def url(self) -> str:
        host = f"[{self.reachable_host}]" if ":" in self.reachable_host else self.reachable_host
        return f"http://{host}:{self.port}"


def refuse_taken_ports(addresses: list[Address]) -> None:
    """Check that every address can be listened on.

    Raises: PortTaken, naming the first that cannot.
    """
    deadline = time.monotonic() + _TIMEOUT_S
    while taken := _first_taken(addresses):
        if time.monotonic() >= deadline:
            address, reason = taken
            raise PortTaken(
                f"port {address.port} on {address.host} cannot be used ({reason}); choose others with --base-port"
            )
        time.sleep(0.05)


def _first_taken(addresses: list[Address]) -> tuple[Address, str] | None:
    for address in addresses:
        try:
            family, kind, protocol, _, target = socket.getaddrinfo(
                address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            with socket.socket(family, kind, protocol) as listener:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(target)
                listener.listen()
        except OSError as error:
            return address, error.strerror or str(error)
    return None
