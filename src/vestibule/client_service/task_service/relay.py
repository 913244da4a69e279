"""The relay between ledger and queue: records the ends of tasks in the ledger, and resends tasks that the queue lost.

Several relays can run. An unfinished task becomes due in the ledger again and again; each time one relay claims it and
checks where it is. A task that is paused waits in the ledger, as one that was not sent, and is not claimed.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial

import structlog
from redis.exceptions import RedisError

from vestibule.alerts import AlertEngine, AlertType
from vestibule.client_service.queue.dispatcher import QueueUnavailable, TaskPublisher
from vestibule.client_service.queue.pauses import QueuePauses
from vestibule.client_service.queue.queue_view import QueueSnapshot, QueueView
from vestibule.client_service.queue.result_backend import AttemptFailed, HandedBack, parse_report
from vestibule.client_service.queue.task_message import TaskMessage
from vestibule.client_service.task_service.outcomes import LedgerSteps
from vestibule.contracts.errors import TooLarge, Unavailable, VestibuleError
from vestibule.contracts.identity import SYSTEM_TENANT
from vestibule.contracts.task_ledger import LedgerTask, TaskChange
from vestibule.contracts.tasks import NO_TERMS, Priority, TaskState, split_error
from vestibule.database_client.tasks import TaskLedgerClient, in_batches
from vestibule.runtime.background import in_background, repeat

CLAIM_BATCH = 500
RESULT_BATCH = 64
POLL_INTERVAL_S = 0.5
REPORT_TIMEOUT_S = 1.0
# Reports that arrive within this time share a commit.
BATCH_DELAY_S = 0.05
# A message can be between the queue and its worker for a moment. It is lost if two checks do not find it.
RECHECK_AFTER_S = 0.25
# The interval of the checks of a task; longer while many wait.
CHECK_INTERVAL_S = 10.0
MAX_CHECK_INTERVAL_S = 25.0
WAITING_A_SECOND = 1_000
OUTAGES = (RedisError, OSError, QueueUnavailable, Unavailable)
# After so many tasks that cannot be settled, and none that can, the fault is not theirs.
FAILURES_OF_AN_OUTAGE = 3
FAILURES = (TaskState.FAILED, TaskState.DEAD)


class TaskRelay:
    """Follows unfinished tasks of the ledger until they end."""

    def __init__(
        self,
        ledger: TaskLedgerClient,
        queue: QueueView,
        publisher: TaskPublisher,
        steps: LedgerSteps,
        alerts: AlertEngine,
        *,
        pauses: QueuePauses,
    ) -> None:
        self._ledger = ledger
        self._queue = queue
        self._publisher = publisher
        self._steps = steps
        self._alerts = alerts
        self._pauses = pauses
        self._log = structlog.get_logger("vestibule.task_relay")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Process reports and due tasks in the background."""
        steps = (self.process_reports, self.process_due)
        loops = [repeat(step, outages=OUTAGES, on_error=partial(self._log_error, step.__name__)) for step in steps]
        async with in_background(*loops):
            yield

    async def process_reports(self) -> float:
        """Record the reports of workers in the ledger, and return the seconds until the next poll."""
        reports: list[str | AttemptFailed | HandedBack] = []
        for report in await self._queue.pop_reports(REPORT_TIMEOUT_S):
            # What is no report is dropped; a task whose report is lost is found when it becomes due.
            with suppress(ValueError):
                reports.append(parse_report(self._steps.cipher, report))
        if not reports:
            return 0.0
        now = time.time()
        failed = [report for report in reports if isinstance(report, AttemptFailed)]
        await self._settle([self._steps.after_failed_attempt(report, now) for report in failed])
        await self._keep_handed_back([report for report in reports if isinstance(report, HandedBack)])
        ended = list(dict.fromkeys(report for report in reports if isinstance(report, str)))
        for start in range(0, len(ended), RESULT_BATCH):
            results = await self._queue.results(ended[start : start + RESULT_BATCH])
            await self._settle([self._steps.after_result(*result) for result in results.items()])
        return BATCH_DELAY_S

    async def process_due(self) -> float:
        """Claim the tasks that are due, and send those that were not sent or that the queue lost.

        Return the seconds until the next poll.
        """
        # Asked first: while Redis is unavailable no task is claimed, so none is postponed.
        waiting = await self._queue.depth()
        await self._pauses.ensure_known()
        lease_s = min(CHECK_INTERVAL_S + waiting / WAITING_A_SECOND, MAX_CHECK_INTERVAL_S)
        tasks = await self._ledger.claim(CLAIM_BATCH, lease_s, self._pauses.unpaused)
        sent = [task for task in tasks if task.sent_at is not None]
        snapshot = await self._queue.snapshot([task.task_id for task in sent]) if sent else NOTHING
        # Each part runs although another fails: the same tasks are claimed together again.
        outcomes = await asyncio.gather(
            self._send_first([task for task in tasks if task.sent_at is None]),
            self._check_results(sent, snapshot, lease_s),
            self._resend_lost([task for task in sent if _is_lost(task, snapshot)], lease_s),
            return_exceptions=True,
        )
        for error in filter(None, outcomes):
            raise error
        return POLL_INTERVAL_S if len(tasks) < CLAIM_BATCH else 0.0

    async def _send_first(self, tasks: Sequence[LedgerTask]) -> None:
        # What Redis has of an earlier run of a retried task would stop the next one.
        if queued := [task.task_id for task in tasks if task.state is TaskState.QUEUED]:
            await self._queue.forget(queued)
        await self._send(tasks)

    async def _check_results(self, tasks: Sequence[LedgerTask], snapshot: QueueSnapshot, lease_s: float) -> None:
        steps = [self._after(task, snapshot, lease_s) for task in tasks]
        unreadable = [
            task for task, step in zip(tasks, steps, strict=True) if step is None and task.task_id in snapshot.results
        ]
        if unreadable:
            # A result that was not encrypted for its task counts as a failed attempt.
            await self._queue.forget([task.task_id for task in unreadable])
            failed = [AttemptFailed(task.task_id, "MessageRefused", task.attempts + 1) for task in unreadable]
            steps += [self._steps.after_failed_attempt(one, time.time()) for one in failed]
        await self._settle(steps)

    async def _resend_lost(self, missing: Sequence[LedgerTask], lease_s: float) -> None:
        if not missing:
            return
        await asyncio.sleep(RECHECK_AFTER_S)
        again = await self._queue.snapshot([task.task_id for task in missing])
        lost = [task for task in missing if _is_lost(task, again)]
        if not lost:
            return
        # Such a task may have ended once, without its result: workers would skip it.
        cancelled, now = await self._queue.revive([task.task_id for task in lost]), time.time()
        left = [task for task in lost if task.task_id not in cancelled]
        paused = {task.task_id: task for task in left if self._pauses.covering(task.processor)}
        if len(paused) < len(lost):
            self._log.warning("lost_tasks_requeued", tasks=len(lost) - len(paused))
        sent = await self._send([task for task in left if task.task_id not in paused])
        await self._settle(
            [
                *(self._steps.after_cancel(task_id, now) for task_id in cancelled),
                *(_unsent(task) for task in paused.values()),
                *(_continued(task, task.state, lease_s, sent_at=now) for task in lost if task.task_id in sent),
            ]
        )

    async def _keep_handed_back(self, reports: Sequence[HandedBack]) -> None:
        """Keep tasks that workers handed back in the ledger, until the pause is over."""
        by_id = {report.task_id: report for report in reports}
        tasks = await self._ledger.find_states(list(by_id))
        await self._settle(
            [
                _unsent(task, has_started=by_id[task_id].has_started)
                for task_id, task in tasks.items()
                # It may have been sent again meanwhile, if the report waited for long.
                if not task.state.is_end and (task.sent_at or 0.0) <= by_id[task_id].at
            ]
        )

    def _after(self, task: LedgerTask, snapshot: QueueSnapshot, lease_s: float) -> TaskChange | None:
        if (content := snapshot.results.get(task.task_id)) is not None:
            return self._steps.after_result(task.task_id, content)
        if task.task_id in snapshot.at_workers and task.state is not TaskState.RUNNING:
            return _continued(task, TaskState.RUNNING, lease_s)
        return None

    async def _send(self, tasks: Sequence[LedgerTask]) -> set[str]:
        """Send tasks and return the ids of those that were sent; the others become due again."""
        left = {task.task_id: task for task in tasks}
        sent: set[str] = set()
        while left:
            found = await self._ledger.read_data(list(left))
            if not found.data and not found.unreadable:
                break
            for task_id in found.unreadable:
                left.pop(task_id, None)
            messages = []
            for task_id, data in found.data.items():
                task, terms = left.pop(task_id), found.terms[task_id]
                sent_as = (task_id, data, task.processor, task.priority, task.attempts, time.time())
                messages.append(TaskMessage(*sent_as, request_id=terms.request_id, terms=terms, tenant=task.tenant))
            await self._publisher.publish(messages)
            sent |= found.data.keys()
        return sent

    async def _settle(self, steps: Sequence[TaskChange | None]) -> None:
        """Apply changes in batches, and those of a batch that fails one by one.

        Raises the error of one that fails if none is applied.
        """
        failed: list[TaskChange] = []
        errors: dict[str, str] = {}
        has_settled = False
        for batch in in_batches([step for step in steps if step is not None]):
            try:
                await self._apply(batch)
                has_settled = True
            except Exception:  # noqa: BLE001 - whatever is wrong with one of them
                failed += batch
        # In another order each time, so that the same ones are not always the first.
        for step in random.sample(failed, len(failed)):
            try:
                await self._apply_alone(step)
                has_settled = True
            except Exception as error:
                errors[step.task_id] = type(error).__name__
                if not has_settled and len(errors) in (FAILURES_OF_AN_OUTAGE, len(failed)):
                    raise
        for task_id, name in errors.items():
            self._log.error("task_not_settled", task_id=task_id, error=name)

    async def _apply_alone(self, step: TaskChange) -> None:
        try:
            await self._apply([step])
        except TooLarge:
            await self._apply([step.as_too_large()])

    async def _apply(self, changes: Sequence[TaskChange]) -> None:
        applied = await self._ledger.change(changes)
        for step, is_applied in zip(changes, applied, strict=True):
            if is_applied and step.state in FAILURES:
                await self._report_failure(step)
        await self._queue.expire([step.task_id for step in changes if step.state.is_end])

    async def _report_failure(self, step: TaskChange) -> None:
        """Alert on a task that failed or is dead; alerts of one processor and cause are one group."""
        kind, cause = split_error(step.error or "TaskFailed")
        processor, tenant, terms = "unknown", SYSTEM_TENANT, NO_TERMS
        try:
            task = await self._ledger.find(step.task_id)
            if task is not None:
                processor, tenant = task.processor, task.tenant
            terms = (await self._ledger.read_data([step.task_id])).terms.get(step.task_id, NO_TERMS)
        except VestibuleError as error:
            # Operators see the alert. The end is recorded, so this is not done again.
            self._log.warning("failure_without_origin", task_id=step.task_id, error=type(error).__name__)
        alert_type = AlertType.TASK_FAILED
        what = f"failed ({kind})"
        if step.state is TaskState.DEAD:
            alert_type, what = AlertType.TASK_DEAD_LETTERED, f"failed {step.attempts} attempts ({kind})"
            self._log.error(
                "task_dead_lettered",
                task_id=step.task_id,
                request_id=terms.request_id,
                token_id=terms.origin.token_id,
                token_name=terms.origin.token_name,
                error=kind,
                cause=cause,
                attempts=step.attempts,
            )
        await self._alerts.raise_alert(
            alert_type,
            f"A task of the processor {processor} {what}; the cause is {cause}.",
            request_id=terms.request_id,
            token_id=terms.origin.token_id,
            token_name=terms.origin.token_name,
            task_id=step.task_id,
            subject=f"{processor}: {cause}",
            tenant=tenant,
        )

    def _log_error(self, step: str, error: Exception) -> None:
        if isinstance(error, OUTAGES):
            self._log.warning("relay_degraded", step=step, error=type(error).__name__)
        else:
            self._log.error("relay_failed", step=step, exc_info=error)


NOTHING = QueueSnapshot({}, frozenset(), dict.fromkeys(Priority))


def _is_lost(task: LedgerTask, snapshot: QueueSnapshot) -> bool:
    return task.sent_at is not None and snapshot.is_lost(task.task_id, task.priority, task.sent_at)


def _unsent(task: LedgerTask, *, has_started: bool = False) -> TaskChange:
    """Return the change of a task that waits in the ledger for the end of a pause; it is due, and counts no attempt."""
    is_first = task.state is TaskState.QUEUED and not has_started
    return TaskChange(
        task_id=task.task_id,
        from_states=[task.state],
        state=TaskState.QUEUED if is_first else TaskState.RETRYING,
        due_in_s=0,
        error=task.error,
    )


def _continued(task: LedgerTask, state: TaskState, lease_s: float, sent_at: float | None = None) -> TaskChange:
    """Return the change of a task that continues."""
    return TaskChange(
        task_id=task.task_id,
        from_states=[task.state],
        state=state,
        due_in_s=lease_s,
        sent_at=task.sent_at if sent_at is None else sent_at,
        error=task.error,
    )
