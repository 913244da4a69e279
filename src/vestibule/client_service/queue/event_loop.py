"""The event loop of a worker's main process: kombu's, which asks the kernel only for what changes."""

from typing import Any

from kombu.asynchronous import Hub
from kombu.utils.compat import fileno


class ThriftyHub(Hub):
    """kombu's event loop.

    At each turn kombu adds the connections that it reads from, which it has already, and Celery removes pipes that it
    does not write to. The kernel refuses each with an error: some ten a task.
    """

    def add_reader(self, fds: Any, callback: Any, *args: Any) -> Any:
        """Call `callback` when a file can be read, if it is not that which is called already."""
        if self.readers.get(fileno(fds)) != (callback, args):  # type: ignore[no-untyped-call]
            super().add_reader(fds, callback, *args)  # type: ignore[no-untyped-call]

    def remove_writer(self, fd: Any) -> None:
        """Wait no more until a file can be written, if that is waited for."""
        if fileno(fd) in self.writers:  # type: ignore[no-untyped-call]
            super().remove_writer(fd)  # type: ignore[no-untyped-call]
