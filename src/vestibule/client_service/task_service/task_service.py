"""The use cases of tasks: accept, read, wait for, list, cancel, retry and drop."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from uuid import UUID, uuid4

import structlog
from redis.exceptions import RedisError

from vestibule.client_service.intake.work import Work
from vestibule.client_service.queue.dispatcher import TaskDispatcher
from vestibule.client_service.queue.end_listener import TaskEndListener
from vestibule.client_service.queue.queue_view import QueueView, TaskTrace
from vestibule.client_service.queue.settings import QueueSettings
from vestibule.client_service.queue.task_message import TaskMessage
from vestibule.client_service.task_service.outcomes import UNFINISHED_STATES, TaskOutcome, open_outcome, with_outcome
from vestibule.client_service.task_service.relay import FIRST_CHECK_AFTER_S
from vestibule.client_service.task_status import at, describe
from vestibule.client_service.webhooks.repository import WebhookRepository
from vestibule.contracts.errors import KeyNotFound, ResultExpired, TaskConflict, TaskNotFound, Unavailable
from vestibule.contracts.task_ledger import LedgerTask, NewTask, TaskChange
from vestibule.contracts.tasks import TaskPage, TaskState, TaskStatus
from vestibule.database_client.tasks import TaskLedgerClient
from vestibule.encryption import Cipher, DecryptionFailed
from vestibule.service_kit.tracing import current_traceparent

# Redis notifies of an end at once. A waiting request polls as well, in case a notification was lost.
POLL_INTERVAL_S = 1.0
# The ledger sends no notification when it has written the result of a task.
SETTLING_POLL_INTERVAL_S = 0.05
REDIS_TIMEOUT_S = 1.0


class TaskService:
    """Serves the task routes. Every method raises `Unavailable` if the ledger does not answer."""

    def __init__(
        self,
        ledger: TaskLedgerClient,
        queue: QueueView,
        end_listener: TaskEndListener,
        dispatcher: TaskDispatcher,
        *,
        settings: QueueSettings,
        cipher: Cipher,
        webhooks: WebhookRepository,
    ) -> None:
        self._ledger = ledger
        self._queue = queue
        self._end_listener = end_listener
        self._dispatcher = dispatcher
        self._settings = settings
        self._cipher = cipher
        self._webhooks = webhooks

    async def accept(self, work: Work) -> str:
        """Record work and return the id of its task; the task is on disk then and will run.

        Raises:
            KeyNotFound: no entry is stored under the key.
        """
        task = _new_task(work)
        # First, so that every accepted task has its webhook; a webhook without a task is removed later.
        await self._add_webhook(work, task.task_id)
        recorded = await self._ledger.accept(task)
        if recorded.is_key_unknown:
            raise KeyNotFound("No entry has that key.")
        if recorded.task_id != task.task_id:
            await self._add_webhook(work, recorded.task_id)
        structlog.contextvars.bind_contextvars(task_id=recorded.task_id)
        data = work.data if work.data is not None else recorded.data
        if recorded.is_new and task.sent_at is not None and data is not None:
            self._dispatcher.enqueue(_message(task, data))
        return recorded.task_id

    async def read(self, task_id: str, tenant: str) -> TaskStatus:
        """Return the status of a task.

        Raises:
            TaskNotFound: the tenant has no task of that id.
            ResultExpired: the task had ended, and its result has expired.
        """
        task = await self._find(task_id, tenant)
        return describe(task) if task.state.is_end else await self._refresh(describe(task))

    async def wait(self, task_id: str, tenant: str, wait_s: float) -> TaskStatus:
        """Return the status of a task when it has ended, or after `wait_s` seconds. Raises what `read` raises."""
        if not wait_s:
            return await self.read(task_id, tenant)
        async for status in self.follow(task_id, tenant, wait_s):
            known = status
        return known

    async def follow(self, task_id: str, tenant: str, wait_s: float) -> AsyncIterator[TaskStatus]:
        """Yield the status of a task now and after each change, until it has ended or `wait_s` seconds have passed.

        Raises what `read` raises.
        """
        deadline = time.monotonic() + wait_s
        status = await self.read(task_id, tenant)
        yield status
        if status.has_ended:
            return
        async with self._end_listener.subscribe(task_id) as has_changed:
            while (left_s := deadline - time.monotonic()) > 0:
                poll_after_s = SETTLING_POLL_INTERVAL_S if status.is_settling else POLL_INTERVAL_S
                try:
                    await asyncio.wait_for(has_changed.wait(), min(left_s, poll_after_s))
                    has_changed.clear()
                    later = await self._refresh_after_event(status, tenant)
                except TimeoutError:
                    later = await self.read(task_id, tenant)
                if later != status:
                    yield later
                status = later
                if status.has_ended:
                    return

    async def page(self, tenant: str | None, states: Sequence[TaskState], limit: int, cursor: str | None) -> TaskPage:
        """Return a tenant's tasks, newest first and without results; without a tenant those of all."""
        page = await self._ledger.page(tenant, states, limit, cursor)
        return TaskPage(tasks=[describe(task) for task in page.tasks], cursor=page.cursor)

    async def cancel(self, task_id: str, tenant: str) -> TaskStatus:
        """Cancel a task that has not ended. A running one continues; its result is discarded.

        Raises:
            TaskNotFound: the tenant has no task of that id.
            TaskConflict: it has ended already.
        """
        task = await self._find(task_id, tenant)
        keep_s = self._settings.task_record_expires_s
        await self._change(
            task,
            TaskChange(
                task_id=task_id,
                from_states=UNFINISHED_STATES,
                state=TaskState.CANCELLED,
                finished_at=time.time(),
                keep_result_s=keep_s,
                keep_s=keep_s,
            ),
        )
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                await self._queue.mark_cancelled(task_id, keep_s)
        except (RedisError, OSError, TimeoutError):
            # A worker may still run it; the ledger has the end and ignores the result.
            structlog.get_logger("vestibule.tasks").info("cancelled_without_queue", task_id=task_id)
        return await self.read(task_id, tenant)

    async def retry(self, task_id: str, tenant: str) -> TaskStatus:
        """Retry a task that failed, is dead or was cancelled, with all its attempts.

        Raises:
            TaskNotFound: the tenant has no task of that id.
            TaskConflict: it is unfinished, has succeeded, or its data has expired.
            Unavailable: the queue does not answer.
        """
        task = await self._find(task_id, tenant)
        await self._clear(task_id)
        await self._change(
            task,
            TaskChange(
                task_id=task_id,
                from_states=[TaskState.FAILED, TaskState.DEAD, TaskState.CANCELLED],
                state=TaskState.QUEUED,
                due_in_s=0,
                attempts=0,
            ),
        )
        return await self.read(task_id, tenant)

    async def drop(self, task_id: str, tenant: str) -> TaskStatus:
        """Remove a task from the dead letters for good: it counts as failed, and its data is deleted.

        Raises:
            TaskNotFound: the tenant has no task of that id.
            TaskConflict: it is not dead.
        """
        task = await self._find(task_id, tenant)
        keep_s = self._settings.task_record_expires_s
        await self._change(
            task,
            TaskChange(
                task_id=task_id,
                from_states=[TaskState.DEAD],
                state=TaskState.FAILED,
                error=task.error,
                finished_at=task.finished_at,
                keep_data=False,
                keep_result_s=keep_s,
                keep_s=keep_s,
            ),
        )
        return await self.read(task_id, tenant)

    async def _add_webhook(self, work: Work, task_id: str) -> None:
        if work.callback is not None:
            await self._webhooks.add(task_id, work.tenant, work.callback, work.delay_s)

    async def _find(self, task_id: str, tenant: str) -> LedgerTask:
        task = await self._ledger.find(task_id) if _is_task_id(task_id) else None
        if task is None or task.tenant != tenant:
            raise TaskNotFound("No task has that id.")
        if task.has_expired:
            raise ResultExpired("The task succeeded, and its result has expired.")
        return task

    async def _refresh(self, status: TaskStatus) -> TaskStatus:
        """Update a status from Redis: workers are ahead of the ledger."""
        trace = await self._trace(status.task_id)
        # Without Redis the status of the ledger is correct, only older.
        return status if trace is None else _with_trace(status, trace, self._outcome(status.task_id, trace))

    async def _refresh_after_event(self, status: TaskStatus, tenant: str) -> TaskStatus:
        """Update a status after a notification from Redis; a state that Redis missed comes from the ledger."""
        trace = await self._trace(status.task_id)
        outcome = None if trace is None else self._outcome(status.task_id, trace)
        has_missed_attempts = outcome is not None and outcome.attempt > status.attempts + 1
        if trace is None or trace.is_cancelled or has_missed_attempts:
            return await self.read(status.task_id, tenant)
        return _with_trace(status, trace, outcome)

    async def _trace(self, task_id: str) -> TaskTrace | None:
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                return await self._queue.read(task_id)
        except (RedisError, OSError, TimeoutError):
            return None

    def _outcome(self, task_id: str, trace: TaskTrace) -> TaskOutcome | None:
        try:
            return None if trace.result is None else open_outcome(self._cipher, task_id, trace.result)
        except DecryptionFailed:
            return None

    async def _change(self, task: LedgerTask, step: TaskChange) -> None:
        (is_applied,) = await self._ledger.change([step.model_copy(update={"tenant": task.tenant})])
        if not is_applied:
            raise TaskConflict("The state of the task does not allow this, or its data is no longer stored.")

    async def _clear(self, task_id: str) -> None:
        # The result of the last run would be taken for that of the next.
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                await self._queue.forget([task_id])
        except (RedisError, OSError, TimeoutError) as error:
            raise Unavailable("queue", "The queue does not answer, so the task was not retried.") from error


