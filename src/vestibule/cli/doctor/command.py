"""`vestibule doctor`: the command."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from vestibule.cli.doctor.examination import CHECKS, Diagnosis, DiagnosisLevel, ExaminedSystem, examine
from vestibule.cli.options import DATA_DIR, AsJson, DataDir, echo, escape_controls
from vestibule.cli.terminal.colour import has_colour
from vestibule.cli.terminal.output import Output

COLOURS = {
    DiagnosisLevel.OK: typer.colors.GREEN,
    DiagnosisLevel.WARNING: typer.colors.YELLOW,
    DiagnosisLevel.ERROR: typer.colors.RED,
}


def doctor(
    data_dir: DataDir = DATA_DIR,
    base_port: Annotated[
        int, typer.Option(envvar="VESTIBULE_BASE_PORT", min=1, max=65531, help="Port of the client service.")
    ] = 8000,
    only: Annotated[list[str] | None, typer.Option("--only", help="Only this check; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with an installation, and what to do.

    It may run or not, and nothing is changed. Exit code 0: nothing is broken (there may be warnings), 1: something is.
    """
    # Each module adds its checks.
    from vestibule.cli.doctor import files, host, services, store  # noqa: F401

    order = ["python", "packages", "open files", "cores", "settings"]
    names = [*order, *(name for name in CHECKS if name not in order)]
    if unknown := set(only or ()) - set(names):
        raise typer.BadParameter(f"no check {min(unknown)!r}; there are: {', '.join(names)}", param_hint="--only")
    chosen = {name: CHECKS[name] for name in names if not only or name in only}
    installation = ExaminedSystem(Path(data_dir), base_port, dict(os.environ))
    found = []
    for one in examine(installation, chosen):
        found.append(one)
        if not as_json:
            _show(one)
    if as_json:
        document = [{"check": o.check, "level": o.level, "text": o.text, "remedy": o.remedy or None} for o in found]
        Output(as_json=True).document(document)
    else:
        _summarize(found)
    raise typer.Exit(1 if any(one.level is DiagnosisLevel.ERROR for one in found) else 0)


def _show(one: Diagnosis) -> None:
    if not sys.stdout.isatty():
        echo("\t".join((one.level, one.check, one.text, one.remedy)))
        return
    level = f"{one.level:7}"
    shown = typer.style(level, fg=COLOURS[one.level]) if has_colour(sys.stdout) else level
    echo(f"{shown}  {one.check:15}  {escape_controls(one.text)}", is_escaped=True)
    if one.remedy:
        echo(f"{'':26}{one.remedy}")


def _summarize(found: list[Diagnosis]) -> None:
    errors, warnings, fine = (
        sum(one.level is level for one in found)
        for level in (DiagnosisLevel.ERROR, DiagnosisLevel.WARNING, DiagnosisLevel.OK)
    )
    echo(f"{_counted(errors, 'error')}, {_counted(warnings, 'warning')}, {fine} fine", err=True)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
