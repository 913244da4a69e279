"""`vestibule channel`: where notifications of alerts go."""

from typing import Annotated

import typer

from vestibule.cli.frame import completion
from vestibule.cli.frame.exit_codes import ExitCode
from vestibule.cli.frame.noun import Noun
from vestibule.cli.frame.session import Session, use_client
from vestibule.cli.options import exit_on
from vestibule.cli.terminal.table import Column

LIST = (
    Column("CHANNEL", lambda one: one.name),
    Column("WAITING", lambda one: one.waiting, is_right=True),
    Column("LAST DELIVERY", lambda one: one.last_delivery),
    Column("LAST FAILURE", lambda one: one.last_failure),
    Column("ERROR", lambda one: one.error, shrinks=True),
    Column("GETS", lambda one: one.gets, shrinks=True),
)

channel = Noun("vestibule channel list", "vestibule channel test log --here")


@channel.verb("list", "vestibule channel list")
@use_client
def list_channels(session: Session) -> None:
    """List the configured channels: what waits, the last delivery, the last failure and why."""
    session.output.rows(session.client.channels.list(), LIST, "No channels.")


@channel.verb("test", "vestibule channel test log", "vestibule channel test log --here")
@use_client
def send_test(
    session: Session,
    name: Annotated[str, typer.Argument(help="The name of a channel.", autocompletion=completion.channels)],
    here: Annotated[
        bool, typer.Option("--here", help="Send it from this machine, with the settings of this environment.")
    ] = False,
) -> None:
    """Send a test notification through a channel of the running system.

    Exit code 1: it was not delivered.
    """
    if here:
        _send_from_here(session, name)
        return
    tried = session.client.channels.test(name)
    session.output.done(tried, f"{name}: " + (f"not delivered: {tried.error}" if tried.error else "delivered"))
    if tried.error:
        raise typer.Exit(ExitCode.FAILED.value)


def _send_from_here(session: Session, name: str) -> None:
    from vestibule.alerts import Alert, AlertSettings, AlertType, Severity
    from vestibule.alerts.builder import list_channels

    known = list_channels()
    if name not in known:
        raise typer.BadParameter(f"must be one of {', '.join(sorted(known))}", param_hint="NAME")
    alert = Alert(type=AlertType.TEST, description="A test of this channel.", service="cli", severity=Severity.INFO)
    with exit_on(OSError, ValueError, before="the test alert was not delivered: "):
        known[name].build(AlertSettings()).deliver(alert)
    document = {"channel": name, "alert_id": alert.id, "delivered": True}
    session.output.done(document, f"test alert {alert.id} was delivered by {name}")
