"""Assembles the commands. A command imports what it needs when it runs, so that help and errors are fast."""

from vestibule.cli.canary.command import canary
from vestibule.cli.commands import alerts, database, deployment_secrets, entries, keys, policy, scheduler, tasks, token
from vestibule.cli.commands.bench import bench
from vestibule.cli.commands.catalog import config, detectors, processors
from vestibule.cli.commands.logs import logs
from vestibule.cli.commands.plan import plan
from vestibule.cli.commands.scan import scan
from vestibule.cli.embedded.command import up
from vestibule.cli.program import RUN, add_parts, create_program

USE = "Use a running Vestibule"
CHECK = "Check texts"
MANAGE = "Manage"

app = create_program()

app.command(rich_help_panel=RUN)(up)
add_parts(app)
app.command(rich_help_panel=RUN)(plan)
for verb in (entries.add, entries.read, tasks.run, tasks.message):
    app.command(rich_help_panel=USE)(verb)
app.command("list", rich_help_panel=USE)(entries.list_keys)
for verb in (entries.delete, entries.history):
    app.command(rich_help_panel=USE)(verb)
app.add_typer(tasks.task_app, name="task", rich_help_panel=USE)
app.add_typer(tasks.dead_app, name="dead", rich_help_panel=USE)
app.add_typer(tasks.schedule_app, name="schedule", rich_help_panel=USE)
app.add_typer(alerts.app, name="alerts", rich_help_panel=USE)
for verb in (processors, logs, scheduler.status, bench):
    app.command(rich_help_panel=USE)(verb)
app.add_typer(scheduler.heartbeat_app, name="heartbeat", rich_help_panel=USE)
app.add_typer(scheduler.maintenance_app, name="maintenance", rich_help_panel=USE)
for verb in (scan, detectors, canary):
    app.command(rich_help_panel=CHECK)(verb)
app.add_typer(policy.app, name="policy", rich_help_panel=CHECK)
app.add_typer(policy.receipt_app, name="receipt", rich_help_panel=CHECK)
app.command(rich_help_panel=MANAGE)(config)
app.add_typer(database.app, name="db", rich_help_panel=MANAGE)
app.add_typer(keys.app, name="keys", rich_help_panel=MANAGE)
app.add_typer(token.app, name="token", rich_help_panel=MANAGE)
app.add_typer(deployment_secrets.app, name="secrets", rich_help_panel=MANAGE)
