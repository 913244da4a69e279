"""The relay between ledger and queue: records the ends of tasks in the ledger, and resends tasks that the queue lost.

Several relays can run. An unfinished task becomes due in the ledger again and again; each time one relay claims it and
checks where it is.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import structlog
from redis.exceptions import RedisError

from vestibule.alerts import AlertEngine, AlertType
from vestibule.client_service.queue.dispatcher import TaskDispatcher
from vestibule.client_service.queue.publishers import QueueUnavailable
from vestibule.client_service.queue.queue_view import QueueSnapshot, QueueView
from vestibule.client_service.queue.result_backend import AttemptFailed
from vestibule.client_service.queue.task_message import TaskMessage
from vestibule.client_service.task_service.outcomes import LedgerSteps
from vestibule.contracts.errors import Unavailable
from vestibule.contracts.task_ledger import LedgerTask, TaskChange
from vestibule.contracts.tasks import TaskState, WorkTerms
from vestibule.database_client.tasks import TaskLedgerClient
from vestibule.runtime.background import in_background, repeat

CLAIM_BATCH = 500
RESULT_BATCH = 64
POLL_INTERVAL_S = 0.5
REPORT_TIMEOUT_S = 1.0
# Reports that arrive within this time share a commit.
BATCH_DELAY_S = 0.05
# A message can be between the queue and its worker for a moment. It is lost if two checks do not find it.
RECHECK_AFTER_S = 0.25
# The first check of a task after its acceptance, and the interval of the next; longer while many wait.
FIRST_CHECK_AFTER_S = 5.0
CHECK_INTERVAL_S = 10.0
MAX_CHECK_INTERVAL_S = 25.0
WAITING_A_SECOND = 1_000
OUTAGES = (RedisError, OSError, QueueUnavailable, Unavailable)


class TaskRelay:
    """Follows unfinished tasks of the ledger until they end."""

    def __init__(
        self,
        ledger: TaskLedgerClient,
        queue: QueueView,
        dispatcher: TaskDispatcher,
        steps: LedgerSteps,
        alerts: AlertEngine,
    ) -> None:
        self._ledger = ledger
        self._queue = queue
        self._dispatcher = dispatcher
        self._steps = steps
        self._alerts = alerts
        self._log = structlog.get_logger("vestibule.task_relay")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Process reports and due tasks in the background."""
        steps = (self.process_reports, self.process_due)
        loops = [repeat(step, outages=OUTAGES, on_error=partial(self._log_error, step.__name__)) for step in steps]
        async with in_background(*loops):
            yield

    async def process_reports(self) -> float:
        """Record the reports of workers in the ledger, and return the seconds until the next look."""
        reports = await self._queue.pop_reports(REPORT_TIMEOUT_S)
        if not reports:
            return 0.0
        ended = list(dict.fromkeys(report for report in reports if isinstance(report, str)))
        for some in _in_groups(ended, RESULT_BATCH):
            results = await self._queue.results(some)
            await self._settle([self._steps.after_result(*result) for result in results.items()])
        now = time.time()
        failed = [report for report in reports if isinstance(report, AttemptFailed)]
        await self._settle([self._steps.after_failed_attempt(report, now) for report in failed])
        return BATCH_DELAY_S

    async def process_due(self) -> float:
        """Claim the tasks that are due, and send those that were not sent or that the queue lost.

        Return the seconds until the next look.
        """
        lease_s = await self._lease_s()
        tasks = await self._ledger.claim(CLAIM_BATCH, lease_s)
        await self._send([task for task in tasks if task.sent_at is None])
        await self._check_sent([task for task in tasks if task.sent_at is not None], lease_s)
        return POLL_INTERVAL_S if len(tasks) < CLAIM_BATCH else 0.0

    async def _lease_s(self) -> float:
        # Asked first: while Redis is unavailable no task is claimed, so none is postponed.
        waiting = await self._queue.depth()
        return min(CHECK_INTERVAL_S + waiting / WAITING_A_SECOND, MAX_CHECK_INTERVAL_S)

    async def _check_sent(self, tasks: Sequence[LedgerTask], lease_s: float) -> None:
        if not tasks:
            return
        snapshot = await self._queue.snapshot([task.task_id for task in tasks])
        steps = [self._after(task, snapshot, lease_s) for task in tasks]
        await self._settle(steps)
        unreadable = [task for task in tasks if task.task_id in snapshot.results and self._is_unreadable(task, steps)]
        await self._reject(unreadable)
        missing = [task for task in tasks if _is_lost(task, snapshot)]
        if not missing:
            return
        await asyncio.sleep(RECHECK_AFTER_S)
        again = await self._queue.snapshot([task.task_id for task in missing])
        lost = [task for task in missing if _is_lost(task, again)]
        if lost:
            self._log.warning("lost_tasks_requeued", tasks=len(lost))
            await self._resend(lost, lease_s)

    def _after(self, task: LedgerTask, snapshot: QueueSnapshot, lease_s: float) -> TaskChange | None:
        if (content := snapshot.results.get(task.task_id)) is not None:
            return self._steps.after_result(task.task_id, content)
        if task.task_id in snapshot.at_workers and task.state is not TaskState.RUNNING:
            return _continued(task, TaskState.RUNNING, lease_s)
        return None

    @staticmethod
    def _is_unreadable(task: LedgerTask, steps: Sequence[TaskChange | None]) -> bool:
        return all(step is None or step.task_id != task.task_id for step in steps)

    async def _reject(self, tasks: Sequence[LedgerTask]) -> None:
        """Count a result that was not encrypted for its task as a failed attempt."""
        if not tasks:
            return
        await self._queue.forget([task.task_id for task in tasks])
        failed = [AttemptFailed(task.task_id, "MessageRefused", task.attempts + 1) for task in tasks]
        await self._settle([self._steps.after_failed_attempt(one, time.time()) for one in failed])

    async def _resend(self, tasks: Sequence[LedgerTask], lease_s: float) -> None:
        sent = await self._send(tasks)
        steps = [_continued(task, task.state, lease_s, sent_at=time.time()) for task in tasks if task.task_id in sent]
        await self._settle(steps)

    async def _send(self, tasks: Sequence[LedgerTask]) -> set[str]:
        """Send tasks and return the ids of those that were sent; the others become due again."""
        left = {task.task_id: task for task in tasks}
        sent: set[str] = set()
        while left:
            found = await self._ledger.read_data(list(left))
            if not found.data:
                break
            messages = [_message(left.pop(task_id), text, found.terms[task_id]) for task_id, text in found.data.items()]
            await self._dispatcher.send(messages)
            sent |= found.data.keys()
        return sent

    async def _settle(self, steps: Sequence[TaskChange | None]) -> None:
        changes = [step for step in steps if step is not None]
        if not changes:
            return
        applied = await self._ledger.change(changes)
        for step, is_applied in zip(changes, applied, strict=True):
            if is_applied and step.state is TaskState.DEAD:
                await self._alert_dead(step)
        await self._queue.expire([step.task_id for step in changes if step.state.is_end])

    async def _alert_dead(self, step: TaskChange) -> None:
        self._log.error("task_dead_lettered", task_id=step.task_id, error=step.error, attempts=step.attempts)
        await self._alerts.raise_alert(
            AlertType.TASK_DEAD_LETTERED,
            f"A task is given up after {step.attempts} attempts ({step.error}); task {step.task_id} waits in the "
            "dead letters.",
        )

    def _log_error(self, step: str, error: Exception) -> None:
        if isinstance(error, OUTAGES):
            self._log.warning("relay_degraded", step=step, error=type(error).__name__)
        else:
            self._log.error("relay_failed", step=step, exc_info=error)


def _is_lost(task: LedgerTask, snapshot: QueueSnapshot) -> bool:
    return task.sent_at is not None and snapshot.is_lost(task.task_id, task.priority, task.sent_at)


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


def _message(task: LedgerTask, data: str, terms: WorkTerms) -> TaskMessage:
    return TaskMessage(task.task_id, data, task.processor, task.priority, task.attempts, time.time(), terms=terms)


def _in_groups(items: Sequence[str], size: int) -> list[Sequence[str]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
