"""A task ledger in memory, without persistence: the double for tests, which passes the same conformance suite."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice

from vestibule.contracts.task_ledger import LedgerTask, NewTask, Recorded, TaskChange
from vestibule.contracts.tasks import TaskState
from vestibule.database_service.entries.memory import MemoryStore
from vestibule.database_service.entries.store import Store
from vestibule.database_service.tasks.ledger import LONGEST_LEASE_S, MAX_DATA_CHARS, NOT_DONE, LedgerKind, StoredTask


@dataclass(slots=True)
class _Row:
    """The row of a task."""

    seq: int
    task: LedgerTask
    data: str | None
    unique_key: str | None = None
    unique_until: float = 0.0
    result_until: float | None = None
    forget_at: float | None = None


class MemoryTaskLedger:
    """Tasks in a dictionary."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._rows: dict[str, _Row] = {}
        self._seqs = count(1)
        self._clock = clock

    async def prepare(self) -> None:
        """Do nothing: a dictionary is always ready."""

    async def accept(self, tasks: Sequence[NewTask]) -> list[Recorded]:
        """Record tasks, each unless it is there already."""
        return [self._accept(task) for task in tasks]

    async def find(self, task_ids: Sequence[str]) -> list[LedgerTask]:
        """Return those of the tasks that exist."""
        return [self._shown(self._rows[task_id]) for task_id in task_ids if task_id in self._rows]

    async def claim(self, limit: int, lease_s: float) -> list[LedgerTask]:
        """Return unfinished tasks that are due, and make them due again after `lease_s`."""
        now = self._clock()
        far = now + max(LONGEST_LEASE_S, lease_s)

        def is_due(task: LedgerTask) -> bool:
            return task.due_at is not None and (task.due_at <= now or (task.sent_at is not None and task.due_at > far))

        taken = list(islice((row for row in self._rows.values() if is_due(row.task)), limit))
        before = [row.task for row in taken]
        for row in taken:
            sent_at = now if row.task.sent_at is None else row.task.sent_at
            row.task = row.task.model_copy(update={"due_at": now + lease_s, "sent_at": sent_at})
        return before

    async def read_data(self, task_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the data of tasks that still have some."""
        found: dict[str, str] = {}
        for task_id in task_ids:
            row = self._rows.get(task_id)
            if row is None or row.data is None:
                continue
            if found and sum(map(len, found.values())) + len(row.data) > MAX_DATA_CHARS:
                break
            found[task_id] = row.data
        return found

    async def change(self, changes: Sequence[TaskChange]) -> list[bool]:
        """Take each step that may be taken."""
        return [self._change(step) for step in changes]

    async def page(
        self, tenant: str | None, states: Sequence[TaskState], limit: int, cursor: str | None
    ) -> tuple[list[LedgerTask], str | None]:
        """Return tasks, the newest first and without results, and where the next page starts."""
        found = [
            row
            for row in sorted(self._rows.values(), key=lambda row: -row.seq)
            if (cursor is None or row.seq < int(cursor))
            and tenant in (None, row.task.tenant)
            and (not states or row.task.state in states)
        ]
        shown = [self._shown(row).model_copy(update={"result": None}) for row in found[:limit]]
        return shown, str(found[limit - 1].seq) if len(found) > limit else None

    async def count_states(self, limit: int) -> Mapping[TaskState, int]:  # noqa: ARG002 - few are in memory
        """Return how many tasks are in each state that is not done."""
        states = [row.task.state for row in self._rows.values()]
        return {state: states.count(state) for state in NOT_DONE}

    async def sweep(self, limit: int) -> int:
        """Remove expired results and expired tasks."""
        now = self._clock()
        expired = [row for row in self._rows.values() if row.result_until and row.result_until <= now][:limit]
        for row in expired:
            row.data, row.result_until = None, 0.0
            row.task = row.task.model_copy(update={"result": None})
        forgotten = [row for row in self._rows.values() if row.forget_at is not None and row.forget_at <= now][:limit]
        for row in forgotten:
            del self._rows[row.task.task_id]
        return len(expired) + len(forgotten)

    async def read_stored(self, limit: int, cursor: str | None) -> tuple[list[StoredTask], str | None]:
        """Return the texts of tasks that have some, and where the next page starts."""
        found = [row for row in self._rows.values() if row.seq > int(cursor or 0)]
        found = [row for row in found if row.data is not None or row.task.result is not None]
        kept = [_kept(row) for row in found[:limit]]
        return kept, str(found[limit - 1].seq) if len(found) > limit else None

    async def replace_stored(self, old: StoredTask, new: StoredTask) -> bool:
        """Put other texts in place of a task's, unless they have changed meanwhile."""
        row = self._rows.get(old.task_id)
        if row is None or _kept(row) != old:
            return False
        row.data = new.data
        row.task = row.task.model_copy(update={"result": new.result})
        if new.data is None and row.task.due_at is not None:
            ending = {"state": TaskState.CANCELLED, "due_at": None, "finished_at": self._clock()}
            row.task = row.task.model_copy(update=ending)
        return True

    def _accept(self, task: NewTask) -> Recorded:
        now = self._clock()
        for row in self._rows.values():
            is_same = row.unique_key in task.unique_keys and row.unique_until > now
            if is_same and row.task.tenant == task.tenant:
                return Recorded(task_id=row.task.task_id, is_new=False)
        if task.task_id in self._rows:
            return Recorded(task_id=task.task_id, is_new=False)
        kept = LedgerTask(
            **task.model_dump(include={"task_id", "tenant", "processor", "priority", "submitted_at", "sent_at"}),
            state=TaskState.QUEUED,
            attempts=0,
            due_at=now + task.due_in_s,
        )
        unique_until = now + (task.unique_for_s or 0)
        unique_key = task.unique_keys[0] if task.unique_keys else None
        self._rows[task.task_id] = _Row(next(self._seqs), kept, task.data, unique_key, unique_until)
        return Recorded(task_id=task.task_id)

    def _change(self, step: TaskChange) -> bool:
        row = self._rows.get(step.task_id)
        if row is None or row.task.state not in step.from_states or step.tenant not in (None, row.task.tenant):
            return False
        if step.due_in_s is not None and row.data is None:
            return False
        now = self._clock()
        row.task = row.task.model_copy(
            update={
                "state": step.state,
                "due_at": None if step.due_in_s is None else now + step.due_in_s,
                "sent_at": step.sent_at,
                "attempts": row.task.attempts if step.attempts is None else step.attempts,
                "error": step.error,
                "result": step.result,
                "started_at": row.task.started_at if step.started_at is None else step.started_at,
                "finished_at": step.finished_at,
            }
        )
        row.data = row.data if step.keep_data else None
        row.result_until = None if step.keep_result_s is None else now + step.keep_result_s
        row.forget_at = None if step.keep_s is None else now + step.keep_s
        return True

    def _shown(self, row: _Row) -> LedgerTask:
        has_expired = row.result_until is not None and row.result_until <= self._clock()
        return row.task.model_copy(update={"has_expired": True, "result": None}) if has_expired else row.task


def _kept(row: _Row) -> StoredTask:
    return StoredTask(row.task.task_id, row.task.tenant, row.data, row.task.result)


def build(_store: Store) -> MemoryTaskLedger:
    """Return an empty ledger."""
    return MemoryTaskLedger()


LEDGER = LedgerKind((MemoryStore,), build)
