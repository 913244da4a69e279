"""Reads the last log lines of a part that does not start."""

import json
import os
from pathlib import Path

from vestibule.cli.embedded.parts import Part

_TAIL_BYTES = 256 * 1024
_LINES = 10


def last_log_lines(part: Part, app_log: Path) -> list[str]:
    """Return the last ten lines of the part's own log, or else of those in `app_log` that came from it."""
    if part.log:
        return _tail(part.log)[-_LINES:]
    return [line for line in _tail(app_log) if _service_of(line) == part.log_name][-_LINES:]


def _service_of(line: str) -> str | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    service = event.get("service") if isinstance(event, dict) else None
    return service if isinstance(service, str) else None


def _tail(path: Path) -> list[str]:
    try:
        with path.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return log.read().decode(errors="replace").splitlines()
    except OSError:
        return []
