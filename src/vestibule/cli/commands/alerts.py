"""`vestibule alerts`: lists, acknowledges, resolves and silences alerts."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from vestibule.cli.http_client import HttpClient, client_service
from vestibule.cli.options import AsJson, echo, exit_on, show, takes

app = typer.Typer(help="List, acknowledge, resolve and silence alerts.", no_args_is_help=False)

AlertId = Annotated[str, typer.Argument(help="The id of an alert.")]
Reason = Annotated[str, typer.Option("--reason", help="The reason, which is recorded.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=500, help="How many to list, newest first.")]


@app.callback(invoke_without_command=True)
@takes(client_service)
def alerts(http: HttpClient, context: typer.Context, limit: Limit = 20) -> None:
    """List, acknowledge, resolve and silence alerts."""
    if context.invoked_subcommand is None:
        _list(http, limit)


@app.command("list")
@takes(client_service)
def list_alerts(http: HttpClient, limit: Limit = 20) -> None:
    """List the alerts, newest first."""
    _list(http, limit)


@app.command("show")
@takes(client_service)
def show_alert(http: HttpClient, alert_id: AlertId) -> None:
    """Show an alert, its group and its notifications."""
    _print(http, http.call("GET", f"/alerts/{quote(alert_id, safe='')}"))


@app.command("types")
def list_types(as_json: AsJson = False) -> None:
    """List the alert types: meaning, severity, and the type that each resolves."""
    from vestibule.alerts.alert import ALERT_TYPES

    rows = [
        {"type": name.value, "severity": kind.severity.value, "meaning": kind.meaning, "resolves": kind.resolves}
        for name, kind in ALERT_TYPES.items()
    ]
    lines = [
        f"{row['type']:<20}{row['severity']:<10}{row['meaning']}"
        + (f" Resolves {row['resolves']}." if row["resolves"] else "")
        for row in rows
    ]
    show(rows, as_json, "\n".join(lines))


@app.command()
@takes(client_service)
def ack(http: HttpClient, alert_id: AlertId, reason: Reason = "") -> None:
    """Acknowledge the group of an alert: no more reminders."""
    _change(http, "ack", alert_id, reason)


@app.command()
@takes(client_service)
def resolve(http: HttpClient, alert_id: AlertId, reason: Reason = "") -> None:
    """Resolve the group of an alert."""
    _change(http, "resolve", alert_id, reason)


@app.command()
@takes(client_service)
def silence(
    http: HttpClient,
    reason: Annotated[str, typer.Argument(help="The reason, which is recorded with your token's name.")],
    hours: Annotated[float, typer.Option(help="Hours until it ends.")] = 1,
    kind: Annotated[str | None, typer.Option("--type", help="Only alerts of this type.")] = None,
    entity: Annotated[str | None, typer.Option(help="Only alerts with this entity.")] = None,
    token_id: Annotated[str | None, typer.Option(help="Only alerts of the token with this id.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All alerts, if no other option says which.")] = False,
) -> None:
    """Send no notifications of matching alerts for a time; they are still recorded and reported."""
    if everything == any((kind, entity, token_id)):
        raise typer.BadParameter("give --type, --entity or --token-id, or --all for all alerts")
    wanted = {"type": kind, "entity": entity, "token_id": token_id, "reason": reason, "hours": hours}
    made = http.call("POST", "/silences", body=wanted)
    http.show(made, f"silence {made['id']} until {made['end']}")


@app.command()
def test(channel: Annotated[str, typer.Argument(help="The name of a channel.")]) -> None:
    """Send a test alert through a channel, from here and with the settings of this environment."""
    from vestibule.alerts import Alert, AlertSettings, AlertType, Severity
    from vestibule.alerts.builder import list_channels

    known = list_channels()
    if channel not in known:
        raise typer.BadParameter(f"known are {', '.join(sorted(known))}", param_hint="CHANNEL")
    alert = Alert(type=AlertType.TEST, description="A test of this channel.", service="cli", severity=Severity.INFO)
    with exit_on(OSError, ValueError, before="the test alert was not delivered: "):
        known[channel].build(AlertSettings()).deliver(alert)
    echo(f"test alert {alert.id} was delivered by {channel}")


def _list(http: HttpClient, limit: int) -> None:
    answer = http.call("GET", "/alerts", query={"limit": limit})
    lines = [
        f"{one['time'][:19]}Z  {one['severity']:8}  {one['type']:16}  {one['id']}  {one['tenant']:8}  "
        + one["description"]
        for one in answer["alerts"]
    ]
    http.show(answer, "\n".join(lines) or "No alerts.")


def _change(http: HttpClient, verb: str, alert_id: str, reason: str) -> None:
    _print(http, http.call("POST", f"/alerts/{quote(alert_id, safe='')}/{verb}", body={"reason": reason or None}))


def _print(http: HttpClient, alert: dict[str, Any]) -> None:
    group = alert.get("group") or {}
    shown = {name: ", ".join(value) if isinstance(value, list) else value for name, value in alert.items()}
    lines = [f"{name}: {value}" for name, value in shown.items() if name != "group" and value not in (None, "")]
    lines += [f"group {name}: {value}" for name, value in group.items() if name != "deliveries" and value is not None]
    for sent in group.get("deliveries", ()):
        why = f" ({sent['error']})" if sent["error"] else ""
        lines.append(
            f"notification {sent['event']} by {sent['channel']}: {sent['state']}, {sent['attempts']} attempts{why}"
        )
    http.show(alert, "\n".join(lines))
