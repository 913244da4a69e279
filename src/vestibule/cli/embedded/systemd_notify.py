"""Notifies systemd when all parts are ready (`Type=notify`)."""

import socket
from collections.abc import Mapping
from contextlib import suppress

READY = b"READY=1"


def notify_ready(environment: Mapping[str, str]) -> None:
    """Send the word to the socket that the environment names, if it names one.

    Source: sd_notify(3). Whoever waits and does not get it gives up by itself, so an error is no reason to end.
    """
    name = environment.get("NOTIFY_SOCKET", "")
    if not name.startswith(("/", "@")):
        return
    # A name with an at sign is one of the abstract namespace, which begins with a NUL.
    address = f"\0{name[1:]}" if name.startswith("@") else name
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.sendto(READY, address)
