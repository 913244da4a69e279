"""Creates the program, and adds the two commands that run a part of the system."""

from typing import Annotated

import typer

from vestibule.cli import serve

RUN = "Run Vestibule"


def create_program() -> typer.Typer:
    """Return the program; commands are for the caller to add."""
    program = typer.Typer(
        name="vestibule",
        help="Intake service for data: checks everything that comes in for personal data and secrets.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    program.callback()(_take_options)
    return program


def add_parts(program: typer.Typer) -> None:
    """Add what runs a part of the system."""
    program.command("serve", rich_help_panel=RUN)(serve.serve)
    program.command("worker", rich_help_panel=RUN)(serve.worker)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        from vestibule import __version__

        typer.echo(f"vestibule {__version__}")
        raise typer.Exit


def _take_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that come before every command."""
