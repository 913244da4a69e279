"""`vestibule schedule`: tasks that run again and again."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vestibule.cli.commands.work.options import (
    OptionList,
    Priority,
    Processor,
    Wait,
    WriteTo,
    follow_task,
    parse_options,
)
from vestibule.cli.frame import completion
from vestibule.cli.frame.noun import Noun
from vestibule.cli.frame.session import Session, use_client
from vestibule.cli.options import duration_option
from vestibule.cli.terminal.table import Column
from vestibule.cli.terminal.times import duration

if TYPE_CHECKING:
    from vestibule.client.results.schedules import Schedule

ScheduleId = Annotated[
    str, typer.Argument(help="The id that `add` and `list` print.", autocompletion=completion.schedules)
]


def _times(one: "Schedule") -> str:
    return f"{one.cron} {one.timezone}" if one.cron else f"every {duration(one.every_s or 0)}"


LIST = (
    Column("SCHEDULE", lambda one: one.schedule_id),
    Column("STATE", lambda one: one.state),
    Column("TIMES", _times, shrinks=True),
    Column("PROCESSOR", lambda one: one.processor, shrinks=True),
    Column("NEXT", lambda one: one.next_at),
    Column("LAST TASK", lambda one: one.last_task_id, shrinks=True),
)

schedule = Noun(
    'vestibule schedule add --key report --cron "30 6 * * 1-5" --timezone Europe/Berlin',
    "vestibule schedule list",
    "vestibule schedule pause ID",
)


@schedule.verb(
    "add",
    'vestibule schedule add --key report --cron "30 6 * * 1-5" --timezone Europe/Berlin',
    "vestibule schedule add --text hello --every 1h --processor uppercase",
)
@use_client
def add_schedule(
    session: Session,
    key: Annotated[
        str | None,
        typer.Option(help="Process the value under this key at that time.", autocompletion=completion.keys),
    ] = None,
    text: Annotated[str | None, typer.Option(help="Process this text instead.")] = None,
    cron: Annotated[
        str | None, typer.Option(help='Five fields as in a crontab, such as "30 6 * * 1-5", or @daily.')
    ] = None,
    every: Annotated[timedelta | None, duration_option("--every", help="Interval, instead of --cron.")] = None,
    timezone: Annotated[str | None, typer.Option(help="The time zone of --cron; UTC if not given.")] = None,
    processor: Processor = "uppercase",
    option: OptionList = None,
    write_to: WriteTo = None,
    priority: Priority = "normal",
) -> None:
    """Add a schedule and print its id and its next time."""
    added = session.client.schedules.add(
        key=key,
        text=text,
        cron=cron,
        every_s=every.total_seconds() if every else None,
        timezone=timezone,
        processor=processor,
        options=parse_options(option),
        write_to=write_to,
        priority=priority,
    )
    session.output.done(added, f"{added.schedule_id} added: {_times(added)}, next {session.output.time(added.next_at)}")


@schedule.verb("list", "vestibule schedule list")
@use_client
def list_schedules(session: Session) -> None:
    """List the schedules, the oldest first."""
    session.output.rows(session.client.schedules.list(), LIST, "No schedules.")


@schedule.verb("show", "vestibule schedule show ID")
@use_client
def show_schedule(session: Session, schedule_id: ScheduleId) -> None:
    """Show a schedule: its next runs, and the outcome of the last one."""
    found = session.client.schedules.get(schedule_id)
    session.output.fields(found, _fields_of(found))


@schedule.verb("pause", "vestibule schedule pause ID")
@use_client
def pause_schedule(session: Session, schedule_id: ScheduleId) -> None:
    """Keep a schedule from firing until it is resumed."""
    paused = session.client.schedules.pause(schedule_id)
    session.output.done(paused, f"{schedule_id} is {paused.state}")


@schedule.verb("resume", "vestibule schedule resume ID")
@use_client
def resume_schedule(session: Session, schedule_id: ScheduleId) -> None:
    """Let a schedule fire again; missed runs are not made up for."""
    resumed = session.client.schedules.resume(schedule_id)
    session.output.done(resumed, f"{schedule_id} is {resumed.state}, next {session.output.time(resumed.next_at)}")


@schedule.verb("run", "vestibule schedule run ID --wait 10")
@use_client
def run_schedule(session: Session, schedule_id: ScheduleId, wait: Wait = None) -> None:
    """Run a schedule now, beside its times; print the task's id, or with --wait its result."""
    follow_task(session, session.client.schedules.run(schedule_id), wait)


@schedule.verb("delete", "vestibule schedule delete ID")
@use_client
def delete_schedule(session: Session, schedule_id: ScheduleId) -> None:
    """Delete a schedule; tasks that it has started go on."""
    deleted = session.client.schedules.delete(schedule_id)
    session.output.done(deleted, f"{schedule_id} deleted")


def _fields_of(one: Any) -> dict[str, Any]:
    last = one.last_outcome
    return {
        "schedule": one.schedule_id,
        "state": one.state,
        "times": _times(one),
        "processor": one.processor,
        "priority": one.priority,
        "key": one.key,
        "write to": one.write_to,
        "added": one.created_at,
        "added by": one.author,
        "paused": one.paused_at,
        "paused by": one.paused_by,
        "next": one.next_runs,
        "runs": one.turns,
        "last": last.at if last else None,
        "last task": (last.task_id or "no entry was stored under the key") if last else None,
        "last state": last.state if last else None,
        "last error": last.error.kind if last and last.error else None,
    }
