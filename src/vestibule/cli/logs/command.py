"""`vestibule logs`: shows the log of all parts, or of one request through all of them."""

import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vestibule.cli.http_client import fail

if TYPE_CHECKING:
    from vestibule.cli.logs.log_tail import Fields, LogTail

LINES = 100
_AGO = re.compile(r"(\d+)\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Level(StrEnum):
    """The levels of log lines, the least first."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


def _moment(text: str) -> datetime:
    ago = _AGO.fullmatch(text.strip().lower())
    try:
        if ago:
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        given = datetime.fromisoformat(text.strip())
        return given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            "give a time ago, like 90s, 10m, 2h, 3d, or a UTC time, like 2026-01-31T14:05"
        ) from None


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
            parser=_moment, metavar="TIME", help="Only lines since then: 90s, 10m, 2h, 3d ago, or a UTC time."
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            "--lines", "-n", min=0, help=f"Only the last so many; {LINES} unless --request or --since is given."
        ),
    ] = None,
    data_dir: Annotated[Path, typer.Option(envvar="VESTIBULE_DATA_DIR", help="Data directory of the system.")] = Path(
        "var"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the lines as JSON.")] = False,
) -> None:
    """Show the log of all services and workers, including rotated files.

    Exit codes: 0 shown, 1 there is no log, or nothing of the request in it.
    """
    from vestibule.cli.logs.log_tail import LogTail, Wanted

    path = data_dir.expanduser() / "logs" / "app.log"
    if not is_followed and not path.parent.is_dir():
        fail(f"there is no log {path}; name the system's directory with --data-dir")
    if count is None and request_id is None and since is None:
        count = LINES
    tail = LogTail(path, Wanted(request_id, level, service, since))
    shown = _show(_lines(tail, count, is_followed), as_json)
    if request_id is not None and not shown and not is_followed:
        fail(f"nothing of the request {request_id!a} is in {path} or its older files")


def _lines(tail: "LogTail", count: int | None, is_followed: bool) -> "Iterator[Fields]":
    yield from tail.kept() if count is None else tail.last(count)
    if is_followed:
        yield from tail.follow()


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
        # Whoever read has had enough; Python's own last flush must not complain of that.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return shown
