"""`vestibule logs`: the log of all services and workers, from the files of the data directory."""

import os
import sys
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from vestibule.cli.options import DATA_DIR, AsJson, DataDir, fail, parse_since

if TYPE_CHECKING:
    from vestibule.cli.log_tail import Fields

LINES = 100


class Level(StrEnum):
    """The levels of log lines, the least severe first."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


def logs(
    *,
    is_followed: Annotated[bool, typer.Option("--follow", "-f", help="Follow the log.")] = False,
    request_id: Annotated[
        str | None, typer.Option("--request", metavar="ID", help="Only lines of this request, from all parts.")
    ] = None,
    level: Annotated[Level | None, typer.Option(help="Only lines of this level and above.")] = None,
    service: Annotated[
        str | None, typer.Option(help="Only lines of this part, as client, database, worker1 or supervisor.")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=parse_since, metavar="TIME", help="Only lines since then: 90s, 10m, 2h, 3d ago, or a UTC time."
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            "--lines", "-n", min=0, help=f"Only the last N lines; {LINES} unless --request or --since is given."
        ),
    ] = None,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Show the log of all services and workers, including rotated files.

    Exit codes: 0 shown, 1 there is no log, or no line of the request in it.
    """
    from vestibule.cli.log_tail import LogTail, Wanted

    path = data_dir.expanduser() / "logs" / "app.log"
    if not is_followed and not path.parent.is_dir():
        fail(f"there is no log {path}; set --data-dir to the data directory of the services")
    if count is None and request_id is None and since is None:
        count = LINES
    tail = LogTail(path, Wanted(request_id, level, service, since))
    stored = tail.kept() if count is None else tail.last(count)
    shown = _show(chain(stored, tail.follow() if is_followed else ()), as_json)
    if request_id is not None and not shown and not is_followed:
        fail(f"no line of the request {request_id!a} is in {path} or its rotated files")


def _show(lines: "Iterator[Fields]", as_json: bool) -> int:
    from vestibule.service_kit.logging.log_line import encode_line, render_line

    has_colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    shown = 0
    try:
        for fields in lines:
            text = encode_line(fields).decode() if as_json else render_line(fields, has_colour=has_colour) + "\n"
            print(text, end="", flush=True)
            shown += 1
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        # The reader has closed the pipe, which Python's last flush would report as an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return shown
