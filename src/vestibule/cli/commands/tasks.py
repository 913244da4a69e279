"""`vestibule task` and `vestibule dead`: show and manage background tasks of a running Vestibule."""

from typing import Annotated, Any
from urllib.parse import quote

import typer
from typer.core import TyperGroup

from vestibule.cli.http_client import AsJson, HttpClient, TokenOption, UrlOption, show

LONG_WAIT_S = 3600.0
PAGE = 100


class ShowByDefault(TyperGroup):
    """A group where an id in place of a command means `show`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments, with `show` before an id."""
        first = next((word for word in args if not word.startswith("-")), None)
        if first is not None and first not in self.commands:
            args = ["show", *args]
        return super().parse_args(ctx, args)


task_app = typer.Typer(help="Show, list, cancel and retry tasks; `task ID` shows one.", cls=ShowByDefault)
dead_app = typer.Typer(help="List, retry and drop dead letters: tasks whose last attempt failed.")

TaskId = Annotated[str, typer.Argument(help="The id that run or message printed.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="Largest number to list, newest first.")]


@task_app.command("show")
def show_one(
    task_id: TaskId,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the task to finish.")] = 0,
    url: UrlOption = "",
    token: TokenOption = "",
    as_json: AsJson = False,
) -> None:
    """Show the state of a task and its result. Exit code 1 if it failed."""
    show_task(HttpClient(url, token), task_id, wait, as_json)


@task_app.command("wait")
def wait_for(task_id: TaskId, url: UrlOption = "", token: TokenOption = "", as_json: AsJson = False) -> None:
    """Wait for a task to finish, at most an hour, and print its result. Exit code 1 if it failed."""
    show_task(HttpClient(url, token), task_id, LONG_WAIT_S, as_json)


@task_app.command("list")
def list_tasks(
    state: Annotated[list[str] | None, typer.Option(help="Only tasks in this state; may be repeated.")] = None,
    limit: Limit = PAGE,
    url: UrlOption = "",
    token: TokenOption = "",
    as_json: AsJson = False,
) -> None:
    """List tasks, newest first: id, state, processor, submission time, and error."""
    _list(HttpClient(url, token).call("GET", "/tasks", query={"limit": limit, "state": state or []}), as_json)


@task_app.command("cancel")
def cancel(task_id: TaskId, url: UrlOption = "", token: TokenOption = "", as_json: AsJson = False) -> None:
    """Cancel a task that has not finished."""
    _change(HttpClient(url, token), "POST", f"/tasks/{quote(task_id, safe='')}/cancel", as_json)


@task_app.command("retry")
def retry(task_id: TaskId, url: UrlOption = "", token: TokenOption = "", as_json: AsJson = False) -> None:
    """Retry a task that failed, is dead or was cancelled."""
    _change(HttpClient(url, token), "POST", f"/tasks/{quote(task_id, safe='')}/retry", as_json)


@dead_app.command("list")
def list_dead(limit: Limit = PAGE, url: UrlOption = "", token: TokenOption = "", as_json: AsJson = False) -> None:
    """List the dead letters, newest first."""
    _list(HttpClient(url, token).call("GET", "/dead", query={"limit": limit}), as_json)


@dead_app.command("retry")
def retry_dead(task_id: TaskId, url: UrlOption = "", token: TokenOption = "", as_json: AsJson = False) -> None:
    """Retry a dead task, with all its attempts."""
    _change(HttpClient(url, token), "POST", f"/dead/{quote(task_id, safe='')}/retry", as_json)


@dead_app.command("drop")
def drop(task_id: TaskId, url: UrlOption = "", token: TokenOption = "", as_json: AsJson = False) -> None:
    """Delete a task from the dead letters, with its data."""
    _change(HttpClient(url, token), "DELETE", f"/dead/{quote(task_id, safe='')}", as_json)


def show_task(remote: HttpClient, task_id: str, wait: float, as_json: bool) -> None:
    """Print the outcome of a task, after at most `wait` seconds, and exit with code 1 if it did not succeed."""
    status = remote.task(task_id, wait)
    has_failed = status["state"] in ("failed", "dead", "cancelled")
    if status["state"] == "succeeded":
        text = str(status["result"])
    elif has_failed and status.get("error"):
        text = f"{status['state']}: {status['error']['detail']}"
    else:
        text = str(status["state"])
    show(status, as_json, text)
    if has_failed:
        raise typer.Exit(1)


def _list(page: Any, as_json: bool) -> None:
    lines = [
        f"{task['task_id']}  {task['state']:9}  {task['processor']}  {task['submitted_at'][:19]}"
        + (f"  {task['error']['kind']}" if task.get("error") else "")
        for task in page["tasks"]
    ]
    show(page, as_json, "\n".join(lines) or "none")


def _change(remote: HttpClient, method: str, path: str, as_json: bool) -> None:
    status = remote.call(method, path)
    show(status, as_json, f"{status['task_id']} is {status['state']}")
