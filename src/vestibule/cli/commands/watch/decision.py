"""`vestibule decision`: what the policy decided, now and before."""

from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestibule.cli.frame import completion
from vestibule.cli.frame.noun import Noun
from vestibule.cli.frame.session import Session, use_client
from vestibule.cli.options import parse_since, take_time, with_options
from vestibule.cli.terminal.table import Column

if TYPE_CHECKING:
    from vestibule.client.results.decisions import Decision, DecisionCount

MAX_PAGE = 500
ACTIONS = ("block", "redact", "mask", "hash", "tokenize", "number", "fake", "alert", "ignore")
# The filters of `client.decisions.list` and `stream` that are given.
DecisionSelection = dict[str, Any]

Since = Annotated[
    datetime | None,
    typer.Option("--since", parser=parse_since, metavar="TIME", help="Since then: 90s, 2h, 7d ago, or a UTC time."),
]
Until = Annotated[
    datetime | None, typer.Option("--until", parser=take_time, metavar="TIME", help="Before this UTC time.")
]


def _findings(one: "Decision") -> list[str]:
    told = {f"{finding.entity} in {finding.field}" for finding in one.findings}
    return [*sorted(told), *([f"{one.omitted} more"] if one.omitted else [])]


def _by_action(one: "DecisionCount") -> list[str]:
    return [f"{action} {count}" for action, count in sorted(one.actions.items())]


def _by_entity(one: "DecisionCount") -> list[str]:
    return [f"{entity} {sum(counts.values())}" for entity, counts in sorted(one.entities.items())]


LIST = (
    Column("DECISION", lambda one: one.decision_id),
    Column("TIME", lambda one: one.time),
    Column("OUTCOME", lambda one: one.outcome),
    Column("ACTION", lambda one: one.action),
    Column("ROUTE", lambda one: one.route),
    Column("TOKEN", lambda one: one.token_name or one.token_id, shrinks=True),
    Column("TENANT", lambda one: one.tenant, shrinks=True),
    Column("FINDINGS", _findings, shrinks=True),
)
COUNTS = (
    Column("DAY", lambda one: one.day),
    Column("ROUTE", lambda one: one.route),
    Column("CLEAN", lambda one: one.clean, is_right=True),
    Column("ACTIONS", _by_action, shrinks=True),
    Column("ENTITIES", _by_entity, shrinks=True),
)

decision = Noun(
    "vestibule decision list --outcome blocked --since 1d",
    "vestibule decision follow --entity EMAIL_ADDRESS",
    "vestibule decision counts --since 7d",
)


def _complete_actions(incomplete: str) -> list[str]:
    return [word for word in ACTIONS if word.startswith(incomplete)]


def _complete_outcomes(incomplete: str) -> list[str]:
    return [word for word in ("let_in", "blocked") if word.startswith(incomplete)]


def select_decisions(
    by: Annotated[
        str | None,
        typer.Option("--by", help="About the token with this id or name.", autocompletion=completion.tokens),
    ] = None,
    route: Annotated[str | None, typer.Option("--route", help="About this route, such as /add.")] = None,
    entity: Annotated[
        str | None, typer.Option("--entity", help="With this entity.", autocompletion=completion.entities)
    ] = None,
    action: Annotated[
        str | None,
        typer.Option(
            "--action", help="Whose strictest action is this, such as redact.", autocompletion=_complete_actions
        ),
    ] = None,
    outcome: Annotated[
        str | None, typer.Option("--outcome", help="let_in or blocked.", autocompletion=_complete_outcomes)
    ] = None,
) -> DecisionSelection:
    """Return the filters that are given."""
    given = {"token": by, "route": route, "entity": entity, "action": action, "outcome": outcome}
    return {name: value for name, value in given.items() if value is not None}


@decision.verb(
    "list",
    "vestibule decision list --outcome blocked --since 1d",
    "vestibule decision list --entity EMAIL_ADDRESS --action redact --limit 5 --json",
)
@use_client
@with_options(selection=select_decisions)
def list_decisions(
    session: Session,
    selection: DecisionSelection,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most, newest first.")] = 20,
) -> None:
    """List the recorded decisions that match all options, newest first."""
    found = session.client.decisions.list(**selection, since=since, until=until, page_size=min(limit, MAX_PAGE))
    session.output.rows(islice(found, limit), LIST, "No decisions.")


@decision.verb("follow", "vestibule decision follow --outcome blocked", "vestibule decision follow --limit 3 --json")
@use_client
@with_options(selection=select_decisions)
def follow_decisions(
    session: Session,
    selection: DecisionSelection,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="End after so many; stopped by Ctrl-C if not given.")
    ] = None,
) -> None:
    """Print decisions as they are made, also those without findings; goes on when the connection breaks."""
    for one in islice(session.client.decisions.stream(**selection), limit):
        missed = getattr(one, "missed", None)
        if missed is None:
            session.output.line(one, LIST)
        else:
            session.output.line_note(one, f"{missed:,} decisions were missed")


@decision.verb("counts", "vestibule decision counts", "vestibule decision counts --since 7d --json")
@use_client
def count_decisions(session: Session, since: Since = None, until: Until = None) -> None:
    """Count the decisions by day, route, action and entity; of the last 30 days by default."""
    found = session.client.decisions.counts(since=since, until=until)
    session.output.rows(found.counts, COUNTS, "No decisions.")
