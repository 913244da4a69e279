"""The program: the tree of its commands, and the options that come before every command."""

import os
from typing import Annotated

import typer

from vestibule.cli.frame.tree import CommandTree
from vestibule.cli.options import echo
from vestibule.cli.setting_names import warn_of_unknown_settings

app = typer.Typer(
    name="vestibule",
    cls=CommandTree,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    subcommand_metavar="NOUN VERB [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_requested: bool) -> None:
    if is_requested:
        from vestibule.cli.version import installed_version

        echo(f"vestibule {installed_version()}")
        raise typer.Exit


@app.callback()
def take_options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Intake service for data: checks everything that comes in for personal data and secrets."""
    warn_of_unknown_settings(os.environ)
