"""`vestibule allowance`: values that pass for a time, since they were found by mistake."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from vestibule.cli.frame import completion
from vestibule.cli.frame.noun import Noun
from vestibule.cli.frame.session import Session, use_client
from vestibule.cli.options import Duration, duration_option
from vestibule.cli.terminal.table import Column

if TYPE_CHECKING:
    from vestibule.client.results.policy import Allowance

HOUR, DAY = timedelta(hours=1), Duration(days=1)

LIST = (
    Column("ALLOWANCE", lambda one: one.id),
    Column("ENDS", lambda one: one.end),
    Column("ENTITY", lambda one: one.entity),
    Column("HITS", lambda one: one.hits, is_right=True),
    Column("TENANT", lambda one: one.tenant, shrinks=True),
    Column("BY", lambda one: one.author, shrinks=True),
    Column("REASON", lambda one: one.reason, shrinks=True),
)

allowance = Noun(
    'vestibule allowance add ID --reason "our own test address" --for 7d',
    "vestibule allowance list",
    "vestibule allowance revoke ID",
)


@allowance.verb(
    "add",
    'vestibule allowance add ID --reason "our own test address" --for 7d',
    'vestibule allowance add ID --entity EMAIL_ADDRESS --reason "published in the imprint"',
)
@use_client
def add_allowance(
    session: Session,
    alert_id: Annotated[
        str, typer.Argument(help="The alert that a value raised by mistake.", autocompletion=completion.alerts)
    ],
    reason: Annotated[str, typer.Option("--reason", help="The reason, which is recorded with your token's name.")],
    length: Annotated[timedelta, duration_option("--for", help="How long it passes.")] = DAY,
    hours: Annotated[float | None, typer.Option("--hours", hidden=True)] = None,
    entity: Annotated[
        str | None,
        typer.Option(
            help="Which finding is meant, if the alert has several kinds.", autocompletion=completion.entities
        ),
    ] = None,
    secret: Annotated[bool, typer.Option("--secret", help="Say that a secret is to pass.")] = False,
) -> None:
    """Let the value of an alert pass for a time: it was found by mistake.

    In force everywhere within two seconds.
    """
    added = session.client.allowances.add(
        alert_id=alert_id,
        reason=reason,
        hours=length / HOUR if hours is None else hours,
        entity=entity,
        secret=secret,
    )
    session.output.done(added, f"{added.id} lets {_value(added)} pass until {session.output.time(added.end)}")


@allowance.verb("list", "vestibule allowance list", "vestibule allowance list --ended --json")
@use_client
def list_allowances(
    session: Session, ended: Annotated[bool, typer.Option("--ended", help="Those that have ended, too.")] = False
) -> None:
    """List the allowances: which values pass, until when, why, and how often they did."""
    session.output.rows(session.client.allowances.list(ended=ended), LIST, "No allowances.")


@allowance.verb("revoke", "vestibule allowance revoke ID")
@use_client
def revoke_allowance(
    session: Session,
    allowance_id: Annotated[
        str, typer.Argument(help="The id that `add` and `list` print.", autocompletion=completion.allowances)
    ],
) -> None:
    """End an allowance now: the policy applies to the value again."""
    ended = session.client.allowances.revoke(allowance_id)
    hits = "once" if ended.hits == 1 else f"{ended.hits:,} times"
    session.output.done(ended, f"{ended.id} is revoked; it let {_value(ended)} pass {hits}")


def _value(one: "Allowance") -> str:
    return f"this {one.entity}"
