"""`vestibule schedule`: adds, lists and deletes recurring tasks."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from vestibule.cli.commands.submit import OptionList, WriteTo, terms
from vestibule.cli.http_client import AsJson, HttpClient, TokenOption, UrlOption, show

app = typer.Typer(help="Schedule recurring tasks: by a cron expression or an interval.", no_args_is_help=True)


@app.command()
def add(
    key: Annotated[str, typer.Option(help="Process the value under this key at that time.")] = "",
    text: Annotated[str, typer.Option(help="Process this text instead.")] = "",
    cron: Annotated[str, typer.Option(help='Five fields as in a crontab, such as "30 6 * * 1-5", or @daily.')] = "",
    every: Annotated[float | None, typer.Option(min=1, help="Interval in seconds, instead of --cron.")] = None,
    timezone: Annotated[str, typer.Option(help="The time zone of --cron, such as Europe/Berlin.")] = "UTC",
    processor: Annotated[str, typer.Option(help="The processor of the tasks.")] = "uppercase",
    option: OptionList = None,
    write_to: WriteTo = None,
    priority: Annotated[str, typer.Option(help="high, normal or low.")] = "normal",
    url: UrlOption = "",
    token: TokenOption = "",
    as_json: AsJson = False,
) -> None:
    """Add a schedule and print its id and its next time."""
    wanted = {"processor": processor, "priority": priority, "timezone": timezone, **terms(option, write_to)}
    given = {"key": key, "text": text, "cron": cron, "every_s": every}
    body = wanted | {name: value for name, value in given.items() if value}
    answer = HttpClient(url, token).call("POST", "/schedules", body=body)
    show(answer, as_json, _line(answer))


@app.command("list")
def list_schedules(url: UrlOption = "", token: TokenOption = "", as_json: AsJson = False) -> None:
    """List all schedules: id, times, processor, next run, and the last task."""
    answer = HttpClient(url, token).call("GET", "/schedules")
    show(answer, as_json, "\n".join(map(_line, answer["schedules"])) or "none")


@app.command()
def delete(
    schedule_id: Annotated[str, typer.Argument(help="The id that add and list print.")],
    url: UrlOption = "",
    token: TokenOption = "",
    as_json: AsJson = False,
) -> None:
    """Delete a schedule."""
    answer = HttpClient(url, token).call("DELETE", f"/schedules/{quote(schedule_id, safe='')}")
    show(answer, as_json, f"{schedule_id} is deleted")


def _line(schedule: dict[str, Any]) -> str:
    times = f"{schedule['cron']} {schedule['timezone']}" if "cron" in schedule else f"every {schedule['every_s']:g} s"
    following = schedule.get("next_at", "never")[:19]
    last = f"  last {schedule['last_task_id']}" if "last_task_id" in schedule else ""
    return f"{schedule['schedule_id']}  {times:24}  {schedule['processor']}  next {following}{last}"
