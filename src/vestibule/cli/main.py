"""Puts the commands together. What a command needs is imported when it runs, so that help and errors come at once."""

from typing import Annotated

import typer

from vestibule.cli import (
    alerts,
    caller,
    configuration,
    database,
    deployment_secrets,
    entries,
    heartbeat,
    keys,
    maintenance,
    parts,
    policy,
    receipt,
    schedules,
    service_secret,
    tasks,
    token,
    transfer,
    watch,
)
from vestibule.cli.bench import bench
from vestibule.cli.canary.command import canary
from vestibule.cli.detectors import detectors
from vestibule.cli.embedded.command import up
from vestibule.cli.logs import logs
from vestibule.cli.plan.command import plan
from vestibule.cli.processors import processors
from vestibule.cli.scan import scan

RUN = "Run Vestibule"
USE = "Use a running Vestibule"
CHECK = "Check texts"
MANAGE = "Manage"

app = typer.Typer(
    name="vestibule",
    help="The entrance hall for data: everything that comes in is checked for personal data and secrets.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        from vestibule import __version__

        typer.echo(f"vestibule {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Take the options that come before every command."""


app.command(rich_help_panel=RUN)(up)
app.command(rich_help_panel=RUN)(parts.serve)
app.command(rich_help_panel=RUN)(parts.worker)
app.command(rich_help_panel=RUN)(plan)
for verb in (caller.add, caller.read, caller.run, caller.message):
    app.command(rich_help_panel=USE)(verb)
app.command("list", rich_help_panel=USE)(entries.list_keys)
app.command(rich_help_panel=USE)(entries.delete)
app.command(rich_help_panel=USE)(entries.history)
app.add_typer(tasks.task_app, name="task", rich_help_panel=USE)
app.add_typer(tasks.dead_app, name="dead", rich_help_panel=USE)
app.add_typer(schedules.app, name="schedule", rich_help_panel=USE)
app.add_typer(alerts.app, name="alerts", rich_help_panel=USE)
app.command(rich_help_panel=USE)(processors)
app.command(rich_help_panel=USE)(logs)
app.command(rich_help_panel=USE)(watch.status)
app.command(rich_help_panel=USE)(bench)
app.add_typer(heartbeat.app, name="heartbeat", rich_help_panel=USE)
app.add_typer(maintenance.app, name="maintenance", rich_help_panel=USE)
app.command(rich_help_panel=CHECK)(scan)
app.command(rich_help_panel=CHECK)(detectors)
app.command(rich_help_panel=CHECK)(canary)
app.add_typer(policy.app, name="policy", rich_help_panel=CHECK)
app.add_typer(receipt.app, name="receipt", rich_help_panel=CHECK)
app.command("config", rich_help_panel=MANAGE)(configuration.config)
database.app.command("export")(transfer.export)
database.app.command("import")(transfer.import_entries)
app.add_typer(database.app, name="db", rich_help_panel=MANAGE)
keys.app.command("secret")(service_secret.secret)
app.add_typer(keys.app, name="keys", rich_help_panel=MANAGE)
app.add_typer(token.app, name="token", rich_help_panel=MANAGE)
app.add_typer(deployment_secrets.app, name="secrets", rich_help_panel=MANAGE)


def run() -> None:
    """Run the program. Exit codes: 0 done, 1 failed or refused, 2 wrong usage."""
    app()
