"""Accepts tasks; one that names a key gets the value under it as its data."""

from collections.abc import Sequence

from vestibule.contracts.identity import Principal
from vestibule.contracts.task_ledger import NewTask, Recorded
from vestibule.database_service.entries.store import Store
from vestibule.database_service.entries.tenant_view import TenantView
from vestibule.database_service.tasks.ledger import TaskLedger


class TaskAcceptance:
    """Reads the values and records the tasks, so that a caller needs one request for both."""

    def __init__(self, store: Store, ledger: TaskLedger) -> None:
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
