"""What a ledger of tasks is: the durable record of every task that was accepted, from its acceptance to its end.

To add one, add one module to `task_ledgers/` that offers a `LEDGER` for a store; nothing else names it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from vestibule.contracts.task_ledger import LedgerTask, NewTask, Recorded, TaskChange
from vestibule.contracts.tasks import TaskState
from vestibule.database_service.entries.store import Store

# A task that was sent is looked after every few seconds. One that is not due for longer than this has become so by a
# clock that was set back, and is due now.
LONGEST_LEASE_S = 60.0

# What one claim may bring into the memory of those who ask, in characters.
MAX_DATA_CHARS = 2_000_000


@dataclass(frozen=True, slots=True)
class StoredTask:
    """The sealed texts of one task."""

    task_id: str
    tenant: str
    data: str | None
    result: str | None


class TaskLedger(Protocol):
    """Keeps tasks. An answer to a change means that it is on disk.

    Every method raises `Unavailable` where the ledger cannot answer for certain.
    """

    async def prepare(self) -> None:
        """Make what the ledger needs in its open store, where it is not there yet."""
        ...

    async def accept(self, tasks: Sequence[NewTask]) -> list[Recorded]:
        """Record tasks that have data, each unless it is there already: by its id, or by its unique key."""
        ...

    async def find(self, task_ids: Sequence[str]) -> list[LedgerTask]:
        """Return those of the tasks that are here, with their results as long as these are kept."""
        ...

    async def claim(self, limit: int, lease_s: float) -> list[LedgerTask]:
        """Return unfinished tasks that are due, and make them due again after `lease_s`: nobody else gets them before.

        A task that was not sent yet counts as sent now.
        """
        ...

    async def read_data(self, task_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the data of tasks that still have some, as many as fit into `MAX_DATA_CHARS` and at least one."""
        ...

    async def change(self, changes: Sequence[TaskChange]) -> list[bool]:
        """Take each step that may be taken from the state that the task is in, and say which were."""
        ...

    async def page(
        self, tenant: str | None, states: Sequence[TaskState], limit: int, cursor: str | None
    ) -> tuple[list[LedgerTask], str | None]:
        """Return tasks, the newest first and without results, and where the next page starts."""
        ...

    async def sweep(self, limit: int) -> int:
        """Remove at most `limit` results that have expired and tasks that are to be forgotten; return how many."""
        ...

    async def read_stored(self, limit: int, cursor: str | None) -> tuple[list[StoredTask], str | None]:
        """Return the texts of tasks that have some, and where the next page starts; for walks over all of them."""
        ...

    async def replace_stored(self, old: StoredTask, new: StoredTask) -> bool:
        """Put other texts in place of a task's, unless they have changed meanwhile; say whether it was done.

        An unfinished task that loses its data is cancelled.
        """
        ...


@dataclass(frozen=True, slots=True)
class LedgerKind:
    """What a module of `task_ledgers/` offers: the store that it belongs to, and how to build it over that store."""

    store: type[Store]
    build: Callable[[Store], TaskLedger]
