"""`vestibule maintenance`: times in which a part may be away without anybody being told."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from vestibule.cli.http_client import DEFAULT_SCHEDULER_URL, AsJson, HttpClient, SchedulerUrlOption, TokenOption, show

app = typer.Typer(help="Have nobody told, for a time, that a part is away.", no_args_is_help=True)

UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@app.command()
def start(
    part: Annotated[str, typer.Argument(help="A part as `vestibule status` names it, heartbeat:NAME, or all.")],
    length: Annotated[str, typer.Option("--for", help="How long: 30m, 2h or 1d.")] = "1h",
    after: Annotated[str, typer.Option("--in", help="When it begins: in 30m, 2h or 1d; now unless given.")] = "",
    reason: Annotated[str, typer.Option(help="Why; it is kept with your token's name.")] = "",
    url: SchedulerUrlOption = "",
    token: TokenOption = "",
    as_json: AsJson = False,
) -> None:
    """Begin a maintenance window."""
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
    """End a window now, or take it back where it has not begun."""
    answer = HttpClient(url, token, DEFAULT_SCHEDULER_URL).call("DELETE", f"/maintenance/{window_id}")
    show(answer, as_json, _line(answer))


@app.command("list")
def list_windows(url: SchedulerUrlOption = "", token: TokenOption = "", as_json: AsJson = False) -> None:
    """List the windows that are planned, under way, or ended within a month."""
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
