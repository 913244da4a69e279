"""The question before an act that destroys or gives out data."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from vestibule.cli.options import echo, fail

TERMINAL = Path("/dev/tty")
AGREEMENT = ("y", "yes")
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking back.")]


def is_asked(*, is_sure: bool) -> bool:
    """Return whether somebody is asked: a person at a terminal who did not say `--yes`; a script never is."""
    return not is_sure and sys.stderr.isatty()


def ask_back(question: str, *, is_sure: bool) -> None:
    """Ask a person on a terminal whether to do it, and end the program with exit code 1 where the answer is not yes."""
    if not is_asked(is_sure=is_sure):
        return
    echo(f"{question} [y/N] ", err=True, nl=False)
    sys.stderr.flush()
    if _read_answer().strip().lower() not in AGREEMENT:
        fail("nothing was done")


def _read_answer() -> str:
    # Standard input may be what the command works on.
    if sys.stdin.isatty():
        return sys.stdin.readline()
    try:
        with TERMINAL.open(encoding="utf-8", errors="replace") as terminal:
            return terminal.readline()
    except OSError:
        fail("nobody can be asked; --yes does it without asking back")
