"""`vestibule alert`: what happened that people should know, and what they did about it."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestibule.cli.frame import completion
from vestibule.cli.frame.noun import Noun
from vestibule.cli.frame.session import Session, use_client
from vestibule.cli.options import AsJson, parse_since, take_time, with_options
from vestibule.cli.terminal.output import Output
from vestibule.cli.terminal.table import Column
from vestibule.cli.terminal.times import absolute

if TYPE_CHECKING:
    from vestibule.client.results.alerts import AlertDetail, AlertGroupDetail

MAX_PAGE = 500
# The filters of `client.alerts.list` and `client.alert_groups.list` that are given.
AlertSelection = dict[str, Any]

AlertId = Annotated[
    str, typer.Argument(help="The id of an alert, as answers and reports have it.", autocompletion=completion.alerts)
]
Reason = Annotated[str | None, typer.Option("--reason", help="The reason, which is recorded with your token's name.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most, newest first.")]

LIST = (
    Column("ALERT", lambda one: one.id),
    Column("TIME", lambda one: one.time),
    Column("SEVERITY", lambda one: one.severity),
    Column("TYPE", lambda one: one.type),
    Column("TENANT", lambda one: one.tenant, shrinks=True),
    Column("TOKEN", lambda one: one.token_name, shrinks=True),
    Column("DESCRIPTION", lambda one: one.description, shrinks=True),
)
GROUPS = (
    Column("GROUP", lambda one: one.id),
    Column("LAST", lambda one: one.last),
    Column("STATE", lambda one: one.state),
    Column("SEVERITY", lambda one: one.severity),
    Column("TYPE", lambda one: one.type, shrinks=True),
    Column("ALERTS", lambda one: one.count, is_right=True),
    Column("TENANT", lambda one: one.tenant, shrinks=True),
    Column("TOKEN", lambda one: one.token_name, shrinks=True),
    Column("ENTITIES", lambda one: one.entities, shrinks=True),
)
TYPES = (
    Column("TYPE", lambda one: one["type"]),
    Column("SEVERITY", lambda one: one["severity"]),
    Column("RESOLVES", lambda one: one["resolves"]),
    Column("MEANING", lambda one: one["meaning"], shrinks=True),
)

alert = Noun(
    "vestibule alerts",
    "vestibule alert list --type Secret --since 7d",
    "vestibule alert show ID",
    'vestibule alert ack ID --reason "looking into it"',
)


def _complete_types(incomplete: str) -> list[str]:
    from vestibule.alerts.alert import AlertType

    return [kind.value for kind in AlertType if kind.value.startswith(incomplete)]


def _complete_severities(incomplete: str) -> list[str]:
    return [word for word in ("info", "warning", "critical") if word.startswith(incomplete)]


def _complete_states(incomplete: str) -> list[str]:
    return [word for word in ("open", "acknowledged", "resolved") if word.startswith(incomplete)]


def select_alerts(
    kind: Annotated[
        str | None,
        typer.Option(
            "--type", help="Of this type, as `vestibule alert types` lists them.", autocompletion=_complete_types
        ),
    ] = None,
    severity: Annotated[
        str | None,
        typer.Option("--severity", help="info, warning or critical.", autocompletion=_complete_severities),
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(
            "--state", help="Of a group that is open, acknowledged or resolved.", autocompletion=_complete_states
        ),
    ] = None,
    entity: Annotated[
        str | None, typer.Option("--entity", help="With this entity.", autocompletion=completion.entities)
    ] = None,
    token_id: Annotated[
        str | None,
        typer.Option("--token-id", help="Of the token with this id.", autocompletion=completion.tokens),
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option("--since", parser=parse_since, metavar="TIME", help="Since then: 90s, 2h, 7d ago, or a UTC time."),
    ] = None,
) -> AlertSelection:
    """Return the filters that are given."""
    given = {
        "type": kind,
        "severity": severity,
        "state": state,
        "entity": entity,
        "token": token_id,
        "since": since,
    }
    return {name: value for name, value in given.items() if value is not None}


@alert.verb(
    "list",
    "vestibule alert list --type Secret --since 7d",
    "vestibule alert list -q queue --severity critical",
    "vestibule alerts --json --limit 5",
)
@use_client
@with_options(selection=select_alerts)
def list_alerts(
    session: Session,
    selection: AlertSelection,
    until: Annotated[
        datetime | None, typer.Option(parser=take_time, metavar="TIME", help="Until this UTC time.")
    ] = None,
    search: Annotated[
        str | None,
        typer.Option("--search", "-q", help="An id of an alert, request or task, or a part of the description."),
    ] = None,
    group_id: Annotated[str | None, typer.Option("--group", help="Of the group with this id.")] = None,
    limit: Limit = 20,
) -> None:
    """List the alerts that match all options, newest first."""
    page_size = min(limit, MAX_PAGE)
    found = session.client.alerts.list(**selection, until=until, q=search, group=group_id, page_size=page_size)
    session.output.rows(islice(found, limit), LIST, "No alerts.")


@alert.verb("groups", "vestibule alert groups --state open", "vestibule alert groups --entity CREDIT_CARD --json")
@use_client
@with_options(selection=select_alerts)
def list_groups(session: Session, selection: AlertSelection, limit: Limit = 20) -> None:
    """List the groups of alerts with their states and counts, by their last alert."""
    found = session.client.alert_groups.list(**selection, page_size=min(limit, MAX_PAGE))
    session.output.rows(islice(found, limit), GROUPS, "No groups.")


@alert.verb("show", "vestibule alert show ID", "vestibule alert ID --json")
@use_client
def show_alert(session: Session, alert_id: AlertId) -> None:
    """Show an alert, its group, and the notifications about it."""
    found = session.client.alerts.get(alert_id)
    session.output.fields(found, _fields_of(found))


@alert.verb("ack", 'vestibule alert ack ID --reason "looking into it"')
@use_client
def acknowledge(session: Session, alert_id: AlertId, reason: Reason = None) -> None:
    """Acknowledge the group of an alert: no more reminders are sent."""
    _print_change(session, session.client.alerts.acknowledge(alert_id, reason=reason))


@alert.verb("resolve", 'vestibule alert resolve ID --reason "the key is revoked"')
@use_client
def resolve(session: Session, alert_id: AlertId, reason: Reason = None) -> None:
    """Resolve the group of an alert; the next such alert opens another group."""
    _print_change(session, session.client.alerts.resolve(alert_id, reason=reason))


@alert.verb("types", "vestibule alert types")
def list_types(as_json: AsJson = False) -> None:
    """List the alert types: severity, the type that each resolves, and meaning."""
    from vestibule.alerts.alert import ALERT_TYPES

    rows = [
        {"type": name.value, "severity": kind.severity.value, "meaning": kind.meaning, "resolves": kind.resolves}
        for name, kind in ALERT_TYPES.items()
    ]
    Output(as_json=as_json).rows(rows, TYPES, "No types.")


def _print_change(session: Session, changed: "AlertDetail") -> None:
    group = changed.group
    alerts = "" if group is None or group.count == 1 else f", with the {group.count:,} alerts of its group"
    session.output.done(changed, f"{changed.id} is {group.state if group else 'unchanged'}{alerts}")


def _fields_of(found: "AlertDetail") -> dict[str, Any]:
    return {
        "alert": found.id,
        "time": found.time,
        "type": found.type,
        "severity": found.severity,
        "description": found.description,
        "service": found.service,
        "subject": found.subject,
        "entities": found.entities,
        "tenant": found.tenant,
        "token": " ".join(filter(None, (found.token_name, found.token_id and f"({found.token_id})"))),
        "request": found.request_id,
        "task": found.task_id,
        "fingerprint": found.fingerprint,
        "count": found.count if found.count > 1 else None,
        "false alarm": found.allow,
        **(_fields_of_group(found.group) if found.group else {}),
    }


def _fields_of_group(group: "AlertGroupDetail") -> dict[str, Any]:
    return {
        "group": group.id,
        "state": group.state,
        "alerts in group": group.count,
        "first": group.first,
        "last": group.last,
        "changes": list(_changes_of(group)),
        "notifications": list(_notifications_of(group)),
    }


def _changes_of(group: "AlertGroupDetail") -> Iterator[str]:
    for change in group.history:
        reason = f": {change.reason}" if change.reason else ""
        yield f"{change.state} {absolute(change.at)} by {change.by or 'nobody'}{reason}"


def _notifications_of(group: "AlertGroupDetail") -> Iterator[str]:
    for sent in group.deliveries:
        why = f" ({sent.error})" if sent.error else ""
        attempts = f" after {sent.attempts} attempts" if sent.attempts > 1 else ""
        yield f"{sent.event} by {sent.channel}: {sent.state}{attempts}{why}"
    for held in group.silenced_by:
        yield f"{held.event} held back by silence {held.silence_id}"
