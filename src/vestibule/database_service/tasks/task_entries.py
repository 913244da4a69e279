"""Tasks that read or write entries: accepted with the value under a key; completed with a result under a key."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog

from vestibule.contracts.conditions import Condition
from vestibule.contracts.errors import PreconditionFailed, Refused
from vestibule.contracts.identity import RESERVED, Principal
from vestibule.contracts.task_ledger import LedgerTask, NewTask, Recorded, TaskChange
from vestibule.contracts.tasks import TaskState
from vestibule.database_service.entries.store import Store, Write
from vestibule.database_service.entries.tenant_view import TenantView, tenant_prefix
from vestibule.database_service.tasks.encrypted_ledger import EncryptedTaskLedger
from vestibule.database_service.tasks.ledger import TaskLedger

# Markers of written results, in a reserved tenant that no caller has.
MARKERS = tenant_prefix(f"{RESERVED}written")
IS_UNMARKED = Condition.of_version(0)
MARKER_TTL = timedelta(days=1)


class TaskCompletion:
    """Changes tasks in the ledger, and writes results to entries.

    The result and a marker are one transaction of the store, which is refused where the marker exists. So a repeated
    change, whose first answer was lost, does not write the key again, even if others have written it since. The task
    changes after the write: where a task has succeeded, its result is in place.
    """

    def __init__(self, store: Store, ledger: TaskLedger | EncryptedTaskLedger) -> None:
        self._store = store
        self._ledger = ledger
        # A task that is cancelled while its result is being written is either cancelled before that or not at all.
        self._lock = asyncio.Lock()

    async def change(self, changes: Sequence[TaskChange]) -> list[bool]:
        """Apply each change that is allowed; those and the results that they write are on disk then."""
        if not any(step.write_back is not None or step.state is TaskState.CANCELLED for step in changes):
            return await self._ledger.change(changes)
        async with self._lock:
            wanted = [step.task_id for step in changes if step.write_back is not None]
            tasks = {task.task_id: task for task in await self._ledger.find(wanted)} if wanted else {}
            return await self._ledger.change([await self._written(step, tasks.get(step.task_id)) for step in changes])

    async def _written(self, step: TaskChange, task: LedgerTask | None) -> TaskChange:
        target = step.write_back
        if target is None:
            return step
        bare = step.model_copy(update={"write_back": None})
        # A key of another tenant is never written.
        if task is None or task.tenant != target.tenant or task.state not in step.from_states:
            return bare
        ttl_s = MARKER_TTL if step.keep_s is None else MARKER_TTL + timedelta(seconds=step.keep_s)
        result = Write(tenant_prefix(target.tenant) + target.key, step.result or "", author=target.token_id)
        marker = Write(MARKERS + step.task_id, "", datetime.now(UTC) + ttl_s, IS_UNMARKED)
        try:
            await self._store.write_many([result, marker])
        except PreconditionFailed:
            structlog.get_logger("vestibule.task_ledger").info("result_already_written", task_id=step.task_id)
        except Refused as refusal:
            # It would be refused each time, and the task would never end.
            structlog.get_logger("vestibule.task_ledger").warning(
                "result_not_written", task_id=step.task_id, error=type(refusal).__name__
            )
            failed = {"state": TaskState.FAILED, "error": "ResultTooLarge", "result": None}
            return bare.model_copy(update=failed)
        return bare


class TaskAcceptance:
    """Accepts tasks: one that names a key gets the value under it as its data, in the same request."""

    def __init__(self, store: Store, ledger: TaskLedger | EncryptedTaskLedger) -> None:
        self._store = store
        self._ledger = ledger

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
        return None if entry is None else task.model_copy(update={"data": entry.value})


def _answer(asked: NewTask, ready: NewTask, recorded: Recorded) -> Recorded:
    if asked.key is None or not recorded.is_new:
        return recorded
    return recorded.model_copy(update={"data": ready.data})
