"""The options of commands that start work or choose tasks, and how the outcome of a task is printed."""

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestibule.cli.frame import completion
from vestibule.cli.frame.exit_codes import ExitCode, exit_code_of
from vestibule.cli.frame.session import Session
from vestibule.cli.options import duration_option, echo
from vestibule.contracts.errors import VestibuleError

if TYPE_CHECKING:
    from vestibule.client.results.tasks import Task

ENDED_BADLY = ("failed", "dead", "cancelled")

Processor = Annotated[
    str, typer.Option("--processor", help="The processor to use.", autocompletion=completion.processors)
]
OptionList = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        "-o",
        help="NAME=VALUE, an option of the processor; VALUE is JSON, or else text; may be repeated. "
        "`vestibule processors NAME` lists them.",
    ),
]
WriteTo = Annotated[
    str | None, typer.Option(help="The key that the result is written to.", autocompletion=completion.keys)
]
Callback = Annotated[str | None, typer.Option(help="Webhook address that gets a signed POST when the task ends.")]
Wait = Annotated[timedelta | None, duration_option("--wait", help="Wait so long for the task to finish.")]
Priority = Annotated[str, typer.Option(help="high, normal or low.")]
Reason = Annotated[str, typer.Option("--reason", help="The reason, which is kept with your token's name.")]


def parse_options(given: list[str] | None) -> dict[str, Any] | None:
    """Return the options of a processor by name; None if none is given.

    Raises:
        typer.BadParameter: one is not NAME=VALUE.
    """
    return dict(map(_parse_option, given)) if given else None


def _parse_option(given: str) -> tuple[str, Any]:
    name, sign, text = given.partition("=")
    if not name or not sign:
        raise typer.BadParameter("write it as NAME=VALUE", param_hint="--option")
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text


def follow_task(session: Session, accepted: Any, wait: timedelta | None) -> None:
    """Print the id of a task that was accepted, or wait for it and print its result."""
    if not wait:
        session.output.done(accepted, accepted.task_id)
        return
    try:
        ended = session.client.tasks.wait(accepted.task_id, wait.total_seconds())
    except (KeyboardInterrupt, VestibuleError) as error:
        # The task goes on, and nothing has said its id yet; a wait that was too short says it by itself.
        if isinstance(error, KeyboardInterrupt) or exit_code_of(type(error)) is ExitCode.UNREACHABLE:
            echo(f"vestibule: `vestibule task wait {accepted.task_id}` goes on waiting", err=True)
        raise
    show_result(session, ended)


def show_result(session: Session, task: "Task") -> None:
    """Print the result of a task that has ended; exit code 1 if it did not succeed."""
    session.output.done(task, outcome_of(task))
    end_by_state(task)


def outcome_of(task: "Task") -> str:
    """Return the result of a task, why it failed, or its state."""
    if task.state == "succeeded":
        return task.result or ""
    has_failed = task.state in ENDED_BADLY and task.error
    return f"{task.state}: {task.error.detail}" if has_failed and task.error else task.state


def end_by_state(task: "Task") -> None:
    """End the program with exit code 1 if the task has ended and did not succeed."""
    if task.state in ENDED_BADLY:
        raise typer.Exit(ExitCode.FAILED.value)