def _with_trace(status: TaskStatus, trace: TaskTrace, outcome: TaskOutcome | None) -> TaskStatus:
    if outcome is not None:
        return with_outcome(status, outcome)
    if trace.started_at is None or status.state is not TaskState.QUEUED:
        return status
    return status.model_copy(update={"state": TaskState.RUNNING, "started_at": at(trace.started_at)})


def _new_task(work: Work) -> NewTask:
    now = time.time()
    is_due = work.delay_s <= 0
    return NewTask(
        task_id=work.task_id or str(uuid4()),
        tenant=work.tenant,
        processor=work.processor,
        priority=work.priority,
        data=work.data,
        key=work.key,
        terms=work.terms,
        submitted_at=now,
        sent_at=now if is_due else None,
        due_in_s=FIRST_CHECK_AFTER_S if is_due else work.delay_s,
        unique_keys=list(work.unique_keys),
        unique_for_s=work.unique_for_s,
    )


def _message(task: NewTask, data: str) -> TaskMessage:
    return TaskMessage(
        task.task_id,
        data,
        task.processor,
        task.priority,
        sent_at=task.submitted_at,
        request_id=structlog.contextvars.get_contextvars().get("request_id"),
        # Sent from a background task, which does not have this request's trace.
        trace=current_traceparent(),
        terms=task.terms,
    )


def _is_task_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
