"""The sockets of a port, bound before the processes of a service are forked."""

import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from vestibule.service_kit.settings import UNIX_SCHEME

_EVERYBODY = 0o666


def bind(host: str, port: int) -> list[socket.socket]:
    """Return a bound socket that does not listen yet for each address of `host`, or one for `unix:///PATH`.

    Raises:
        OSError: an address cannot be used.
    """
    if host.startswith(UNIX_SCHEME):
        return [_bind_file(Path(host.removeprefix(UNIX_SCHEME)))]
    bound: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            listener = socket.socket(family, kind, protocol)
            bound.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind(address)
            listener.setblocking(False)
    except OSError as error:
        for listener in bound:
            listener.close()
        raise OSError(error.errno, f"cannot listen on {host}, port {port}: {error.strerror}") from error
    return bound


def _bind_file(path: Path) -> socket.socket:
    # What an earlier process left behind.
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        # As uvicorn does: who may use it is said by the folder.
        os.chmod(path, _EVERYBODY)  # noqa: PTH101
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
