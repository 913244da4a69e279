"""Log lines on a stream: as JSON for programs, in columns on a terminal."""

import os
import select
from contextlib import suppress
from typing import TextIO

from vestibule.service_kit.logging.log_line import decode_line, render_line


class LogStream:
    """A sink that writes to a stream, which several processes may share."""

    # A pipe takes so much at once or not at all; more could be mixed with what another process writes.
    most_bytes = select.PIPE_BUF

    def __init__(self, stream: TextIO, *, has_colour: bool) -> None:
        self._stream = stream
        self._descriptor = _descriptor_of(stream)
        self._is_terminal = stream.isatty()
        self._has_colour = has_colour

    def release(self) -> None:
        """Go on as before: the stream belongs to the process."""

    def write(self, lines: bytes) -> None:
        """Write whole lines.

        Raises:
            OSError: they could not be written.
            ValueError: the stream was closed.
        """
        shown = self._rendered(lines) if self._is_terminal else lines
        if self._descriptor is None:
            self._stream.write(shown.decode())
            return
        while shown:
            try:
                shown = shown[os.write(self._descriptor, shown) :]
            except BlockingIOError:  # it was made so by whoever shares it with us
                select.select([], [self._descriptor], [])

    def _rendered(self, lines: bytes) -> bytes:
        rows = [decode_line(line) for line in lines.splitlines()]
        return "".join(render_line(row, has_colour=self._has_colour) + "\n" for row in rows if row).encode()


def _descriptor_of(stream: TextIO) -> int | None:
    # What only looks like a file says so with an error that is both of these.
    with suppress(OSError, ValueError):
        return stream.fileno()
    return None
