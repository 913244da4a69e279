"""Options that several commands share, the values they take, and how a command prints its result or why it failed."""

import functools
import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

DATA_DIR = Path("var")
DEVELOPMENT_TOKEN = "SECRET_TOKEN"  # noqa: S105 - published on purpose; accepted in embedded mode from loopback only

# Beside the secrets of a part: why the Secret of its deployment was refused.
REFUSAL = "refused"

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DataDir = Annotated[Path, typer.Option(envvar="VESTIBULE_DATA_DIR", help="The data directory of the services.")]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(days=36_500)


class Duration(timedelta):
    """The default of an option that takes a duration, which the help shows as the option takes it: `1h`."""

    def __str__(self) -> str:
        """Return it in days, hours or minutes, if it is a whole number of them, or else in seconds."""
        seconds = self.total_seconds()
        for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
            if seconds and not seconds % size:
                return f"{seconds / size:g}{unit}"
        return f"{seconds:g}s"


# Control characters but tab and line feed, and characters that change the direction of text.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def echo(text: object, *, err: bool = False, nl: bool = True, is_escaped: bool = False) -> None:
    """Print `text`; on a terminal, characters that would control it are escaped as in JSON, unless they already are.

    What a caller stored must not move the cursor, change the title or hide text. A pipe gets the text as it is.
    """
    stream = sys.stderr if err else sys.stdout
    shown = escape_controls(str(text)) if stream.isatty() and not is_escaped else str(text)
    # Escaped text may have colours, which are then for whoever reads it.
    typer.echo(shown, err=err, nl=nl, color=True if is_escaped else None)


def escape_controls(text: str) -> str:
    """Return `text` with the characters that would control a terminal escaped as in JSON."""
    return _UNSAFE.sub(_escape, text)


def _escape(found: "re.Match[str]") -> str:
    return f"\\u{ord(found.group()):04x}"


def show(answer: Any, as_json: bool, text: str) -> None:
    """Print an answer as JSON or as text."""
    echo(json.dumps(answer, ensure_ascii=False) if as_json else text)


def fail(reason: object, exit_code: int = 1) -> NoReturn:
    """Print the reason on standard error and exit."""
    echo(f"vestibule: {reason}", err=True)
    raise typer.Exit(exit_code)


@contextmanager
def exit_on(*errors: type[Exception], before: str = "", exit_code: int = 1) -> Iterator[None]:
    """Let an error of these classes end the program with its message after `before`, instead of with a traceback."""
    try:
        yield
    except errors as error:
        from vestibule.service_kit.settings import describe_mistakes

        fail(f"{before}{describe_mistakes(error) if isinstance(error, ValueError) else error}", exit_code)


def show_progress(text: str, *, is_last: bool) -> None:
    """Overwrite the line of progress on standard error, if that is a terminal."""
    if sys.stderr.isatty():
        overwrite(text, is_last=is_last)


def overwrite(text: str, *, is_last: bool = True) -> None:
    """Print `text` on standard error over what the line has."""
    typer.echo(f"\r{text}", err=True, nl=is_last)


def takes(make: Callable[..., Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a command: its first argument is made by `make`, whose own arguments become options of the command."""
    shared = inspect.signature(make).parameters

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**given: Any) -> None:
            made = make(**{name: given.pop(name) for name in shared})
            command(made, **given)

        own = list(inspect.signature(command).parameters.values())[1:]
        parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own, *shared.values())]
        # Typer reads the options of a command from these two.
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate


def with_options(**makers: Callable[..., Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a command: each argument that is named is made by a function, whose arguments become its options."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        shared = {name: inspect.signature(make).parameters for name, make in makers.items()}

        @functools.wraps(command)
        def run(*leading: Any, **given: Any) -> None:
            made = {
                name: make(**{option: given.pop(option) for option in shared[name]}) for name, make in makers.items()
            }
            command(*leading, **made, **given)

        parameters: list[inspect.Parameter] = []
        for own in inspect.signature(command).parameters.values():
            replaced = list(shared[own.name].values()) if own.name in shared else [own]
            parameters += [one if not parameters else one.replace(kind=one.KEYWORD_ONLY) for one in replaced]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate


def expect_instance(data_dir: Path) -> Path:
    """Return the data directory; end the program where nothing has run in it, so that no command creates another."""
    if not any((data_dir / name).exists() for name in ("keys", "logs", "vestibule.db")):
        fail(f"{data_dir} is not the data directory of an instance; set --data-dir", os.EX_CONFIG)
    return data_dir


def read_text(argument: str) -> str:
    """Return a text argument, or all of standard input if it is `-`; each byte of it, as UTF-8.

    Raises:
        typer.BadParameter: it is not UTF-8.
    """
    try:
        content = sys.stdin.buffer.read() if argument == "-" else argument.encode("utf-8", "surrogateescape")
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        place = "standard input" if argument == "-" else "the argument"
        raise typer.BadParameter(f"{place} is not a UTF-8 text: byte {error.start + 1} is invalid") from None


def split_list(text: str) -> list[str]:
    """Return the parts of a list separated by commas, without empty ones."""
    return [part.strip() for part in text.split(",") if part.strip()]


def parse_duration(text: str) -> timedelta | None:
    """Return the duration that `90s`, `30m`, `2h`, `1d` or `2w` means; None if malformed or over a century."""
    found = re.fullmatch(r"(\d{1,8}(?:\.\d{1,6})?)\s*([smhdw])", text.strip().lower())
    duration = timedelta(**{_UNITS[found[2]]: float(found[1])}) if found else None
    return duration if duration is not None and duration <= _LONGEST else None


def take_duration(text: str) -> timedelta:
    """Return the duration that an option means; a number alone is in seconds.

    Raises:
        typer.BadParameter: it is none.
    """
    duration = parse_duration(f"{text}s" if text.strip()[-1:].isdigit() else text)
    if duration is None:
        raise typer.BadParameter("must be a number of seconds, or a number and s, m, h, d or w, such as 30m")
    return duration


def duration_option(*names: str, help: str, **settings: Any) -> Any:
    """Return an option that takes a duration: `90s`, `10m`, `2h`, `7d`, `2w`, or a number of seconds."""
    return typer.Option(*names, parser=take_duration, metavar="DURATION", help=help, **settings)


def require_duration(text: str, option: str) -> timedelta:
    """Return the duration that an option means.

    Raises:
        typer.BadParameter: it is none.
    """
    duration = parse_duration(text)
    if duration is None:
        raise typer.BadParameter("must be a number and s, m, h, d or w, such as 30m", param_hint=option)
    return duration


def take_time(text: str) -> datetime:
    """Return the time that an option means: an ISO date or time, in UTC unless it says otherwise.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        given = datetime.fromisoformat(text.strip())
        return given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter("must be a date or time in UTC, such as 2026-01-31T14:05") from None


def parse_since(text: str) -> datetime:
    """Return the time in UTC that the option `--since` means: a duration ago, or an ISO date or time."""
    ago = parse_duration(text)
    if ago is not None:
        return datetime.now(UTC) - ago
    try:
        return take_time(text)
    except typer.BadParameter:
        message = "give a time ago, such as 90s, 10m, 2h, 3d or 2w, or a UTC date or time, such as 2026-01-31T14:05"
        raise typer.BadParameter(message, param_hint="--since") from None
