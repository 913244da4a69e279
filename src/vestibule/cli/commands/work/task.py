"""`vestibule task`: starts tasks, follows them, and changes many at once."""

import time
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestibule.cli.commands.work.options import (
    Callback,
    OptionList,
    Priority,
    Processor,
    Wait,
    WriteTo,
    end_by_state,
    follow_task,
    outcome_of,
    parse_options,
    show_result,
)
from vestibule.cli.commands.work.selection import AllTenants, TaskSelection, select_tasks
from vestibule.cli.frame import completion
from vestibule.cli.frame.confirmation import Yes, ask_back
from vestibule.cli.frame.noun import Noun
from vestibule.cli.frame.session import Session, use_client
from vestibule.cli.options import Duration, duration_option, read_text, with_options
from vestibule.cli.terminal.table import Column

if TYPE_CHECKING:
    from vestibule.client.results.tasks import Task

LONG_WAIT = Duration(hours=1)
BULK_POLL_S = 0.2
PAGE = 100
DELAY_HELP = "Time until it starts."
UNIQUE_HELP = "The same work within this time is the same task."

TaskId = Annotated[str, typer.Argument(help="The id that `run` and `message` print.", autocompletion=completion.tasks)]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most, newest first.")]
Delay = Annotated[timedelta | None, duration_option("--delay", help=DELAY_HELP)]
UniqueFor = Annotated[timedelta | None, duration_option("--unique-for", help=UNIQUE_HELP)]

LIST = (
    Column("TASK", lambda one: one.task_id),
    Column("STATE", lambda one: one.state),
    Column("PROCESSOR", lambda one: one.processor, shrinks=True),
    Column("SUBMITTED", lambda one: one.submitted_at),
    Column("ERROR", lambda one: one.error.kind if one.error else None, shrinks=True),
    Column("TOKEN", lambda one: one.token_name, shrinks=True),
)
COUNTS = (
    Column("STATE", lambda one: one.state),
    Column("PROCESSOR", lambda one: one.processor, shrinks=True),
    Column("TASKS", lambda one: one.tasks, is_right=True),
    Column("TENANT", lambda one: one.tenant, shrinks=True),
)

task = Noun(
    "vestibule task run note --wait 10",
    "vestibule task list --state failed --state dead",
    "vestibule task show ID",
    "vestibule task bulk retry --state dead --cause http_503",
)


@task.verb(
    "run",
    "vestibule run note --wait 10",
    "vestibule run note --processor redact --write-to clean",
    "vestibule run order --processor json_pointer --option pointer=/lines/0/sku --write-to sku --delay 2h",
)
@use_client
def run(
    session: Session,
    key: Annotated[str, typer.Argument(help="The key of the value to process.", autocompletion=completion.keys)],
    processor: Processor = "uppercase",
    option: OptionList = None,
    write_to: WriteTo = None,
    priority: Priority = "normal",
    delay: Delay = None,
    unique_for: UniqueFor = None,
    wait: Wait = None,
    callback: Callback = None,
) -> None:
    """Process a stored value in the background; print the task's id, or with --wait its result.

    Exit code 0: accepted, or succeeded; 1: refused or failed; 8: it has not ended within --wait.
    """
    accepted = session.client.tasks.run(
        key,
        processor,
        options=parse_options(option),
        write_to=write_to,
        priority=priority,
        delay_s=_seconds(delay),
        unique_for_s=_seconds(unique_for),
        callback=callback,
    )
    follow_task(session, accepted, wait)


@task.verb("message", 'vestibule message "some words" --wait 10', "echo hello | vestibule message - --sync")
@use_client
def message(
    session: Session,
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
    priority: Priority = "normal",
    delay: Delay = None,
    wait: Wait = None,
    callback: Callback = None,
) -> None:
    """Process a text without storing it, unless the policy blocks it; print the task's id, or its result.

    Exit code 0: accepted, or succeeded; 1: refused or failed; 3: blocked; 8: it has not ended within --wait.
    """
    answer = session.client.messages.send(
        read_text(text),
        processor,
        mode=None if sync is None else "sync" if sync else "async",
        options=parse_options(option),
        write_to=write_to,
        priority=None if priority == "normal" else priority,
        delay_s=_seconds(delay),
        callback=callback,
    )
    reply = getattr(answer, "reply", None)
    if reply is not None:
        session.output.done(answer, reply)
    else:
        follow_task(session, answer, wait)


@task.verb("show", "vestibule task show ID", "vestibule task ID --json")
@use_client
def show(session: Session, task_id: TaskId, wait: Wait = None) -> None:
    """Show a task: its state, its times, why it waits or failed, and its result.

    In a pipe its result alone, or why it failed, or its state. Exit code 1 if it failed, is dead or was cancelled.
    """
    found = session.client.tasks.wait(task_id, wait.total_seconds()) if wait else session.client.tasks.get(task_id)
    session.output.fields(found, _fields_of(found), in_short=outcome_of(found))
    end_by_state(found)


