"""The events of a task, over all its retries, and of the callbacks about it."""

from vestibule.client_service.queue.queue_view import TaskTrace
from vestibule.client_service.task_status import at, at_or_none
from vestibule.client_service.trace.events import TraceEvent, TraceKind
from vestibule.client_service.webhooks.dispatcher import WebhookState
from vestibule.contracts.task_ledger import LedgerTask, TaskEvent, TaskEventKind

KINDS = {
    TaskEventKind.SCHEDULED: TraceKind.TASK_SCHEDULED,
    TaskEventKind.RESULT_WRITTEN: TraceKind.RESULT_WRITTEN,
    TaskEventKind.RETRIED: TraceKind.TASK_RETRIED,
    TaskEventKind.CANCELLED: TraceKind.TASK_CANCELLED,
    TaskEventKind.DROPPED: TraceKind.TASK_DROPPED,
}


def events_of_task(task: LedgerTask, seen: TaskTrace | None) -> list[TraceEvent]:
    """Return what the ledger has of a task, and what Redis has of the attempt that runs."""
    events = [
        TraceEvent(
            at=at(task.submitted_at),
            kind=TraceKind.TASK_ACCEPTED,
            task_id=task.task_id,
            processor=task.processor,
            request_id=task.request_id,
            token_id=task.token_id,
            token_name=task.token_name,
        )
    ]
    if task.sent_at is not None:
        events.append(TraceEvent(at=at(task.sent_at), kind=TraceKind.TASK_SENT, task_id=task.task_id))
    events += [
        TraceEvent(
            at=at(one.ended_at or one.started_at or task.submitted_at),
            kind=TraceKind.ATTEMPT,
            task_id=task.task_id,
            attempt=one.number,
            worker=one.worker,
            started_at=at_or_none(one.started_at),
            cause=one.cause,
        )
        for one in task.history
    ]
    events += [_event_of(task, one) for one in task.events]
    if task.state.is_end:
        ended = task.finished_at or task.started_at or task.submitted_at
        events.append(
            TraceEvent(
                at=at(ended), kind=TraceKind.TASK_ENDED, task_id=task.task_id, state=task.state.value, cause=task.cause
            )
        )
    elif seen is not None and seen.started_at is not None and seen.result is None:
        events.append(TraceEvent(at=at(seen.started_at), kind=TraceKind.TASK_RUNNING, task_id=task.task_id))
    return events


def _event_of(task: LedgerTask, event: TaskEvent) -> TraceEvent:
    is_scheduled = event.kind is TaskEventKind.SCHEDULED
    return TraceEvent(
        at=at(event.at),
        kind=KINDS[event.kind],
        task_id=task.task_id,
        token_id=event.token_id,
        token_name=event.token_name,
        schedule_id=event.reference if is_scheduled else None,
        request_id=None if is_scheduled else event.reference,
        job_id=event.job_id,
    )


def events_of_callbacks(task_id: str, callbacks: list[WebhookState]) -> list[TraceEvent]:
    """Return the last state of each callback about a task."""
    return [
        TraceEvent(at=at(one.at), kind=TraceKind.CALLBACK, task_id=task_id, state=one.state, attempts=one.attempts)
        for one in callbacks
    ]
