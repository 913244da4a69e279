"""`vestibule heartbeat`: what recurring jobs report, and what is missed where they do not."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from vestibule.cli.frame import completion
from vestibule.cli.frame.noun import Noun
from vestibule.cli.frame.session import Session, use_scheduler
from vestibule.cli.options import duration_option
from vestibule.cli.terminal.table import Column
from vestibule.cli.terminal.times import duration

if TYPE_CHECKING:
    from vestibule.client.results.scheduler import Heartbeat

Name = Annotated[str, typer.Argument(help="The name of the heartbeat.", autocompletion=completion.heartbeats)]

LIST = (
    Column("HEARTBEAT", lambda one: one.name, shrinks=True),
    Column("STATE", lambda one: one.state),
    Column("LAST", lambda one: one.last_at),
    Column("EVERY", lambda one: timedelta(seconds=one.period_s)),
    Column("GRACE", lambda one: timedelta(seconds=one.grace_s)),
    Column("TENANT", lambda one: one.tenant, shrinks=True),
)

heartbeat = Noun(
    "vestibule heartbeat ping nightly-backup --period 1d --grace 2h",
    "vestibule heartbeat list",
)


@heartbeat.verb("list", "vestibule heartbeat list")
@use_scheduler
def list_heartbeats(session: Session) -> None:
    """List the expected heartbeats and when each was last received."""
    session.output.rows(session.client.heartbeats.list(), LIST, "No heartbeats.")


@heartbeat.verb(
    "ping",
    "vestibule heartbeat ping nightly-backup --period 1d --grace 2h",
    "vestibule heartbeat ping nightly-backup --start",
    "vestibule heartbeat ping nightly-backup --fail",
)
@use_scheduler
def ping(
    session: Session,
    name: Name,
    period: Annotated[timedelta | None, duration_option("--period", help="Time between two pings; remembered.")] = None,
    grace: Annotated[
        timedelta | None, duration_option("--grace", help="Time that a ping may be late; remembered.")
    ] = None,
    start: Annotated[bool, typer.Option("--start", help="The job starts; a ping is due within the grace.")] = False,
    failed: Annotated[bool, typer.Option("--fail", help="The job failed; raises an alert at once.")] = False,
) -> None:
    """Send a heartbeat, which raises an alert where the next does not come in time."""
    if start and failed:
        raise typer.BadParameter("either --start or --fail")
    heartbeats = session.client.heartbeats
    send = heartbeats.start if start else heartbeats.fail if failed else heartbeats.ping
    given = {"period_s": period, "grace_s": grace}
    sent = send(name, **{option: length.total_seconds() for option, length in given.items() if length is not None})
    session.output.done(sent, _sentence(sent))


@heartbeat.verb("delete", "vestibule heartbeat delete nightly-backup")
@use_scheduler
def delete_heartbeat(session: Session, name: Name) -> None:
    """Delete a heartbeat: it is not expected any more."""
    session.output.done(session.client.heartbeats.delete(name), f"{name} deleted")


def _sentence(one: "Heartbeat") -> str:
    return f"{one.name} is {one.state}, expected every {duration(one.period_s)}, grace {duration(one.grace_s)}"
