"""`vestibule heartbeat`: sends and lists heartbeats of recurring jobs."""

from typing import Annotated, Any

import typer

from vestibule.cli.http_client import DEFAULT_SCHEDULER_URL, AsJson, HttpClient, SchedulerUrlOption, TokenOption, show

app = typer.Typer(help="Send and list heartbeats of recurring jobs.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The name of the heartbeat.")]


@app.command("list")
def list_heartbeats(url: SchedulerUrlOption = "", token: TokenOption = "", as_json: AsJson = False) -> None:
    """List the expected heartbeats and when each was last received."""
    answer = HttpClient(url, token, DEFAULT_SCHEDULER_URL).call("GET", "/heartbeats")
    show(answer, as_json, "\n".join(map(_line, answer)) or "No heartbeats.")


@app.command()
def ping(
    name: Name,
    period: Annotated[float | None, typer.Option(help="Seconds between two pings; remembered.")] = None,
    grace: Annotated[float | None, typer.Option(help="Seconds that a ping may be late; remembered.")] = None,
    start: Annotated[bool, typer.Option("--start", help="The job starts; a ping is due within the grace.")] = False,
    failed: Annotated[bool, typer.Option("--fail", help="The job failed; raises an alert at once.")] = False,
    url: SchedulerUrlOption = "",
    token: TokenOption = "",
    as_json: AsJson = False,
) -> None:
    """Send a heartbeat. A heartbeat that does not come in time raises an alert."""
    if start and failed:
        raise typer.BadParameter("either --start or --fail")
    path = f"/heartbeats/{name}" + ("/start" if start else "/fail" if failed else "")
    query = {key: value for key, value in (("period_s", period), ("grace_s", grace)) if value is not None}
    answer = HttpClient(url, token, DEFAULT_SCHEDULER_URL).call("POST", path, query=query)
    show(answer, as_json, _line(answer))


@app.command()
def delete(name: Name, url: SchedulerUrlOption = "", token: TokenOption = "", as_json: AsJson = False) -> None:
    """Delete a heartbeat: it is not expected any more."""
    answer = HttpClient(url, token, DEFAULT_SCHEDULER_URL).call("DELETE", f"/heartbeats/{name}")
    show(answer, as_json, f"{name} deleted")


def _line(one: dict[str, Any]) -> str:
    last = f"last {one['last_at'][:19]}Z" if one["last_at"] else "not done yet"
    return f"{one['name']:20}  {one['state']:8}  {last}  every {one['period_s']:g} s, and {one['grace_s']:g} s"
