"""`vestibule maintenance`: windows in which an outage raises no alert."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from vestibule.cli.frame import completion
from vestibule.cli.frame.noun import Noun
from vestibule.cli.frame.session import Session, use_scheduler
from vestibule.cli.options import Duration, duration_option
from vestibule.cli.terminal.table import Column

if TYPE_CHECKING:
    from vestibule.client.results.scheduler import MaintenanceWindow

HOUR = Duration(hours=1)

LIST = (
    Column("WINDOW", lambda one: one.id),
    Column("PART", lambda one: one.part, shrinks=True),
    Column("BEGINS", lambda one: one.begins),
    Column("ENDS", lambda one: one.ends),
    Column("BY", lambda one: one.author, shrinks=True),
    Column("REASON", lambda one: one.reason, shrinks=True),
)

maintenance = Noun(
    'vestibule maintenance start database --for 2h --in 1d --reason "a new disk"',
    "vestibule maintenance list",
    "vestibule maintenance end ID",
)


@maintenance.verb("start", 'vestibule maintenance start database --for 2h --in 1d --reason "a new disk"')
@use_scheduler
def start(
    session: Session,
    part: Annotated[
        str,
        typer.Argument(
            help="A part as `vestibule status` names it, heartbeat:NAME, or all.", autocompletion=completion.parts
        ),
    ],
    length: Annotated[timedelta, duration_option("--for", help="How long.")] = HOUR,
    after: Annotated[
        timedelta | None, duration_option("--in", help="How long until it starts; now if not given.")
    ] = None,
    reason: Annotated[str, typer.Option(help="The reason, which is recorded with your token's name.")] = "",
) -> None:
    """Start or plan a maintenance window."""
    begins = datetime.now(UTC) + (after or timedelta())
    window = session.client.maintenance.add(part, begins=begins, until=begins + length, reason=reason)
    session.output.done(window, _sentence(session, window))


@maintenance.verb("list", "vestibule maintenance list")
@use_scheduler
def list_windows(session: Session) -> None:
    """List the windows that are planned, active, or ended within the last month."""
    session.output.rows(session.client.maintenance.list(), LIST, "No maintenance.")


@maintenance.verb("end", "vestibule maintenance end ID")
@use_scheduler
def end(
    session: Session,
    window_id: Annotated[
        str, typer.Argument(help="The id that `start` and `list` print.", autocompletion=completion.windows)
    ],
) -> None:
    """End a window now, or cancel it before it starts."""
    window = session.client.maintenance.end(window_id)
    session.output.done(window, _sentence(session, window))


def _sentence(session: Session, window: "MaintenanceWindow") -> str:
    begins, ends = session.output.time(window.begins), session.output.time(window.ends)
    return f"{window.id}: {window.part} from {begins} to {ends}"
