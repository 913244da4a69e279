"""The commands that call the scheduler service: status, heartbeat and maintenance."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

import typer

from vestibule.cli.http_client import HttpClient, scheduler_service
from vestibule.cli.options import parse_duration, takes

heartbeat_app = typer.Typer(help="Send and list heartbeats of recurring jobs.", no_args_is_help=True)
maintenance_app = typer.Typer(
    help="Schedule maintenance windows, in which an outage raises no alert.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="The name of the heartbeat.")]


@takes(scheduler_service)
def status(http: HttpClient) -> None:
    """Show the state of every part. Exit code 1 if one is down or a heartbeat is missing."""
    answer = http.call("GET", "/status")
    lines = [_part_line(part) for part in answer["parts"]]
    lines += [f"{_name_of(one):20}  {one['state']:9}  heartbeat" for one in answer["heartbeats"]]
    http.show(answer, "\n".join(lines))
    for one in (*answer["parts"], *answer["heartbeats"]):
        if one["state"] in ("down", "missed", "failed") and not one.get("in_maintenance"):
            raise typer.Exit(1)


@heartbeat_app.command("list")
@takes(scheduler_service)
def list_heartbeats(http: HttpClient) -> None:
    """List the expected heartbeats and when each was last received."""
    answer = http.call("GET", "/heartbeats")
    http.show(answer, "\n".join(map(_heartbeat_line, answer)) or "No heartbeats.")


@heartbeat_app.command()
@takes(scheduler_service)
def ping(
    http: HttpClient,
    name: Name,
    period: Annotated[float | None, typer.Option(help="Seconds between two pings; remembered.")] = None,
    grace: Annotated[float | None, typer.Option(help="Seconds that a ping may be late; remembered.")] = None,
    start: Annotated[bool, typer.Option("--start", help="The job starts; a ping is due within the grace.")] = False,
    failed: Annotated[bool, typer.Option("--fail", help="The job failed; raises an alert at once.")] = False,
) -> None:
    """Send a heartbeat. A heartbeat that does not come in time raises an alert."""
    if start and failed:
        raise typer.BadParameter("either --start or --fail")
    path = f"/heartbeats/{quote(name, safe='')}" + ("/start" if start else "/fail" if failed else "")
    query = {key: value for key, value in (("period_s", period), ("grace_s", grace)) if value is not None}
    answer = http.call("POST", path, query=query)
    http.show(answer, _heartbeat_line(answer))


@heartbeat_app.command("delete")
@takes(scheduler_service)
def delete_heartbeat(http: HttpClient, name: Name) -> None:
    """Delete a heartbeat: it is not expected any more."""
    http.show(http.call("DELETE", f"/heartbeats/{quote(name, safe='')}"), f"{name} deleted")


@maintenance_app.command()
@takes(scheduler_service)
def start(
    http: HttpClient,
    part: Annotated[str, typer.Argument(help="A part as `vestibule status` names it, heartbeat:NAME, or all.")],
    length: Annotated[str, typer.Option("--for", help="How long: 30m, 2h or 1d.")] = "1h",
    after: Annotated[str, typer.Option("--in", help="When it starts: in 30m, 2h or 1d; now if not given.")] = "",
    reason: Annotated[str, typer.Option(help="The reason, which is recorded with your token's name.")] = "",
) -> None:
    """Start or schedule a maintenance window."""
    begins = datetime.now(UTC) + (_duration(after, "--in") if after else timedelta())
    ends = begins + _duration(length, "--for")
    wanted = {"part": part, "from": begins.isoformat(), "until": ends.isoformat(), "reason": reason}
    answer = http.call("POST", "/maintenance", body=wanted)
    http.show(answer, _window_line(answer))


@maintenance_app.command()
@takes(scheduler_service)
def end(http: HttpClient, window_id: Annotated[str, typer.Argument(help="The id that start and list print.")]) -> None:
    """End a window now, or cancel it before it starts."""
    answer = http.call("DELETE", f"/maintenance/{quote(window_id, safe='')}")
    http.show(answer, _window_line(answer))


@maintenance_app.command("list")
@takes(scheduler_service)
def list_windows(http: HttpClient) -> None:
    """List the windows that are scheduled, active, or ended within the last month."""
    answer = http.call("GET", "/maintenance")
    http.show(answer, "\n".join(map(_window_line, answer)) or "No maintenance.")


def _part_line(part: dict[str, Any]) -> str:
    shares = "  ".join(f"{over} {_percent(share)}" for over, share in part["availability"].items())
    notes = [part["note"] or "", "in maintenance" if part["in_maintenance"] else ""]
    return f"{part['name']:20}  {part['state']:9}  {shares}  {', '.join(filter(None, notes))}".rstrip()


def _percent(share: float | None) -> str:
    return "     –" if share is None else f"{int(share * 10_000) / 100:5.4g}%"


def _heartbeat_line(one: dict[str, Any]) -> str:
    last = f"last {one['last_at'][:19]}Z" if one["last_at"] else "none received yet"
    return f"{_name_of(one):20}  {one['state']:8}  {last}  every {one['period_s']:g} s, grace {one['grace_s']:g} s"


def _name_of(one: dict[str, Any], member: str = "name") -> str:
    tenant: str = one["tenant"]
    return one[member] if tenant in ("default", "~system") else f"{tenant}/{one[member]}"


def _duration(text: str, option: str) -> timedelta:
    duration = parse_duration(text)
    if duration is None:
        raise typer.BadParameter("a number and s, m, h, d or w, such as 30m", param_hint=option)
    return duration


def _window_line(window: dict[str, Any]) -> str:
    why = f"{window['author']}: {window['reason'] or 'no reason given'}"
    times = f"{window['from'][:16]}Z to {window['until'][:16]}Z"
    return f"{window['id']}  {_name_of(window, 'part'):16}  {times}  {why}"
