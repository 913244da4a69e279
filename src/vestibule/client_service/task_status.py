"""The status of a task as callers read it, from the record in the task ledger."""

from datetime import UTC, datetime

from vestibule.contracts.task_ledger import LedgerTask
from vestibule.contracts.tasks import TaskStatus, describe_error


def describe(task: LedgerTask) -> TaskStatus:
    """Return the public status of a task from its record in the ledger."""
    return TaskStatus(
        task_id=task.task_id,
        state=task.state,
        processor=task.processor,
        priority=task.priority,
        result=task.result,
        **describe_error(task.error),
        attempts=task.attempts,
        submitted_at=at(task.submitted_at),
        due_at=at_or_none(task.due_at if task.sent_at is None else None),
        started_at=at_or_none(task.started_at),
        finished_at=at_or_none(task.finished_at),
    )


def at(seconds: float) -> datetime:
    """Return a Unix time as a datetime."""
    return datetime.fromtimestamp(seconds, UTC)


def at_or_none(seconds: float | None) -> datetime | None:
    """Return a Unix time as a datetime, None for None."""
    return None if seconds is None else at(seconds)
