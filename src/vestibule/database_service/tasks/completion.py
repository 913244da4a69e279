"""Takes the steps of tasks; of one that succeeds and names a key, the result is written there first, once."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog

from vestibule.contracts.conditions import Condition
from vestibule.contracts.errors import PreconditionFailed, Refused
from vestibule.contracts.identity import RESERVED
from vestibule.contracts.task_ledger import LedgerTask, TaskChange
from vestibule.contracts.tasks import TaskState
from vestibule.database_service.entries.store import Store, Write
from vestibule.database_service.entries.tenant_view import start_of
from vestibule.database_service.tasks.ledger import TaskLedger

# The traces of results that were written, in the space of a tenant that no caller has.
TRACES = start_of(f"{RESERVED}written")
TRACE = Condition.of_version(0)
KEEP_TRACE = timedelta(days=1)


class TaskCompletion:
    """Stands before the ledger.

    The result and a trace of it are one write of the store, which is refused where the trace is there already. So a
    step that is repeated, because whoever asked for it heard no answer, changes the key no second time, however often
    it was written by others since. The step is taken after the write: of a task that has succeeded the result is in
    place.
    """

    def __init__(self, store: Store, ledger: TaskLedger) -> None:
        self._store = store
        self._ledger = ledger
        # A task that is cancelled while its result is being written is either cancelled before that or not at all.
        self._lock = asyncio.Lock()

    async def change(self, changes: Sequence[TaskChange]) -> list[bool]:
        """Take each step that may be taken; those are on disk then, and so are the results that they write."""
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
        # Another tenant's key is never written, whatever the step says.
        if task is None or task.tenant != target.tenant or task.state not in step.from_states:
            return bare
        kept_s = KEEP_TRACE if step.keep_s is None else KEEP_TRACE + timedelta(seconds=step.keep_s)
        result = Write(start_of(target.tenant) + target.key, step.result or "", author=target.token_id)
        trace = Write(TRACES + step.task_id, "", datetime.now(UTC) + kept_s, TRACE)
        try:
            await self._store.write_many([result, trace])
        except PreconditionFailed:
            structlog.get_logger("vestibule.task_ledger").info("result_already_written", task_id=step.task_id)
        except Refused as refusal:
            # It would be refused each time, and the task never settled.
            structlog.get_logger("vestibule.task_ledger").warning(
                "result_not_written", task_id=step.task_id, error=type(refusal).__name__
            )
            failed = {"state": TaskState.FAILED, "error": "ResultTooLarge", "result": None}
            return bare.model_copy(update=failed)
        return bare
