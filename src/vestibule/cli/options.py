"""Options that several commands share, the values they take, and how a command prints its result or why it failed."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

DATA_DIR = Path("var")
DEVELOPMENT_TOKEN = "SECRET_TOKEN"  # noqa: S105 - published on purpose; accepted in embedded mode from loopback only

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DataDir = Annotated[Path, typer.Option(envvar="VESTIBULE_DATA_DIR", help="The data directory of the services.")]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(days=36_500)


def show(answer: Any, as_json: bool, text: str) -> None:
    """Print an answer as JSON or as text."""
    typer.echo(json.dumps(answer, ensure_ascii=False) if as_json else text)


def fail(reason: object, exit_code: int = 1) -> NoReturn:
    """Print the reason on standard error and exit."""
    typer.echo(f"vestibule: {reason}", err=True)
    raise typer.Exit(exit_code)


@contextmanager
def exit_on(*errors: type[Exception], exit_code: int = 1) -> Iterator[None]:
    """Let an error of these classes end the program with its message, instead of with a traceback."""
    try:
        yield
    except errors as error:
        fail(error, exit_code)


def split_list(text: str) -> list[str]:
    """Return the parts of a list separated by commas, without empty ones."""
    return [part.strip() for part in text.split(",") if part.strip()]


def parse_duration(text: str) -> timedelta | None:
    """Return the duration that `90s`, `30m`, `2h`, `1d` or `2w` means; None if malformed or over a century."""
    found = re.fullmatch(r"(\d{1,8})\s*([smhdw])", text.strip().lower())
    duration = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None
    return duration if duration is not None and duration <= _LONGEST else None


def parse_since(text: str) -> datetime:
    """Return the time in UTC that the option `--since` means: a duration ago, or an ISO date or time."""
    ago = parse_duration(text)
    if ago is not None:
        return datetime.now(UTC) - ago
    try:
        given = datetime.fromisoformat(text.strip())
        return given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        message = "give a time ago, such as 90s, 10m, 2h, 3d or 2w, or a UTC date or time, such as 2026-01-31T14:05"
        raise typer.BadParameter(message, param_hint="--since") from None
