"""The output of the supervisor: lines for the terminal, events for the log, and the last lines of a failed part."""

import asyncio
import contextlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TextIO

import typer

from vestibule.cli.embedded.parts import Part

_TAIL_BYTES = 256 * 1024
_TAIL_LINES = 10


class Log(Protocol):
    """The part of a structlog logger that the supervisor uses."""

    def info(self, event: str, **fields: object) -> object: ...

    def warning(self, event: str, **fields: object) -> object: ...


class SupervisorLog:
    """Prints lines at once, and buffers events until the log is open.

    The log is opened late, because its imports would delay the start of the parts.
    """

    def __init__(self, stream: TextIO, *, has_colour: bool, shows_progress: bool, open_log: Callable[[], Log]) -> None:
        self._stream = stream
        self._has_colour = has_colour
        self._shows_progress = shows_progress
        self._open_log = open_log
        self._log: Log | None = None
        # None once the log is open, or cannot be opened, where events are dropped.
        self._buffered: list[tuple[str, str, dict[str, object]]] | None = []

    def show(self, text: str, colour: str | None = None) -> None:
        """Print `text` as it is."""
        line = typer.style(text, fg=colour) if self._has_colour and colour else text
        # A closed terminal must not stop the parts.
        with contextlib.suppress(OSError, ValueError):
            print(line, file=self._stream, flush=True)

    def note(self, event: str, text: str, **fields: object) -> None:
        """Report progress."""
        self._record("info", event, text, None, fields)

    def warn(self, event: str, text: str, **fields: object) -> None:
        """Report a problem."""
        self._record("warning", event, text, "yellow", fields)

    def fail(self, event: str, text: str, **fields: object) -> None:
        """Report why the start failed, even where progress is not shown."""
        if not self._shows_progress:
            self.show(text)
        self._record("warning", event, text, "red", fields)

    async def open_log(self) -> None:
        """Open the log and write the buffered events; call it once."""
        try:
            self._log = await asyncio.to_thread(self._open_log)
        except OSError as error:
            self.show(f"vestibule: cannot open the log: {error}")
        buffered, self._buffered = self._buffered or [], None
        for level, event, fields in buffered if self._log else ():
            getattr(self._log, level)(event, **fields)

    def _record(self, level: str, event: str, text: str, colour: str | None, fields: dict[str, object]) -> None:
        if self._shows_progress:
            self.show(text, colour)
        if self._log is not None:
            getattr(self._log, level)(event, **fields)
        elif self._buffered is not None:
            self._buffered.append((level, event, {"timestamp": datetime.now(UTC), **fields}))


def last_log_lines(part: Part, app_log: Path) -> list[str]:
    """Return the last ten lines of the part's own log, or else its last ten lines in `app_log`."""
    if part.log:
        return _tail(part.log)[-_TAIL_LINES:]
    return [line for line in _tail(app_log) if _service_of(line) == part.log_name][-_TAIL_LINES:]


def _service_of(line: str) -> object:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event.get("service") if isinstance(event, dict) else None


def _tail(path: Path) -> list[str]:
    try:
        with path.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return log.read().decode(errors="replace").splitlines()
    except OSError:
        return []
