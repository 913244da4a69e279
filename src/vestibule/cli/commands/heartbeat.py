"""`vestibule heartbeat`: say that something is done, as somebody expects to hear regularly."""

from typing import Annotated, Any

import typer

from vestibule.cli.http_client import DEFAULT_SCHEDULER_URL, AsJson, HttpClient, SchedulerUrlOption, TokenOption, show

app = typer.Typer(help="Say that something is done, and list what is expected.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The name of what is done.")]


@app.command("list")
def list_heartbeats(url: SchedulerUrlOption = "", token: TokenOption = "", as_json: AsJson = False) -> None:
    """List what is expected to be heard of, and when it was last."""
    answer = HttpClient(url, token, DEFAULT_SCHEDULER_URL).call("GET", "/heartbeats")
    show(answer, as_json, "\n".join(map(_line, answer)) or "No heartbeats.")


@app.command()
def ping(
    name: Name,
    period: Annotated[float | None, typer.Option(help="Seconds from one ping to the next; it stays.")] = None,
    grace: Annotated[float | None, typer.Option(help="Seconds that a ping may be late; it stays.")] = None,
    start: Annotated[bool, typer.Option("--start", help="It begins; it has its grace to be done.")] = False,
    failed: Annotated[bool, typer.Option("--fail", help="It failed; people are told at once.")] = False,
    url: SchedulerUrlOption = "",
    token: TokenOption = "",
    as_json: AsJson = False,
) -> None:
    """Say that something is done. Where it is not said in time, an alert tells."""
    if start and failed:
        raise typer.BadParameter("either --start or --fail")
    path = f"/heartbeats/{name}" + ("/start" if start else "/fail" if failed else "")
    query = {key: value for key, value in (("period_s", period), ("grace_s", grace)) if value is not None}
    answer = HttpClient(url, token, DEFAULT_SCHEDULER_URL).call("POST", path, query=query)
    show(answer, as_json, _line(answer))


@app.command()
def delete(name: Name, url: SchedulerUrlOption = "", token: TokenOption = "", as_json: AsJson = False) -> None:
    """Expect nothing more of something."""
    answer = HttpClient(url, token, DEFAULT_SCHEDULER_URL).call("DELETE", f"/heartbeats/{name}")
    show(answer, as_json, f"{name} deleted")


def _line(one: dict[str, Any]) -> str:
    last = f"last {one['last_at'][:19]}Z" if one["last_at"] else "not done yet"
    return f"{one['name']:20}  {one['state']:8}  {last}  every {one['period_s']:g} s, and {one['grace_s']:g} s"
