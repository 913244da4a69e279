"""The port of task ledgers: the durable record of every accepted task, from its acceptance to its end.

To add one, add one module to `ledgers/` that offers a `LEDGER` for a store; nothing else names it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from vestibule.contracts.task_ledger import (
    AttemptRecord,
    LedgerTask,
    NewTask,
    Recorded,
    TaskChange,
    TaskCount,
    TaskEvent,
    TaskFilter,
    UnsentCounts,
)
from vestibule.contracts.tasks import Cause, TaskState
from vestibule.database_service.entries.store import Store
from vestibule.service_kit.metrics.catalogue import LEDGER_TASKS
from vestibule.service_kit.metrics.metrics import Metrics

# A sent task becomes due again within seconds. One that is not due for longer than this was delayed by a clock that was
# set back, and is due now.
LONGEST_LEASE_S = 60.0

# The states of tasks that are not done: workers have them, or a person has to decide.
NOT_DONE = (TaskState.QUEUED, TaskState.RUNNING, TaskState.RETRYING, TaskState.DEAD)

# How long the record of a task stays whose data was erased.
KEEP_ERASED_S = 86_400.0

# The most characters of data that one read returns.
MAX_DATA_CHARS = 2_000_000

# The attempts that a task keeps, the last ones.
KEPT_ATTEMPTS = 20
# The events that a task keeps: the first, and the last ones.
KEPT_EVENTS = 20
ATTEMPT_MEMBERS = ("number", "worker", "started_at", "ended_at", "cause")


# Counting more takes too long; an answer with so many says that there may be more.
MAX_COUNTED = 100_000


@dataclass(frozen=True, slots=True)
class StoredTask:
    """The encrypted data and result of one task."""

    task_id: str
    tenant: str
    data: str | None
    result: str | None


class TaskLedger(Protocol):
    """Stores tasks. An answer to a change means that it is on disk.

    Every method raises `Unavailable` where the ledger cannot answer for certain.
    """

    async def prepare(self) -> None:
        """Create missing tables in the open store."""
        ...

    async def accept(self, tasks: Sequence[NewTask]) -> list[Recorded]:
        """Record tasks that have data, each unless it exists already: by its id, or by its unique key."""
        ...

    async def find(self, task_ids: Sequence[str]) -> list[LedgerTask]:
        """Return those of the tasks that exist, with their results until these expire."""
        ...

    async def claim(self, limit: int, lease_s: float, processors: Sequence[str] | None = None) -> list[LedgerTask]:
        """Return unfinished tasks that are due, and make them due again after `lease_s`, not before.

        A task that was not sent before counts as sent now. With `processors`, such tasks of others are left out.
        """
        ...

    async def count_unsent(self, limit: int) -> UnsentCounts:
        """Count the tasks that are due and were not sent, by processor and priority, at most `limit` in all."""
        ...

    async def read_data(self, task_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the data of tasks that still have some, as many as fit into `MAX_DATA_CHARS` and at least one."""
        ...

    async def change(self, changes: Sequence[TaskChange]) -> list[bool]:
        """Apply each change that the current state of its task allows, and say which were applied."""
        ...

    async def page(self, chosen: TaskFilter, limit: int, cursor: str | None) -> tuple[list[LedgerTask], str | None]:
        """Return matching tasks, the newest first and without results, and where the next page starts.

        A page examines a bounded number of tasks, so it may have fewer than `limit`, or none, and a next page.
        """
        ...

    async def counts(self, tenant: str | None) -> list[TaskCount]:
        """Return how many tasks are in each state, by tenant and processor; without a tenant of all."""
        ...

    async def find_of_request(self, request_id: str, tenant: str | None, limit: int) -> list[str]:
        """Return the ids of the tasks that a request made, the oldest first; without a tenant those of all."""
        ...

    async def sweep(self, limit: int) -> int:
        """Remove at most `limit` expired results and expired tasks; return how many."""
        ...

    async def read_stored(self, limit: int, cursor: str | None) -> tuple[list[StoredTask], str | None]:
        """Return data and results of tasks that have some, and where the next page starts; for maintenance."""
        ...

    async def replace_stored(self, old: StoredTask, new: StoredTask) -> bool:
        """Replace data and result of a task, unless they have changed meanwhile; say whether it was done.

        An unfinished task that loses its data is cancelled.
        """
        ...


@dataclass(frozen=True, slots=True)
class LedgerKind:
    """What a module of `ledgers/` offers: the kinds of store that it belongs to, and how to build it over one."""

    stores: tuple[type[Store], ...]
    build: Callable[[Store], TaskLedger]


def read_history(stored: Sequence[Sequence[Any]]) -> list[AttemptRecord]:
    """Return attempts as they are stored: number, worker, start, end and cause.

    A report that came twice is one attempt. An attempt between two others that was never reported lost its worker.
    """
    known = {attempt[0]: AttemptRecord(**dict(zip(ATTEMPT_MEMBERS, attempt, strict=True))) for attempt in stored}
    if not known:
        return []
    numbers = range(max(min(known), max(known) - KEPT_ATTEMPTS + 1), max(known) + 1)
    return [known.get(number) or AttemptRecord(number=number, cause=Cause.WORKER_LOST) for number in numbers]


def read_events(stored: Sequence[Sequence[Any]]) -> list[TaskEvent]:
    """Return events as they are stored."""
    return [TaskEvent(**dict(zip(TaskEvent.model_fields, event, strict=True))) for event in stored]


async def measure_tasks(ledger: TaskLedger, metrics: Metrics) -> None:
    """Set the gauge of tasks that are not done, by state; where the ledger does not answer, the gauge is absent."""
    metrics.forget(LEDGER_TASKS)
    counts = dict.fromkeys(NOT_DONE, 0)
    for count in await ledger.counts(None):
        if count.state in counts:
            counts[count.state] += count.tasks
    for state, number in counts.items():
        metrics.set(LEDGER_TASKS, number, state.value)
