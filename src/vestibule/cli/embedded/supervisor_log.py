"""The output of the supervisor: a line for the terminal, and an event for the log."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol, TextIO

import typer


class Log(Protocol):
    """The part of a structlog logger that the supervisor uses."""

    def info(self, event: str, **fields: object) -> object: ...

    def warning(self, event: str, **fields: object) -> object: ...


class _NoLog:
    """Drops events where no log can be opened."""

    def info(self, event: str, **fields: object) -> None:
        """Drop the event."""

    def warning(self, event: str, **fields: object) -> None:
        """Drop the event."""


class SupervisorLog:
    """Prints lines at once, and buffers events until the log is open.

    The log is opened late because what it takes to open it would slow the start of the parts.
    """

    def __init__(self, stream: TextIO, *, has_colour: bool, shows_progress: bool, open_log: Callable[[], Log]) -> None:
        self._stream = stream
        self._has_colour = has_colour
        self._shows_progress = shows_progress
        self._open_log = open_log
        self._log: Log | None = None
        self._kept: list[tuple[str, str, dict[str, object]]] = []

    def show(self, text: str, colour: str | None = None) -> None:
        """Print `text` as it is."""
        line = typer.style(text, fg=colour) if self._has_colour and colour else text
        # A terminal that went away must not take the parts with it.
        with contextlib.suppress(OSError, ValueError):
            print(line, file=self._stream, flush=True)

    def note(self, event: str, text: str, **fields: object) -> None:
        """Report progress."""
        self._record("info", event, text, None, fields)

    def warn(self, event: str, text: str, **fields: object) -> None:
        """Report a problem."""
        self._record("warning", event, text, "yellow", fields)

    def fail(self, event: str, text: str, **fields: object) -> None:
        """Report why the start failed, whether progress is shown or not."""
        if not self._shows_progress:
            self.show(text)
        self._record("warning", event, text, "red", fields)

    async def open_log(self) -> None:
        """Open the log and write what was kept for it; call it once."""
        try:
            self._log = await asyncio.to_thread(self._open_log)
        except OSError as error:
            self.show(f"vestibule: cannot open the log: {error}")
            self._log = _NoLog()
        for level, event, fields in self._kept:
            getattr(self._log, level)(event, **fields)
        self._kept.clear()

    def _record(self, level: str, event: str, text: str, colour: str | None, fields: dict[str, object]) -> None:
        if self._shows_progress:
            self.show(text, colour)
        if self._log is None:
            self._kept.append((level, event, {"timestamp": datetime.now(UTC), **fields}))
        else:
            getattr(self._log, level)(event, **fields)
