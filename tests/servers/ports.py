"""Hands out ports for servers that are started later, and ports where nobody is to listen."""

import random
import socket
import threading
from functools import cache

# Below the range that systems take for outgoing connections: such a connection could have a port before its server
# binds it, or while a killed server is away.
_FIRST, _SHARE, _SHARES = 10_000, 1_000, 22


def free_port() -> int:
    """Return a port that nobody listens on."""
    return free_row(1)[0]


def free_row(count: int) -> range:
    """Return ports that follow each other and that nobody listens on."""
    return _own().free_row(count)


def own_ports() -> range:
    """Return the ports of which this process hands out some; who takes one of them by itself may meet another."""
    return _own().ports


class _Share:
    """Ports of this process alone, of which none is given twice while others are left."""

    def __init__(self, ports: range, holder: socket.socket | None) -> None:
        self.ports = ports
        # Other processes leave the share alone as long as this is open.
        self._holder = holder
        self._next = random.SystemRandom().randrange(len(ports))
        self._lock = threading.Lock()

    def free_row(self, count: int) -> range:
        with self._lock:
            for _ in self.ports:
                row = self.ports[self._next : self._next + count]
                if len(row) < count:
                    self._next = 0
                    continue
                self._next += count
                if all(map(is_free, row)):
                    return row
        raise RuntimeError(f"no {count} free ports in a row")


@cache
def _own() -> _Share:
    """Take the first share that no other process has, of this test run or of one beside it."""
    shares = [range(first, first + _SHARE) for first in range(_FIRST, _FIRST + _SHARES * _SHARE, _SHARE)]
    for share in shares:
        holder = socket.socket()
        try:
            holder.bind(("127.0.0.1", share[0]))
        except OSError:
            holder.close()
            continue
        return _Share(share[1:], holder)
    return _Share(random.SystemRandom().choice(shares)[1:], None)


def is_free(port: int) -> bool:
    """Say whether nobody listens on a port, on whatever address of this machine."""
    return all(_can_bind(address, port) for address in ("127.0.0.1", "0.0.0.0"))


def _can_bind(address: str, port: int) -> bool:
    with socket.socket() as probe:
        # What is left of connections that have ended does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
