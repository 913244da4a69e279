"""`vestibule silence`: alerts that are recorded and not notified for a time."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from vestibule.cli.frame import completion
from vestibule.cli.frame.noun import Noun
from vestibule.cli.frame.session import Session, use_client
from vestibule.cli.options import Duration, duration_option
from vestibule.cli.terminal.table import Column

if TYPE_CHECKING:
    from vestibule.client.results.alerts import Silence

HOUR = Duration(hours=1)
SilenceId = Annotated[
    str, typer.Argument(help="The id that `add` and `list` print.", autocompletion=completion.silences)
]


def _matches(one: "Silence") -> str:
    named = {"type": one.type, "entity": one.entity, "token": one.token_id}
    return ", ".join(f"{name} {value}" for name, value in named.items() if value) or "all alerts"


LIST = (
    Column("SILENCE", lambda one: one.id),
    Column("ENDS", lambda one: one.end),
    Column("MATCHES", _matches, shrinks=True),
    Column("ALERTS", lambda one: one.alerts, is_right=True),
    Column("HELD BACK", lambda one: one.notifications, is_right=True),
    Column("TENANT", lambda one: one.tenant, shrinks=True),
    Column("BY", lambda one: one.author, shrinks=True),
    Column("REASON", lambda one: one.reason, shrinks=True),
)

silence = Noun(
    'vestibule silence add --type Secret --for 2h --reason "keys are rotated"',
    "vestibule silence list",
    "vestibule silence end ID",
)


@silence.verb(
    "add",
    'vestibule silence add --type Secret --for 2h --reason "keys are rotated"',
    'vestibule silence add --all --for 30m --reason "a drill"',
)
@use_client
def add_silence(
    session: Session,
    reason: Annotated[str, typer.Option("--reason", help="The reason, which is recorded with your token's name.")],
    length: Annotated[timedelta, duration_option("--for", help="How long.")] = HOUR,
    kind: Annotated[str | None, typer.Option("--type", help="Only alerts of this type.")] = None,
    entity: Annotated[
        str | None, typer.Option(help="Only alerts with this entity.", autocompletion=completion.entities)
    ] = None,
    token_id: Annotated[
        str | None,
        typer.Option(help="Only alerts of the token with this id.", autocompletion=completion.tokens),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All alerts, if no other option says which.")] = False,
) -> None:
    """Send no notifications of matching alerts for a time; they are still recorded and reported."""
    if everything == any((kind, entity, token_id)):
        raise typer.BadParameter("give --type, --entity or --token-id, or --all for all alerts")
    added = session.client.silences.add(
        reason=reason, hours=length / HOUR, type=kind, entity=entity, token_id=token_id, all=everything
    )
    session.output.done(added, _sentence(session, added))


@silence.verb("list", "vestibule silence list", "vestibule silence list --ended")
@use_client
def list_silences(
    session: Session,
    ended: Annotated[bool, typer.Option("--ended", help="Those that have ended, too.")] = False,
) -> None:
    """List the silences, and how many alerts and notifications each matched and held back."""
    session.output.rows(session.client.silences.list(ended=ended), LIST, "No silences.")


@silence.verb("show", "vestibule silence show ID")
@use_client
def show_silence(session: Session, silence_id: SilenceId) -> None:
    """Show a silence, also one that has ended."""
    found = session.client.silences.get(silence_id)
    changed = f"by {found.changed_by}: {found.changed_reason or 'no reason given'}" if found.changed_at else None
    fields = {column.heading.lower(): column.value(found) for column in LIST}
    session.output.fields(found, {**fields, "began": found.start, "changed": found.changed_at, "change": changed})


@silence.verb("extend", 'vestibule silence extend ID --for 2h --reason "it takes longer"')
@use_client
def extend_silence(
    session: Session,
    silence_id: SilenceId,
    length: Annotated[timedelta, duration_option("--for", help="How long from now on.")],
    reason: Annotated[str | None, typer.Option("--reason", help="The reason, which is recorded.")] = None,
) -> None:
    """Let a silence end so long from now."""
    changed = session.client.silences.change(silence_id, hours=length / HOUR, reason=reason)
    session.output.done(changed, _sentence(session, changed))


@silence.verb("end", "vestibule silence end ID")
@use_client
def end_silence(session: Session, silence_id: SilenceId) -> None:
    """End a silence now; what it held back is sent."""
    ended = session.client.silences.end(silence_id)
    held = f"{ended.alerts:,} alerts matched, {ended.notifications:,} notifications were held back"
    session.output.done(ended, f"{ended.id} is ended; {held}")


def _sentence(session: Session, one: "Silence") -> str:
    return f"{one.id} silences {_matches(one)} until {session.output.time(one.end)}"
