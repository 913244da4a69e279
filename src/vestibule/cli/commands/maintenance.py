"""`vestibule maintenance`: schedules windows in which an outage raises no alert."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from vestibule.cli.http_client import DEFAULT_SCHEDULER_URL, AsJson, HttpClient, SchedulerUrlOption, TokenOption, show

app = typer.Typer(help="Schedule maintenance windows, in which an outage raises no alert.", no_args_is_help=True)

UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@app.command()
def start(
    part: Annotated[str, typer.Argument(help="A part as `vestibule status` names it, heartbeat:NAME, or all.")],
    length: Annotated[str, typer.Option("--for", help="How long: 30m, 2h or 1d.")] = "1h",
    after: Annotated[str, typer.Option("--in", help="When it starts: in 30m, 2h or 1d; now if not given.")] = "",
    reason: Annotated[str, typer.Option(help="The reason, which is recorded with your token's name.")] = "",
    url: SchedulerUrlOption = "",
    token: TokenOption = "",
    as_json: AsJson = False,
) -> None:
    """Start or schedule a maintenance window."""
    begins = datetime.now(UTC) + (_length(after, "--in") if after else timedelta())
    ends = begins + _length(length, "--for")
    wanted = {"part": part, "from": begins.isoformat(), "until": ends.isoformat(), "reason": reason}
    answer = HttpClient(url, token, DEFAULT_SCHEDULER_URL).call("POST", "/maintenance", body=wanted)
    show(answer, as_json, _line(answer))


@app.command()
def end(
    window_id: Annotated[str, typer.Argument(help="The id that start and list print.")],
    url: SchedulerUrlOption = "",
    token: TokenOption = "",
    as_json: AsJson = False,
) -> None:
    """End a window now, or cancel it before it starts."""
    answer = HttpClient(url, token, DEFAULT_SCHEDULER_URL).call("DELETE", f"/maintenance/{window_id}")
    show(answer, as_json, _line(answer))


@app.command("list")
def list_windows(url: SchedulerUrlOption = "", token: TokenOption = "", as_json: AsJson = False) -> None:
    """List the windows that are scheduled, active, or ended within the last month."""
    answer = HttpClient(url, token, DEFAULT_SCHEDULER_URL).call("GET", "/maintenance")
    show(answer, as_json, "\n".join(map(_line, answer)) or "No maintenance.")


def _length(text: str, option: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,5})([mhd])", text)
    if not found:
        raise typer.BadParameter("a number and m, h or d, such as 30m", param_hint=option)
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def _line(window: dict[str, Any]) -> str:
    times = f"{window['from'][:16]}Z to {window['until'][:16]}Z"
    return f"{window['id']}  {window['part']:16}  {times}  {window['author']}: {window['reason'] or 'no reason given'}"
