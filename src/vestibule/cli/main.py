"""Assembles the commands. A command imports what it needs when it runs, so that help and errors are fast."""

from vestibule.cli.bench.command import bench
from vestibule.cli.canary.command import canary
from vestibule.cli.commands import (
    alerts,
    config,
    deployment_secrets,
    entries,
    heartbeat,
    maintenance,
    receipt,
    schedules,
    status,
    submit,
    tasks,
    token,
)
from vestibule.cli.commands.detectors import detectors
from vestibule.cli.commands.processors import processors
from vestibule.cli.database import command as database
from vestibule.cli.database import transfer
from vestibule.cli.embedded.command import up
from vestibule.cli.keys import command as keys
from vestibule.cli.keys import service_secret
from vestibule.cli.logs.command import logs
from vestibule.cli.plan.command import plan
from vestibule.cli.policy import command as policy
from vestibule.cli.program import RUN, add_parts, create_program
from vestibule.cli.scan.command import scan

USE = "Use a running Vestibule"
CHECK = "Check texts"
MANAGE = "Manage"

app = create_program()

app.command(rich_help_panel=RUN)(up)
add_parts(app)
app.command(rich_help_panel=RUN)(plan)
for verb in (submit.add, submit.read, submit.run, submit.message):
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
app.command(rich_help_panel=USE)(status.status)
app.command(rich_help_panel=USE)(bench)
app.add_typer(heartbeat.app, name="heartbeat", rich_help_panel=USE)
app.add_typer(maintenance.app, name="maintenance", rich_help_panel=USE)
app.command(rich_help_panel=CHECK)(scan)
app.command(rich_help_panel=CHECK)(detectors)
app.command(rich_help_panel=CHECK)(canary)
app.add_typer(policy.app, name="policy", rich_help_panel=CHECK)
app.add_typer(receipt.app, name="receipt", rich_help_panel=CHECK)
app.command("config", rich_help_panel=MANAGE)(config.config)
database.app.command("export")(transfer.export)
database.app.command("import")(transfer.import_entries)
app.add_typer(database.app, name="db", rich_help_panel=MANAGE)
keys.app.command("secret")(service_secret.secret)
app.add_typer(keys.app, name="keys", rich_help_panel=MANAGE)
app.add_typer(token.app, name="token", rich_help_panel=MANAGE)
app.add_typer(deployment_secrets.app, name="secrets", rich_help_panel=MANAGE)
