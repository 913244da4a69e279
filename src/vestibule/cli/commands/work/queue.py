"""`vestibule queue`: what waits, what is paused, and the workers."""

from typing import TYPE_CHECKING, Annotated

import typer

from vestibule.cli.commands.work.options import Reason
from vestibule.cli.frame import completion
from vestibule.cli.frame.exit_codes import ExitCode
from vestibule.cli.frame.noun import Noun
from vestibule.cli.frame.session import Session, use_client
from vestibule.cli.terminal.table import Column

if TYPE_CHECKING:
    from vestibule.client.results.queue import PauseChange

OfProcessor = Annotated[
    str | None,
    typer.Option("--processor", help="Only the tasks of this processor.", autocompletion=completion.processors),
]

WORKERS = (
    Column("WORKER", lambda one: one.name),
    Column("STATE", lambda one: one.state),
    Column("LAST BEAT", lambda one: one.last_beat_at),
    Column("HOST", lambda one: one.host, shrinks=True),
    Column("TAKEN", lambda one: one.tasks_taken, is_right=True),
    Column(
        "RUNS", lambda one: [f"{task.processor} {task.task_id or ''}".strip() for task in one.running], shrinks=True
    ),
)

queue = Noun(
    "vestibule queue show",
    'vestibule queue pause --processor redact --reason "its model is being replaced"',
    "vestibule queue workers",
)


@queue.verb("show", "vestibule queue show")
@use_client
def show_queue(session: Session) -> None:
    """Show how many tasks wait, by priority, and what is paused."""
    found = session.client.queue.get()
    waiting = {"high": found.waiting.high, "normal": found.waiting.normal, "low": found.waiting.low}
    more = "+" if found.waiting_is_limited else ""
    shown: dict[str, object] = {f"waiting, {name}": f"{count}{more}" for name, count in waiting.items()}
    pauses = {"queue": found.pause} | {one.name: one.pause for one in found.processors}
    for name, pause in pauses.items():
        if pause is not None:
            since = session.output.time(pause.since)
            shown[f"paused, {name}"] = f"since {since} by {pause.author}: {pause.reason}"
    session.output.fields(found, shown)


@queue.verb("pause", 'vestibule queue pause --reason "the database is moved"')
@use_client
def pause_queue(session: Session, reason: Reason, processor: OfProcessor = None) -> None:
    """Keep further tasks from starting: of a processor, or all.

    Running ones finish, and new ones are accepted.
    """
    _print_change(session, session.client.queue.pause(reason=reason, processor=processor))


@queue.verb("resume", 'vestibule queue resume --reason "it is moved"')
@use_client
def resume_queue(session: Session, reason: Reason, processor: OfProcessor = None) -> None:
    """End the pause of a processor, or that of the whole queue."""
    _print_change(session, session.client.queue.resume(reason=reason, processor=processor))


@queue.verb("workers", "vestibule queue workers")
@use_client
def list_workers(session: Session) -> None:
    """List the workers and what each runs.

    Exit code 1 if one is missing.
    """
    found = session.client.workers.list()
    session.output.rows(found, WORKERS, "No workers.")
    if any(one.state == "missing" for one in found):
        raise typer.Exit(ExitCode.FAILED.value)


def _print_change(session: Session, change: "PauseChange") -> None:
    what = change.processor or "the whole queue"
    late = "" if change.is_with_workers else "; Redis does not answer, workers follow when it does"
    session.output.done(change, f"{what} is {'paused' if change.is_paused else 'resumed'}{late}")
