"""The status of a task as callers read it, from the record in the task ledger."""

from datetime import UTC, datetime

from vestibule.contracts.task_ledger import LedgerTask
from vestibule.contracts.tasks import TaskAttempt, TaskStatus, describe_error


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
        request_id=task.request_id,
        token_id=task.token_id,
        token_name=task.token_name,
        submitted_at=at(task.submitted_at),
        due_at=at_or_none(task.due_at if task.sent_at is None else None),
        started_at=at_or_none(task.started_at),
        finished_at=at_or_none(task.finished_at),
    )


def describe_fully(task: LedgerTask) -> TaskStatus:
    """Return the public status of a task with its attempts that have ended."""
    attempts = [
        TaskAttempt(
            number=attempt.number or 1,
            worker=attempt.worker,
            started_at=at_or_none(attempt.started_at),
            ended_at=at_or_none(attempt.ended_at),
            cause=attempt.cause,
        )
        for attempt in task.history
    ]
    return describe(task).model_copy(update={"attempt_history": attempts})


def at(seconds: float) -> datetime:
    """Return a Unix time as a datetime."""
    return datetime.fromtimestamp(seconds, UTC)


def at_or_none(seconds: float | None) -> datetime | None:
    """Return a Unix time as a datetime, None for None."""
    return None if seconds is None else at(seconds)