@task.verb("wait", "vestibule task wait ID", "vestibule task wait ID --for 2h")
@use_client
def wait_for(
    session: Session,
    task_id: TaskId,
    longest: Annotated[timedelta, duration_option("--for", help="How long.")] = LONG_WAIT,
) -> None:
    """Wait for a task to finish and print its result.

    Exit code 1: it failed; 8: it has not ended in time.
    """
    show_result(session, session.client.tasks.wait(task_id, longest.total_seconds()))


@task.verb(
    "list",
    "vestibule task list",
    "vestibule task list --state dead --older-than 1d",
    "vestibule task list --json --limit 5",
)
@use_client
@with_options(selection=select_tasks)
def list_tasks(session: Session, selection: TaskSelection, limit: Limit = PAGE) -> None:
    """List the tasks that match all options, newest first.

    Those in the state `dead` are the dead letters: tasks whose last attempt failed.
    """
    found = session.client.tasks.list(**selection, page_size=min(limit, 1000))
    session.output.rows(islice(found, limit), LIST, "No tasks.")


@task.verb("counts", "vestibule task counts")
@use_client
def count_tasks(session: Session, all_tenants: AllTenants = False) -> None:
    """Count the tasks in each state, by processor."""
    session.output.rows(session.client.tasks.counts(all_tenants=all_tenants).counts, COUNTS, "No tasks.")


@task.verb("cancel", "vestibule task cancel ID")
@use_client
def cancel(session: Session, task_id: TaskId) -> None:
    """Cancel a task that has not finished."""
    _print_change(session, session.client.tasks.cancel(task_id))


@task.verb("retry", "vestibule task retry ID")
@use_client
def retry(session: Session, task_id: TaskId) -> None:
    """Retry a task that failed, is dead or was cancelled, with all its attempts."""
    _print_change(session, session.client.tasks.retry(task_id))


@task.verb("drop", "vestibule task drop ID")
@use_client
def drop(session: Session, task_id: TaskId, yes: Yes = False) -> None:
    """Drop a dead letter: delete the data of a task in the state `dead` for good."""
    ask_back(f"This deletes the data of the task {task_id} for good. Drop it?", is_sure=yes)
    _print_change(session, session.client.dead_tasks.drop(task_id))


@task.verb(
    "bulk",
    "vestibule task bulk retry --state dead --cause http_503",
    "vestibule task bulk cancel --state queued --older-than 2d --reason outdated --yes",
)
@use_client
@with_options(selection=select_tasks)
def change_tasks(
    session: Session,
    action: Annotated[str, typer.Argument(help="retry, cancel or drop.", autocompletion=completion.bulk_actions)],
    selection: TaskSelection,
    reason: Annotated[str | None, typer.Option(help="Why; it is kept with the job.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it, and wait for the end.")] = False,
) -> None:
    """Retry, cancel or drop all tasks that match, 10,000 at most; without --yes say how many they are."""
    jobs = session.client.bulk_jobs
    preview = jobs.preview(action, reason=reason, **selection)
    more = ", and more match" if preview.has_more else ""
    if not yes or not preview.count:
        tasks = "task" if preview.count == 1 else "tasks"
        asked = f"Would {action} {preview.count:,} {tasks}{more}. Add --yes to do it."
        session.output.done(preview, asked if preview.count else f"No task matches that one can {action}.")
        return
    job_id = jobs.start(action, confirm=preview.confirm, reason=reason, **selection).job_id
    while (job := jobs.get(job_id)).state == "running":
        time.sleep(BULK_POLL_S)
    session.output.done(job, f"{job.done:,} done, {job.skipped:,} skipped, {job.failed:,} failed{more}")


def _print_change(session: Session, changed: "Task") -> None:
    session.output.done(changed, f"{changed.task_id} is {changed.state}")


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()


def _fields_of(found: "Task") -> dict[str, Any]:
    waits = found.waiting
    attempts = found.attempt_history or ()
    return {
        "task": found.task_id,
        "state": found.state,
        "processor": found.processor,
        "priority": found.priority,
        "submitted": found.submitted_at,
        "due": found.due_at,
        "started": found.started_at,
        "finished": found.finished_at,
        "waits for": waits.reason.replace("_", " ") if waits else None,
        "ahead": waits.ahead if waits else None,
        "error": f"{found.error.kind}: {found.error.detail}" if found.error else None,
        "attempts": [f"{one.number} by {one.worker or '?'}: {one.cause or 'succeeded'}" for one in attempts],
        "token": found.token_name,
        "request": found.request_id,
        "result": found.result,
    }
