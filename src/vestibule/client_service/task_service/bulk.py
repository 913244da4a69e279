"""Acts on all tasks that match: a preview with a confirmation, then a job that goes on over restarts.

The confirmation is a keyed digest of what it confirms, so any replica checks it and none stores it. The tasks are
those that match when it is confirmed; each is changed on the condition of its state, as by the route of one task.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hmac import compare_digest
from typing import Any, Self

import structlog
from pydantic import BaseModel, Field
from redis.exceptions import RedisError

from vestibule.client_service.intake.work import keyed_names
from vestibule.client_service.jobs import BackgroundJobs, JobKind, JobRecord, JobRecords
from vestibule.client_service.queue.queue_view import QueueView
from vestibule.client_service.task_service.outcomes import RETRYABLE_STATES, UNFINISHED_STATES, LedgerSteps
from vestibule.client_service.task_service.task_service import REDIS_TIMEOUT_S, find_page
from vestibule.client_service.task_status import at, at_or_none
from vestibule.contracts.entries import Pair
from vestibule.contracts.errors import (
    BulkActionInProgress,
    BulkActionNotFound,
    ConfirmationInvalid,
    KeyNotFound,
    Unavailable,
    VestibuleError,
)
from vestibule.contracts.identity import Principal
from vestibule.contracts.schedules import place_of
from vestibule.contracts.task_ledger import LedgerTask, TaskChange, TaskEvent, TaskEventKind, TaskFilter
from vestibule.contracts.tasks import TaskState
from vestibule.database_client.entries import EntryClient
from vestibule.database_client.tasks import TaskLedgerClient
from vestibule.encryption import Fingerprinter

OWNER = Principal("~bulk")
CHUNKS = "chunks/"
MAX_TASKS_AT_ONCE = 10_000
PAGE = 1000
# Where few tasks match, pages of the ledger are short; the rest is left for another time.
MAX_PAGES = 100
CONFIRM_WITHIN_S = 300
# Tasks that one request changes. Between two of them, others are served for as long as one took.
SLICE_OF_TASKS = 20
KEEP_CHUNKS_S = 7 * 86_400.0


class BulkAction(StrEnum):
    """What to do with each task."""

    RETRY = "retry"
    CANCEL = "cancel"
    DROP = "drop"


STATES_OF: dict[BulkAction, Sequence[TaskState]] = {
    BulkAction.RETRY: RETRYABLE_STATES,
    BulkAction.CANCEL: UNFINISHED_STATES,
    BulkAction.DROP: [TaskState.DEAD],
}


EVENTS = {
    BulkAction.RETRY: TaskEventKind.RETRIED,
    BulkAction.CANCEL: TaskEventKind.CANCELLED,
    BulkAction.DROP: TaskEventKind.DROPPED,
}


class BulkState(StrEnum):
    """Whether the job still runs."""

    RUNNING = "running"
    FINISHED = "finished"


class BulkPreview(BaseModel):
    """How many tasks match, and how to confirm."""

    count: int = Field(description="Tasks that match now and can be changed so, up to 10,000", examples=[120])
    has_more: bool = Field(description="Whether more match than one job takes; repeat it for those")
    confirm: str = Field(
        description="Send the same request with this as `confirm`",
        examples=["1769860800.5f3a9c21d04b4c6e9a7b1d2e3f405162"],
    )
    expires_at: datetime


class BulkStatus(BaseModel):
    """The progress of a job."""

    job_id: str = Field(examples=["0b7c5a3e6d0f4a439c550a7d6a2f6f0e"])
    action: BulkAction
    state: BulkState
    total: int = Field(description="Tasks that matched when it was confirmed, up to 10,000")
    done: int
    skipped: int = Field(description="Tasks that had changed meanwhile, or whose data was gone")
    failed: int
    has_more: bool = Field(description="Whether more tasks matched than the job took")
    reason: str | None = None
    author: str | None = Field(description="Name of the token that confirmed it")
    started_at: datetime
    finished_at: datetime | None = None


class BulkRecord(JobRecord):
    """A job as it is stored. The ids of its tasks stand in chunks of their own."""

    bulk_id: str
    action: BulkAction
    author: str | None = None
    reason: str | None = None
    total: int
    has_more: bool
    position: int = 0
    done: int = 0
    skipped: int = 0
    failed: int = 0

    @property
    def job_id(self) -> str:
        """The id of the job."""
        return self.bulk_id

    def is_due_after(self, earlier: Self) -> bool:
        """What was changed counts as skipped when it is tried again, so a process that is killed loses one slice."""
        return self.done != earlier.done

    def chunk(self, number: int) -> str:
        """Return the key of some of its tasks."""
        return f"{CHUNKS}{place_of(self.tenant)}{self.bulk_id}/{number}"

    @property
    def status(self) -> BulkStatus:
        """The progress, as the caller sees it."""
        return BulkStatus(
            **self.model_dump(include={"action", "total", "done", "skipped", "failed", "has_more", "reason", "author"}),
            job_id=self.bulk_id,
            state=BulkState.RUNNING if self.finished_at is None else BulkState.FINISHED,
            started_at=at(self.started_at),
            finished_at=at_or_none(self.finished_at),
        )


BULK_ACTIONS = JobKind(
    "bulk action",
    BulkRecord,
    lambda: BulkActionInProgress("An action on many tasks of your tenant is in progress; retry when it has finished."),
    lambda: BulkActionNotFound("No action on many tasks has that id."),
)


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """What is asked for, by whom, and why; `asked` is the filter as it was sent, which the confirmation is for."""

    action: BulkAction
    chosen: TaskFilter
    asked: str
    caller: Principal
    author: str | None = None
    reason: str | None = None
    request_id: str | None = None

    @property
    def narrowed(self) -> TaskFilter:
        """The filter over the states that the action applies to."""
        states = STATES_OF[self.action]
        return self.chosen.model_copy(
            update={"states": [one for one in states if one in (self.chosen.states or states)]}
        )


class BulkActions:
    """Previews, starts and runs actions on many tasks."""

    def __init__(
        self,
        entries: EntryClient,
        ledger: TaskLedgerClient,
        queue: QueueView,
        steps: LedgerSteps,
        fingerprinter: Fingerprinter,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take the parts; `entries` are those of `OWNER`."""
        self._records = JobRecords(BULK_ACTIONS, entries)
        self._entries = entries
        self._ledger = ledger
        self._queue = queue
        self._steps = steps
        self._fingerprinter = fingerprinter
        self._clock = clock
        self._jobs = BackgroundJobs(self._records, self._advance, self._conclude)
        self._log = structlog.get_logger("vestibule.bulk_actions")

    def running(self) -> AbstractAsyncContextManager[None]:
        """Continue in the background what other processes have left; stop all at the end."""
        return self._jobs.running()

    async def preview(self, request: BulkRequest) -> BulkPreview:
        """Count the tasks that match, and return the confirmation for those five minutes."""
        rows, has_more = await self._find(request)
        expires = int(self._clock()) + CONFIRM_WITHIN_S
        confirm = f"{expires}.{self._signatures(request, expires)[0]}"
        return BulkPreview(count=len(rows), has_more=has_more, confirm=confirm, expires_at=at(expires))

    async def start(self, request: BulkRequest, confirm: str) -> BulkRecord:
        """Start the job that `confirm` confirms; sent twice, it is the same job.

        Raises:
            ConfirmationInvalid: it confirms something else, or has expired.
            BulkActionInProgress: another job of the tenant runs.
        """
        self._check(request, confirm)
        bulk_id = hashlib.sha256(f"{request.caller.tenant} {confirm}".encode()).hexdigest()[:32]
        try:
            return await self._records.find(bulk_id, request.caller.tenant)
        except BulkActionNotFound:
            pass
        rows, has_more = await self._find(request)
        record = BulkRecord(
            bulk_id=bulk_id,
            tenant=request.caller.tenant,
            token_id=request.caller.token_id,
            request_id=request.request_id,
            started_at=time.time(),
            action=request.action,
            author=request.author,
            token_name=request.author,
            reason=request.reason,
            total=len(rows),
            has_more=has_more,
        )
        # Before the record: a job whose tasks are not all stored does not exist.
        for number, start in enumerate(range(0, len(rows), PAGE)):
            chunk = json.dumps(rows[start : start + PAGE])
            await self._entries.write(Pair(key=record.chunk(number), value=chunk, ttl_s=KEEP_CHUNKS_S))
        try:
            version = await self._records.add(record)
        except BulkActionInProgress:
            await self._forget_tasks(record)
            raise
        self._jobs.start(record, version)
        self._log.info("bulk_action_started", action=record.action, tasks=record.total, token_id=record.token_id)
        return record

    async def find(self, bulk_id: str, tenant: str) -> BulkRecord:
        """Return the record of a job of a tenant; raises `BulkActionNotFound` where there is none."""
        return await self._records.find(bulk_id, tenant)

    async def _find(self, request: BulkRequest) -> tuple[list[list[Any]], bool]:
        """Return what the job needs of each task, and whether there are more."""
        chosen = request.narrowed
        if not chosen.states:
            return [], False
        rows: list[list[Any]] = []
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            page = await find_page(self._ledger, chosen, min(PAGE, MAX_TASKS_AT_ONCE - len(rows)), cursor)
            rows += [_row(task) for task in page.tasks]
            cursor = page.cursor
            if cursor is None or len(rows) == MAX_TASKS_AT_ONCE:
                break
        return rows, cursor is not None

    def _check(self, request: BulkRequest, confirm: str) -> None:
        expires, _, signature = confirm.partition(".")
        is_signed = any(compare_digest(signature, one) for one in self._signatures(request, int(expires)))
        if not is_signed or int(expires) < self._clock():
            raise ConfirmationInvalid("It confirms another request, or has expired. Ask for a preview again.")

    def _signatures(self, request: BulkRequest, expires: int) -> list[str]:
        parts = (request.action, request.asked, request.caller.tenant, request.caller.token_id, str(expires))
        names = keyed_names(self._fingerprinter, "bulk", *parts, since_s=CONFIRM_WITHIN_S)
        return [name.rpartition(":")[2] for name in names]

    async def _advance(self, record: BulkRecord) -> BulkRecord:
        """Change the next few tasks."""
        if record.position >= record.total:
            return record.model_copy(update={"finished_at": time.time()})
        began = time.monotonic()
        number, start = divmod(record.position, PAGE)
        try:
            rows = json.loads((await self._entries.read(record.chunk(number))).value)
        except KeyNotFound:
            # It has waited for longer than a week.
            left = record.total - record.position
            return record.model_copy(update={"position": record.total, "failed": record.failed + left})
        some = rows[start : start + SLICE_OF_TASKS]
        done, failed = await self._change(record, some)
        changed = {
            "position": record.position + len(some),
            "done": record.done + done,
            "failed": record.failed + failed,
            "skipped": record.skipped + len(some) - done - failed,
        }
        await asyncio.sleep(time.monotonic() - began)
        return record.model_copy(update=changed)

    async def _change(self, record: BulkRecord, rows: Sequence[Sequence[Any]]) -> tuple[int, int]:
        """Change tasks; return how many were changed, and how many failed."""
        action = record.action
        try:
            applied = await self._ledger.change([self._step(record, *row) for row in rows])
        except Unavailable:
            raise
        except VestibuleError as error:
            self._log.error("bulk_change_failed", error=type(error).__name__, tasks=len(rows))
            return 0, len(rows)
        changed = [row[0] for row, is_applied in zip(rows, applied, strict=True) if is_applied]
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                if changed and action is BulkAction.RETRY:
                    await self._queue.forget(changed)
                elif action is BulkAction.CANCEL:
                    for task_id in changed:
                        await self._queue.mark_cancelled(task_id, self._steps.settings.task_record_expires_s)
        except (RedisError, OSError, TimeoutError) as error:
            # The ledger has the change; workers and relay find it there.
            self._log.info("bulk_action_without_queue", error=type(error).__name__, tasks=len(changed))
        return len(changed), 0

    def _step(
        self, record: BulkRecord, task_id: str, tenant: str, error: str | None, finished_at: float | None
    ) -> TaskChange:
        action = record.action
        if action is BulkAction.RETRY:
            step = self._steps.after_retry(task_id)
        elif action is BulkAction.CANCEL:
            step = self._steps.after_cancel(task_id, time.time())
        else:
            step = self._steps.after_drop(task_id, error, finished_at)
        event = TaskEvent(
            kind=EVENTS[action],
            at=time.time(),
            token_id=record.token_id,
            token_name=record.author,
            reference=record.request_id,
            job_id=record.bulk_id,
        )
        return step.model_copy(update={"tenant": tenant, "event": event})

    async def _forget_tasks(self, record: BulkRecord) -> None:
        for number in range(-(-record.total // PAGE)):
            await self._entries.delete(record.chunk(number))

    async def _conclude(self, record: BulkRecord) -> None:
        await self._forget_tasks(record)
        self._log.info(
            "bulk_action_finished",
            action=record.action,
            tasks=record.total,
            done=record.done,
            skipped=record.skipped,
            failed=record.failed,
            token_id=record.token_id,
        )


def _row(task: LedgerTask) -> list[Any]:
    return [task.task_id, task.tenant, task.error, task.finished_at]
