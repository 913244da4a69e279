"""The fork server: a process that has loaded the code of every part once, and forks into them.

Run as a program by the supervisor: `python -m vestibule.cli.embedded.fork_server SOCKET SUPERVISOR_PID`. It reads one
order a line from the socket, `{"arguments": [...], "environment": {...}}`, and answers each with the process id of the
new part. It opens nothing else, and starts no thread: parts would inherit either in an unusable state.

A part is a child of the supervisor, and not of this process, which may end at any time (docs/adr/0059).
"""

import gc
import json
import os
import socket
import sys
import time
from dataclasses import dataclass
from importlib import import_module

from vestibule.cli.entry_point import run
from vestibule.cli.program import UNUSED, without_packages
from vestibule.runtime.parent_death import die_with_parent

# What the parts import when they start.
MODULES = (
    "vestibule.service_kit.http.server",
    "vestibule.service_kit.logging.logging_config",
    "vestibule.database_service.main",
    "vestibule.client_service.main",
    "vestibule.business_logic_service.main",
    "vestibule.scheduler_service.main",
    "vestibule.console.main",
    "vestibule.worker.worker",
)
READY = b"ready\n"
_GO = b"."
_CHECK_INTERVAL_S = 0.0005


@dataclass(frozen=True)
class Order:
    """What a part is: the arguments of the program `vestibule`, and its whole environment."""

    arguments: tuple[str, ...]
    environment: dict[str, str]


def serve(connection: socket.socket) -> Order | None:
    """Carry out orders. Returns the order in each forked part, and None in this process when the supervisor closes."""
    connection.sendall(READY)
    orders = connection.makefile("rb")
    for line in orders:
        order = json.loads(line)
        is_part = _fork(connection)
        if is_part:
            orders.close()
            connection.close()
            return Order(tuple(order["arguments"]), order["environment"])
    return None


def _fork(connection: socket.socket) -> bool:
    """Fork a part, and tell its id to the supervisor; return True in the part, once it may run.

    It is forked twice: the process between ends at once, so that the supervisor becomes the parent of the part. A part
    whose id was not told ends: nobody would supervise it.
    """
    id_reader, id_writer = os.pipe()
    go_reader, go_writer = os.pipe()
    between = os.fork()
    if between:
        os.close(id_writer)
        os.close(go_reader)
        os.waitpid(between, 0)
        with os.fdopen(id_reader, "rb") as told, os.fdopen(go_writer, "wb") as go:
            connection.sendall(told.read() + b"\n")
            go.write(_GO)
        return False
    os.close(id_reader)
    os.close(go_writer)
    parent = os.getpid()
    if part := os.fork():
        os.write(id_writer, b"%d" % part)
        os._exit(0)
    os.close(id_writer)
    with os.fdopen(go_reader, "rb") as go:
        if not go.read():
            os._exit(1)
    while os.getppid() == parent:
        time.sleep(_CHECK_INTERVAL_S)
    # Only the supervisor gets the terminal's Ctrl-C: it stops the parts in order.
    os.setsid()
    return True


def become(order: Order) -> None:
    """Run the command of an order in this process, as `vestibule ARGUMENT...` does in one of its own."""
    os.environ.clear()
    os.environ.update(order.environment)
    time.tzset()
    sys.argv = ["vestibule", *order.arguments]
    _set_title(" ".join(sys.argv))
    gc.enable()
    run()


def _set_title(title: str) -> None:
    # Celery would set titles of its own if it found this package, which is loaded after it therefore.
    from setproctitle import setproctitle

    setproctitle(title)


def load() -> None:
    """Load the code of the parts, so that they share the memory that it takes."""
    # Celery reads this when it is imported; see `vestibule worker`.
    os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")
    # What is loaded stays: to look for what of it is unused takes time in every part, and would copy its memory.
    gc.disable()
    with without_packages(*UNUSED):
        for name in MODULES:
            import_module(name)
        _compile_rules()
    gc.freeze()


def _compile_rules() -> None:
    """Compile the rules of the built-in detectors: Python keeps the expressions, and each part finds them compiled."""
    from vestibule.detection.catalogue import declared_in, list_modules
    from vestibule.detection.options import DEFAULTS
    from vestibule.detection.scanner import Scanner

    Scanner([detector for module in list_modules() for detector in declared_in(module)], DEFAULTS).warm_up()


def main() -> None:
    """Load everything and carry out orders, until the supervisor ends."""
    die_with_parent(int(sys.argv[2]))
    load()
    _set_title("vestibule: fork server")
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        order = serve(connection)
    if order:
        become(order)


if __name__ == "__main__":
    main()
