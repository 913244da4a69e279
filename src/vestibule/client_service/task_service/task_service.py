"""The use cases of tasks: accept, read, wait for, list, cancel, retry and drop."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import structlog
from redis.exceptions import RedisError

from vestibule.alerts import current_origin
from vestibule.client_service.queue.dispatcher import TaskDispatcher
from vestibule.client_service.queue.end_listener import TaskEndListener
from vestibule.client_service.queue.partitions import TenantPartitions
from vestibule.client_service.queue.pauses import QueuePauses
from vestibule.client_service.queue.queue_view import QueueView, TaskTrace
from vestibule.client_service.queue.settings import QueueSettings
from vestibule.client_service.queue.task_message import TaskMessage
from vestibule.client_service.task_service.outcomes import LedgerSteps, TaskOutcome, open_outcome, with_outcome
from vestibule.client_service.task_status import at, describe, describe_fully
from vestibule.client_service.webhooks.dispatcher import WebhookRepository
from vestibule.contracts.errors import KeyNotFound, ResultExpired, TaskConflict, TaskNotFound, Unavailable
from vestibule.contracts.task_ledger import (
    LedgerTask,
    LedgerTasks,
    NewTask,
    TaskChange,
    TaskEvent,
    TaskEventKind,
    TaskFilter,
)
from vestibule.contracts.tasks import TaskPage, TaskState, TaskStatus, TaskTotal, TaskTotals
from vestibule.database_client.tasks import TaskLedgerClient
from vestibule.encryption import Cipher, DecryptionFailed, Fingerprinter, key_digests
from vestibule.runtime.log_context import bind_log_fields, log_fields
from vestibule.service_kit.metrics.catalogue import TASKS_ACCEPTED, TASKS_REFUSED
from vestibule.service_kit.metrics.metrics import Metrics
from vestibule.service_kit.tracing import current_traceparent

OLDEST_TASK_S = 400 * 86_400
# Each examines a bounded number of tasks.
PAGES_EXAMINED = 10
# Redis notifies of an end at once. A waiting request polls as well, in case a notification was lost.
POLL_INTERVAL_S = 1.0
# The ledger sends no notification when it has written the result of a task.
SETTLING_POLL_INTERVAL_S = 0.05
REDIS_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class TaskService:
    """Serves the task routes. Every method raises `Unavailable` if the ledger does not answer."""

    ledger: TaskLedgerClient
    queue: QueueView
    end_listener: TaskEndListener
    dispatcher: TaskDispatcher
    settings: QueueSettings
    cipher: Cipher
    webhooks: WebhookRepository
    metrics: Metrics
    pauses: QueuePauses
    partitions: TenantPartitions
    # The digests that a key of a tenant may have in the ledger.
    digests_of: Callable[[str, str], list[str]]

    async def accept(self, task: NewTask, callback: str | None = None) -> str:
        """Record a task and return its id; the task is on disk then and will run.

        Its id is that of an existing task if both share a unique key. `callback` is notified of the task's end.

        Raises:
            KeyNotFound: no entry is stored under the key.
        """
        try:
            # First, so that every accepted task has its webhook; a webhook without a task is removed later.
            if callback is not None:
                await self.webhooks.add(task, callback)
            if task.sent_at is not None and self.pauses.covering(task.processor):
                # The relay sends it when the pause is over.
                task = task.model_copy(update={"sent_at": None, "due_in_s": 0.0})
            recorded = await self.ledger.accept(task)
            if callback is not None and recorded.task_id != task.task_id:
                await self.webhooks.add(task.model_copy(update={"task_id": recorded.task_id}), callback)
        except Unavailable:
            self.metrics.count(TASKS_REFUSED)
            raise
        if recorded.is_key_unknown:
            raise KeyNotFound("No entry has that key.")
        bind_log_fields(task_id=recorded.task_id)
        data = task.data if task.data is not None else recorded.data
        if recorded.is_new and task.sent_at is not None and data is not None:
            message = TaskMessage(
                task.task_id,
                data,
                task.processor,
                task.priority,
                sent_at=task.submitted_at,
                request_id=log_fields().get("request_id"),
                # Sent from a background task, which does not have this request's trace.
                trace=current_traceparent(),
                terms=task.terms,
                tenant=task.tenant,
                end_channel=self.end_listener.expect(_as_accepted(task)),
            )
            self.dispatcher.enqueue(message)
        self.metrics.count(TASKS_ACCEPTED, task.processor)
        return recorded.task_id

    async def read(self, task_id: str, tenant: str) -> TaskStatus:
        """Return the status of a task.

        Raises:
            TaskNotFound: the tenant has no task of that id.
            ResultExpired: the task had ended, and its result has expired.
        """
        task = await self._find(task_id, tenant)
        status = describe_fully(task)
        if task.state.is_end:
            return status
        # Workers are ahead of the ledger. Without Redis the status of the ledger is correct, only older.
        trace, outcome = await self._look_up(task_id)
        return status if trace is None else _with_trace(status, trace, outcome)

    async def wait(self, task_id: str, tenant: str, wait_s: float) -> TaskStatus:
        """Return the status of a task when it has ended, or after `wait_s` seconds. Raises what `read` raises."""
        if not wait_s:
            return await self.read(task_id, tenant)
        deadline = time.monotonic() + wait_s
        if (ended := await self._wait_for_expected(task_id, tenant, min(wait_s, POLL_INTERVAL_S))) is not None:
            return ended
        async for status in self.follow(task_id, tenant, max(0.0, deadline - time.monotonic())):
            known = status
        return known

    async def _wait_for_expected(self, task_id: str, tenant: str, wait_s: float) -> TaskStatus | None:
        """Return the status of a task of this process that succeeded at its first attempt, as soon as it has.

        Nothing is asked for it: the result comes with the end. None: the ledger knows more.
        """
        expected = self.end_listener.find_expected(task_id)
        if expected is None or expected.task.tenant != tenant:
            return None
        result = await expected.result(wait_s)
        try:
            outcome = None if result is None else open_outcome(self.cipher, task_id, result)
        except DecryptionFailed:
            return None
        # What has failed can be retried, and what is written back has not ended.
        is_whole = outcome is not None and outcome.write_back is None and (outcome.attempt or 1) == 1
        if outcome is None or not is_whole or outcome.state is not TaskState.SUCCEEDED:
            return None
        return with_outcome(describe_fully(expected.task), outcome)

    async def follow(self, task_id: str, tenant: str, wait_s: float) -> AsyncIterator[TaskStatus]:
        """Yield the status of a task now and after each change, until it has ended or `wait_s` seconds have passed.

        Raises what `read` raises.
        """
        deadline = time.monotonic() + wait_s
        status = await self.read(task_id, tenant)
        yield status
        if status.has_ended:
            return
        async with self.end_listener.subscribe(task_id) as has_changed:
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

    async def page(self, chosen: TaskFilter, limit: int, cursor: str | None) -> TaskPage:
        """Return matching tasks, newest first and without results; of all tenants each with its own.

        Where few match, a page may be short, and the next one goes on.
        """
        page = await find_page(self.ledger, chosen, limit, cursor)
        tasks = [describe(task) for task in page.tasks]
        if chosen.tenant is None:
            tenants = [task.tenant for task in page.tasks]
            tasks = [task.model_copy(update={"tenant": tenant}) for task, tenant in zip(tasks, tenants, strict=True)]
        return TaskPage(tasks=tasks, cursor=page.cursor)

    async def totals(self, tenant: str | None) -> TaskTotals:
        """Return how many tasks are in each state, by processor; without a tenant those of all, each with its own."""
        states, totals = dict.fromkeys(TaskState, 0), []
        for count in sorted(await self.ledger.counts(tenant), key=lambda one: (one.processor, one.state, one.tenant)):
            states[count.state] += count.tasks
            owner = count.tenant if tenant is None else None
            totals.append(TaskTotal(processor=count.processor, state=count.state, tasks=count.tasks, tenant=owner))
        return TaskTotals(states=states, counts=totals)

    async def cancel(self, task_id: str, tenant: str) -> TaskStatus:
        """Cancel a task that has not ended. A running one continues; its result is discarded.

        Raises:
            TaskNotFound: the tenant has no task of that id.
            TaskConflict: it has ended already.
        """
        task, keep_s = await self._find(task_id, tenant), self.settings.task_record_expires_s
        await self._change(task, self._steps.after_cancel(task_id, time.time()), TaskEventKind.CANCELLED)
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                await self.queue.mark_cancelled(task_id, keep_s)
        except (RedisError, OSError, TimeoutError):
            # A worker may still run it; the ledger has the end and ignores the result.
            structlog.get_logger("vestibule.tasks").info("cancelled_without_queue", task_id=task_id)
        return await self.read(task_id, tenant)

    async def retry(self, task_id: str, tenant: str) -> TaskStatus:
        """Retry a task that failed, is dead or was cancelled, with all its attempts.

        Raises:
            TaskNotFound: the tenant has no task of that id.
            TaskConflict: it is unfinished, has succeeded, or its data has expired.
        """
        task = await self._find(task_id, tenant)
        await self._change(task, self._steps.after_retry(task_id), TaskEventKind.RETRIED)
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                # The result of the last run would be taken for that of the next.
                await self.queue.forget([task_id])
        except (RedisError, OSError, TimeoutError):
            # The relay does the same before it sends the task.
            structlog.get_logger("vestibule.tasks").info("retried_without_queue", task_id=task_id)
        return await self.read(task_id, tenant)

    async def drop(self, task_id: str, tenant: str) -> TaskStatus:
        """Remove a task from the dead letters for good: it counts as failed, and its data is deleted.

        Raises:
            TaskNotFound: the tenant has no task of that id.
            TaskConflict: it is not dead.
        """
        task = await self._find(task_id, tenant)
        await self._change(task, self._steps.after_drop(task_id, task.error, task.finished_at), TaskEventKind.DROPPED)
        return await self.read(task_id, tenant)

    async def _find(self, task_id: str, tenant: str) -> LedgerTask:
        task = await self.ledger.find(task_id) if _is_task_id(task_id) else None
        if task is None or task.tenant != tenant:
            raise TaskNotFound("No task has that id.")
        if task.has_expired:
            raise ResultExpired("The task succeeded, and its result has expired.")
        return task

    async def _refresh_after_event(self, status: TaskStatus, tenant: str) -> TaskStatus:
        """Update a status after a notification from Redis; a state that Redis missed comes from the ledger."""
        trace, outcome = await self._look_up(status.task_id)
        has_missed_attempts = outcome is not None and (outcome.attempt or 1) > status.attempts + 1
        if trace is None or trace.is_cancelled or has_missed_attempts:
            return await self.read(status.task_id, tenant)
        return _with_trace(status, trace, outcome)

    async def _look_up(self, task_id: str) -> tuple[TaskTrace | None, TaskOutcome | None]:
        """Return what Redis has of a task; nothing if Redis does not answer."""
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                trace = await self.queue.read(task_id)
            return trace, None if trace.result is None else open_outcome(self.cipher, task_id, trace.result)
        except DecryptionFailed:
            return trace, None
        except (RedisError, OSError, TimeoutError):
            return None, None

    @property
    def _steps(self) -> LedgerSteps:
        return LedgerSteps(self.settings, self.cipher)

    async def _change(self, task: LedgerTask, step: TaskChange, kind: TaskEventKind) -> None:
        by = current_origin()
        event = TaskEvent(
            kind=kind,
            at=time.time(),
            token_id=by["token_id"],
            token_name=by["token_name"],
            reference=by["request_id"],
        )
        if (await self.ledger.change([step.model_copy(update={"tenant": task.tenant, "event": event})]))[0]:
            return
        # It may have changed since it was read.
        state = (await self.ledger.find_any(task.task_id) or task).state
        reason = "does not allow this" if state not in step.from_states else "would allow this, but its data is gone"
        raise TaskConflict(f"The task is `{state}`, which {reason}.", state=state)


def digests_of_key(fingerprinter: Fingerprinter, key: str, tenant: str) -> list[str]:
    """Return the digests that a key may have in the ledger, where a task may wait for a year."""
    return key_digests(fingerprinter, key, tenant, datetime.fromtimestamp(time.time() - OLDEST_TASK_S, UTC))


async def find_page(ledger: TaskLedgerClient, chosen: TaskFilter, limit: int, cursor: str | None) -> LedgerTasks:
    """Return a page of matching tasks, from as many pages of the ledger as it takes, up to a few."""
    found: list[LedgerTask] = []
    for _ in range(PAGES_EXAMINED):
        page = await ledger.page(chosen, limit - len(found), cursor)
        found += page.tasks
        cursor = page.cursor
        if cursor is None or len(found) >= limit:
            break
    return LedgerTasks(tasks=found, cursor=cursor)


def _with_trace(status: TaskStatus, trace: TaskTrace, outcome: TaskOutcome | None) -> TaskStatus:
    if outcome is not None:
        return with_outcome(status, outcome)
    if trace.started_at is None or status.state is not TaskState.QUEUED:
        return status
    return status.model_copy(update={"state": TaskState.RUNNING, "started_at": at(trace.started_at)})


def _as_accepted(task: NewTask) -> LedgerTask:
    """Return a new task as the ledger has it."""
    return LedgerTask.model_construct(
        task_id=task.task_id,
        tenant=task.tenant,
        processor=task.processor,
        priority=task.priority,
        state=TaskState.QUEUED,
        attempts=0,
        submitted_at=task.submitted_at,
        sent_at=task.sent_at,
        request_id=task.request_id,
        token_id=task.token_id,
        token_name=task.token_name,
    )


def _is_task_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
