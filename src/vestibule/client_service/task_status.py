"""The status of a task as callers read it, from the record in the task ledger."""

from datetime import UTC, datetime

from vestibule.contracts.task_ledger import LedgerTask
from vestibule.contracts.tasks import TaskStatus, describe_error


def describe(task: LedgerTask) -> TaskStatus:
    """Return the public status of a task from its record in the ledger."""
    is_waiting = task.sent_at is None and task.due_at is not None
    return TaskStatus(
        task_id=task.task_id,
        state=task.state,
        processor=task.processor,
        priority=task.priority,
        result=task.result,
        error=describe_error(task.error),
        attempts=task.attempts,
        submitted_at=at(task.submitted_at),
        due_at=at(task.due_at) if is_waiting and task.due_at is not None else None,
        started_at=None if task.started_at is None else at(task.started_at),
        finished_at=None if task.finished_at is None else at(task.finished_at),
    )


def at(seconds: float) -> datetime:
    """Return a Unix time as a datetime."""
    return datetime.fromtimestamp(seconds, UTC)
