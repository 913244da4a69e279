"""The commands for background work: run and message start tasks; task, dead and schedule manage them."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer
from typer.core import TyperGroup

from vestibule.cli.http_client import FINAL_STATES, HttpClient, client_service
from vestibule.cli.options import fail, read_text, takes

LONG_WAIT_S = 3600.0
PAGE = 100
# The exit code where a task has not ended within --wait.
NOT_ENDED = 8

Processor = Annotated[str, typer.Option(help="The processor to use.")]
OptionList = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        "-o",
        help="NAME=VALUE, an option of the processor; VALUE is JSON, or else text; may be repeated. "
        "`vestibule processors NAME` lists them.",
    ),
]
WriteTo = Annotated[str | None, typer.Option(help="The key that the result is written to.")]
Callback = Annotated[str, typer.Option(help="Webhook address that gets a signed POST when the task ends.")]
Wait = Annotated[float, typer.Option(min=0, help="Seconds to wait for the task to finish.")]
TaskId = Annotated[str, typer.Argument(help="The id that run or message printed.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="Largest number to list, newest first.")]


class ShowByDefault(TyperGroup):
    """A group where an id in place of a command means `show`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments, with `show` before an id."""
        first = next((word for word in args if not word.startswith("-")), None)
        if first is not None and first not in self.commands:
            args = ["show", *args]
        return super().parse_args(ctx, args)


task_app = typer.Typer(help="Show, list, cancel and retry tasks; `task ID` shows one.", cls=ShowByDefault)
dead_app = typer.Typer(help="List, retry and delete dead letters: tasks whose last attempt failed.")
schedule_app = typer.Typer(help="Schedule recurring tasks: by a cron expression or an interval.", no_args_is_help=True)


@takes(client_service)
def run(
    http: HttpClient,
    key: Annotated[str, typer.Argument(help="The key of the value to process.")],
    processor: Processor = "uppercase",
    option: OptionList = None,
    write_to: WriteTo = None,
    wait: Wait = 0,
    callback: Callback = "",
) -> None:
    """Process a stored value in the background; print the task's id, or with --wait its result.

    Exit code 0: accepted, or succeeded; 1: refused or failed; 8: it has not ended within --wait.
    """
    work = {"key": key, "processor": processor, **_work_options(option, write_to, callback)}
    _follow(http, http.call("POST", "/run", body=work), wait)


@takes(client_service)
def message(
    http: HttpClient,
    text: Annotated[str, typer.Argument(help="The message; `-` reads it from standard input.")],
    processor: Processor = "uppercase",
    option: OptionList = None,
    write_to: WriteTo = None,
    sync: Annotated[
        bool | None,
        typer.Option(
            "--sync/--async",
            help="Process at once and print the reply, or in the background; the settings decide if not given.",
        ),
    ] = None,
    wait: Wait = 0,
    callback: Callback = "",
) -> None:
    """Send a message, unless the policy blocks it."""
    mode = {} if sync is None else {"mode": "sync" if sync else "async"}
    body = {"text": read_text(text), "processor": processor, **mode, **_work_options(option, write_to, callback)}
    answer = http.call("POST", "/messages", body=body)
    if "reply" in answer:
        http.show(answer, str(answer["reply"]))
    else:
        _follow(http, answer, wait)


@task_app.command("show")
@takes(client_service)
def show_one(http: HttpClient, task_id: TaskId, wait: Wait = 0) -> None:
    """Show the state of a task and its result. Exit code 1 if it failed."""
    show_task(http, task_id, wait)


@task_app.command("wait")
@takes(client_service)
def wait_for(http: HttpClient, task_id: TaskId) -> None:
    """Wait for a task to finish, at most an hour, and print its result. Exit code 1 if it failed."""
    show_task(http, task_id, LONG_WAIT_S)


@task_app.command("list")
@takes(client_service)
def list_tasks(
    http: HttpClient,
    state: Annotated[list[str] | None, typer.Option(help="Only tasks in this state; may be repeated.")] = None,
    limit: Limit = PAGE,
) -> None:
    """List tasks, newest first: id, state, processor, submission time, and error."""
    _list(http, "/tasks", limit=limit, state=state or [])


@task_app.command("cancel")
@takes(client_service)
def cancel(http: HttpClient, task_id: TaskId) -> None:
    """Cancel a task that has not finished."""
    _change(http, "POST", f"/tasks/{quote(task_id, safe='')}/cancel")


@task_app.command("retry")
@takes(client_service)
def retry(http: HttpClient, task_id: TaskId) -> None:
    """Retry a task that failed, is dead or was cancelled."""
    _change(http, "POST", f"/tasks/{quote(task_id, safe='')}/retry")


@dead_app.command("list")
@takes(client_service)
def list_dead(http: HttpClient, limit: Limit = PAGE) -> None:
    """List the dead letters, newest first."""
    _list(http, "/dead", limit=limit)


@dead_app.command("retry")
@takes(client_service)
def retry_dead(http: HttpClient, task_id: TaskId) -> None:
    """Retry a dead task, with all its attempts."""
    _change(http, "POST", f"/dead/{quote(task_id, safe='')}/retry")


@dead_app.command("drop")
@takes(client_service)
def drop(http: HttpClient, task_id: TaskId) -> None:
    """Delete a task from the dead letters, with its data."""
    _change(http, "DELETE", f"/dead/{quote(task_id, safe='')}")


@schedule_app.command("add")
@takes(client_service)
def add_schedule(
    http: HttpClient,
    key: Annotated[str, typer.Option(help="Process the value under this key at that time.")] = "",
    text: Annotated[str, typer.Option(help="Process this text instead.")] = "",
    cron: Annotated[str, typer.Option(help='Five fields as in a crontab, such as "30 6 * * 1-5", or @daily.')] = "",
    every: Annotated[float | None, typer.Option(min=1, help="Interval in seconds, instead of --cron.")] = None,
    timezone: Annotated[str, typer.Option(help="The time zone of --cron, such as Europe/Berlin.")] = "UTC",
    processor: Processor = "uppercase",
    option: OptionList = None,
    write_to: WriteTo = None,
    priority: Annotated[str, typer.Option(help="high, normal or low.")] = "normal",
) -> None:
    """Add a schedule and print its id and its next time."""
    given = {"key": key, "text": text, "cron": cron, "every_s": every}
    body = {name: value for name, value in given.items() if value}
    body |= {"processor": processor, "priority": priority, "timezone": timezone, **_work_options(option, write_to)}
    answer = http.call("POST", "/schedules", body=body)
    http.show(answer, _schedule_line(answer))


@schedule_app.command("list")
@takes(client_service)
def list_schedules(http: HttpClient) -> None:
    """List all schedules: id, times, processor, next run, and the last task."""
    answer = http.call("GET", "/schedules")
    http.show(answer, "\n".join(map(_schedule_line, answer["schedules"])) or "No schedules.")


@schedule_app.command("delete")
@takes(client_service)
def delete_schedule(
    http: HttpClient, schedule_id: Annotated[str, typer.Argument(help="The id that add and list print.")]
) -> None:
    """Delete a schedule."""
    answer = http.call("DELETE", f"/schedules/{quote(schedule_id, safe='')}")
    http.show(answer, f"{schedule_id} is deleted")


def _work_options(options: list[str] | None, write_to: str | None, callback: str = "") -> dict[str, Any]:
    """Return the options that a request for work has where they are given."""
    given = {
        "options": dict(map(_option, options)) if options else None,
        "write_to": write_to,
        "callback": callback or None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _option(given: str) -> tuple[str, Any]:
    name, sign, text = given.partition("=")
    if not name or not sign:
        raise typer.BadParameter("write it as NAME=VALUE", param_hint="--option")
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text


def _follow(http: HttpClient, accepted: dict[str, Any], wait: float) -> None:
    if wait:
        show_task(http, accepted["task_id"], wait)
    else:
        http.show(accepted, str(accepted["task_id"]))


def show_task(http: HttpClient, task_id: str, wait: float) -> None:
    """Print the outcome of a task, after at most `wait` seconds; exit code 1 if it failed, 8 if it has not ended."""
    status = http.task(task_id, wait)
    has_failed = status["state"] in ("failed", "dead", "cancelled")
    if status["state"] == "succeeded":
        text = str(status["result"])
    elif has_failed and status.get("error"):
        text = f"{status['state']}: {status['error']['detail']}"
    else:
        text = str(status["state"])
    http.show(status, text)
    if has_failed:
        raise typer.Exit(1)
    if wait and status["state"] not in FINAL_STATES:
        fail(f"the task {task_id} has not ended after {wait:g} s; `vestibule task wait {task_id}` waits", NOT_ENDED)


def _list(http: HttpClient, path: str, **query: Any) -> None:
    page = http.call("GET", path, query=query)
    lines = [
        f"{task['task_id']}  {task['state']:9}  {task['processor']}  {task['submitted_at'][:19]}"
        + (f"  {task['error']['kind']}" if task.get("error") else "")
        for task in page["tasks"]
    ]
    http.show(page, "\n".join(lines) or "No tasks.")


def _change(http: HttpClient, method: str, path: str) -> None:
    status = http.call(method, path)
    http.show(status, f"{status['task_id']} is {status['state']}")


def _schedule_line(schedule: dict[str, Any]) -> str:
    times = f"{schedule['cron']} {schedule['timezone']}" if "cron" in schedule else f"every {schedule['every_s']:g} s"
    following = schedule.get("next_at", "never")[:19]
    last = f"  last {schedule['last_task_id']}" if "last_task_id" in schedule else ""
    return f"{schedule['schedule_id']}  {times:24}  {schedule['processor']}  next {following}{last}"
