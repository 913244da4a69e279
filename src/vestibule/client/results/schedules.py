"""Schedules and their runs."""

from datetime import datetime

from vestibule.client.decoding import Result, result
from vestibule.client.results.findings import TreatedFinding
from vestibule.client.results.tasks import TaskError


@result
class RunOutcome(Result):
    """The last run of a schedule, and what became of its task."""

    # When the run was due, or asked for
    at: datetime
    # Absent if no entry was stored under the key then
    task_id: str | None = None
    # Absent if its record has expired
    state: str | None = None
    finished_at: datetime | None = None
    # Why its last attempt failed, if one did
    error: TaskError | None = None
    # The cause of that error, as in `GET /tasks/{task_id}`
    cause: str | None = None


@result
class Schedule(Result):
    """A recurring task: when it runs, what it processes, and its progress. Its text is not shown."""

    schedule_id: str
    cron: str | None = None
    every_s: float | None = None
    timezone: str
    processor: str
    priority: str
    key: str | None = None
    # The key that the results are written to
    write_to: str | None = None
    created_at: datetime
    # Name of the token that added it
    author: str
    # `active`, or `paused`: it does not fire
    state: str = "active"
    paused_at: datetime | None = None
    # Name of the token that paused it
    paused_by: str | None = None
    # When the next task is due; absent while it is paused
    next_at: datetime | None = None
    # When the last one was due
    last_at: datetime | None = None
    # Absent if no entry was stored under the key then
    last_task_id: str | None = None
    # Number of times that it was due, or run by hand
    turns: int = 0
    # Absent before the first run
    last_outcome: RunOutcome | None = None


@result
class ScheduleDetail(Schedule):
    """A schedule with its next runs."""

    # The next five, none while it is paused
    next_runs: list[datetime]


@result
class AddedSchedule(Schedule):
    """A schedule that is on disk, and the decision about its text."""

    findings: list[TreatedFinding] | None = None
    would_have: str | None = None
    decision_id: str | None = None
    receipt: str | None = None


@result
class ScheduleList(Result):
    """All schedules of a tenant, the oldest first."""

    schedules: list[Schedule]


@result
class DeletedSchedule(Result):
    """A schedule that was deleted."""

    schedule_id: str
    deleted: bool = True
