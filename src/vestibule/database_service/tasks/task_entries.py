"""Tasks that read or write entries: accepted with the value under a key; completed with a result under a key."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from vestibule.contracts.entries import Condition
from vestibule.contracts.errors import PreconditionFailed, Refused
from vestibule.contracts.identity import RESERVED, Principal
from vestibule.contracts.task_ledger import (
    LedgerTask,
    NewTask,
    Recorded,
    TaskChange,
    TaskEvent,
    TaskEventKind,
    WriteBack,
)
from vestibule.contracts.tasks import TaskState
from vestibule.database_service.entries.store import Store, Write
from vestibule.database_service.entries.tenant_view import TenantView, tenant_prefix
from vestibule.database_service.tasks.encrypted_ledger import EncryptedTaskLedger
from vestibule.database_service.tasks.ledger import TaskLedger

# Markers of written results and of cancelled tasks, in a reserved tenant that no caller has.
MARKERS = tenant_prefix(f"{RESERVED}written")
WRITTEN, CANCELLED = "", "cancelled"
IS_UNMARKED = Condition.of_version(0)
MARKER_TTL = timedelta(days=1)


class TaskCompletion:
    """Changes tasks in the ledger, and writes results to entries.

    The result and a marker are one transaction of the store, which is refused where the marker exists. So a repeated
    change, whose first answer was lost, does not write the key again, even if others have written it since. The task
    changes after the write: where a task has succeeded, its result is in place.

    A cancellation writes the same marker first. So of a result and a cancellation one wins, also where two services
    change the task at the same time; a retry removes the marker.
    """

    def __init__(self, store: Store, ledger: TaskLedger | EncryptedTaskLedger) -> None:
        self._store = store
        self._ledger = ledger

    async def change(self, changes: Sequence[TaskChange]) -> list[bool]:
        """Apply each change that is allowed; those and the results that they write are on disk then."""
        marked = [step.task_id for step in changes if _needs_marker(step)]
        if not marked:
            return await self._ledger.change(changes)
        tasks = {task.task_id: task for task in await self._ledger.find(marked)}
        if len({step.task_id for step in changes}) < len(changes):
            return await self._ledger.change([await self._marked(step, tasks.get(step.task_id)) for step in changes])
        # Each is of another task, so their markers share commits.
        ready = await asyncio.gather(*(self._marked(step, tasks.get(step.task_id)) for step in changes))
        return await self._ledger.change(ready)

    async def _marked(self, step: TaskChange, task: LedgerTask | None) -> TaskChange:
        target = step.write_back
        bare = step if target is None else step.model_copy(update={"write_back": None})
        # A key of another tenant is never written, and a change that will be refused marks nothing.
        tenant = step.tenant if target is None else target.tenant
        if (
            not _needs_marker(step)
            or task is None
            or tenant not in (task.tenant, None)
            or task.state not in step.from_states
        ):
            return bare
        if TaskState.CANCELLED in step.from_states:
            await self._store.delete(MARKERS + step.task_id)
            return bare
        return await self._written(bare, target) if target is not None else await self._cancelled(step)

    async def _cancelled(self, step: TaskChange) -> TaskChange:
        try:
            await self._store.write_many([_marker(step, CANCELLED)])
        except PreconditionFailed:
            is_cancelled = await self._marker_of(step) == CANCELLED
            # Its result is written, so it has succeeded, although the ledger does not say so yet.
            return step if is_cancelled else step.model_copy(update={"from_states": []})
        # A result that meets the marker may have cancelled the task by then.
        return step.model_copy(update={"from_states": [*step.from_states, TaskState.CANCELLED]})

    async def _written(self, step: TaskChange, target: WriteBack) -> TaskChange:
        ends = None if target.ttl_s is None else datetime.now(UTC) + timedelta(seconds=target.ttl_s)
        result = Write(tenant_prefix(target.tenant) + target.key, step.result or "", ends, author=target.token_id)
        try:
            await self._store.write_many([result, _marker(step, WRITTEN)])
        except PreconditionFailed:
            if await self._marker_of(step) == CANCELLED:
                return step.model_copy(update={"state": TaskState.CANCELLED, "result": None, "keep_data": True})
            structlog.get_logger("vestibule.task_ledger").info("result_already_written", task_id=step.task_id)
        except Refused as refusal:
            # It would be refused each time, and the task would never end.
            structlog.get_logger("vestibule.task_ledger").warning(
                "result_not_written", task_id=step.task_id, error=type(refusal).__name__
            )
            return step.as_too_large()
        written = TaskEvent(kind=TaskEventKind.RESULT_WRITTEN, at=step.finished_at or time.time())
        return step.model_copy(update={"event": written})

    async def _marker_of(self, step: TaskChange) -> str | None:
        marker = await self._store.read(MARKERS + step.task_id)
        return None if marker is None else marker.value


def _needs_marker(step: TaskChange) -> bool:
    is_retry = TaskState.CANCELLED in step.from_states
    return step.write_back is not None or step.state is TaskState.CANCELLED or is_retry


def _marker(step: TaskChange, value: str) -> Write:
    ttl = MARKER_TTL + timedelta(seconds=step.keep_s or 0)
    return Write(MARKERS + step.task_id, value, datetime.now(UTC) + ttl, IS_UNMARKED)


class TaskAcceptance:
    """Accepts tasks: one that names a key gets the value under it as its data, in the same request."""

    def __init__(
        self, store: Store, ledger: TaskLedger | EncryptedTaskLedger, digest_of: Callable[[str, str], str]
    ) -> None:
        """Take the parts; `digest_of` returns the keyed digest of a key of a tenant."""
        self._store = store
        self._ledger = ledger
        self._digest_of = digest_of

    async def accept(self, tasks: Sequence[NewTask]) -> list[Recorded]:
        """Record tasks and return the outcome of each, in order; recorded tasks are on disk."""
        found = [task if task.key is None else await self._with_data(task, task.key) for task in tasks]
        with_data = [task for task in found if task is not None]
        recorded = iter(await self._ledger.accept(with_data) if with_data else [])
        return [
            Recorded(task_id=task.task_id, is_new=False, is_key_unknown=True)
            if ready is None
            else _answer(task, ready, next(recorded))
            for task, ready in zip(tasks, found, strict=True)
        ]

    async def _with_data(self, task: NewTask, key: str) -> NewTask | None:
        entry = await TenantView(self._store, Principal(task.tenant)).read(key)
        if entry is None:
            return None
        return task.model_copy(update={"data": entry.value, "key_digest": self._digest_of(key, task.tenant)})


def _answer(asked: NewTask, ready: NewTask, recorded: Recorded) -> Recorded:
    if asked.key is None or not recorded.is_new:
        return recorded
    return recorded.model_copy(update={"data": ready.data})
