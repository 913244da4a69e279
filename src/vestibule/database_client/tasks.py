"""The client of the task ledger in the database service."""

from collections.abc import Sequence
from typing import Any

from vestibule.contracts.errors import Unavailable
from vestibule.contracts.subjects import PAGE_TIMEOUT_S, ErasePage
from vestibule.contracts.task_ledger import (
    MAX_TASKS,
    LedgerTask,
    LedgerTasks,
    NewTask,
    Recorded,
    RecordedTasks,
    TakenSteps,
    TaskChange,
    TaskData,
)
from vestibule.contracts.tasks import TaskState
from vestibule.runtime.batching import Batcher
from vestibule.service_kit.service_client import ServiceClient

PART = "database"
# Characters of one request or answer; a single larger one goes alone.
HEAVIEST = 1_000_000


class TaskLedgerClient:
    """Calls the ledger. Every method raises `Unavailable` where it does not confirm the outcome."""

    def __init__(self, peer: ServiceClient) -> None:
        self._peer = peer
        self._accepting = Batcher(
            self._accept, most=MAX_TASKS // 4, weigh=_weight, heaviest=HEAVIEST, timeout_s=peer.timeout_s / 2
        )
        self._finding = Batcher(self._find, most=50, weigh=lambda _task_id: 0, heaviest=1, timeout_s=peer.timeout_s / 2)

    async def accept(self, task: NewTask) -> Recorded:
        """Record a task; it is on disk then, unless its key is unknown."""
        return await self._accepting.submit(task)

    async def find(self, task_id: str) -> LedgerTask | None:
        """Return a task with its result, or None where it is unknown."""
        return await self._finding.submit(task_id)

    async def claim(self, limit: int, lease_s: float) -> list[LedgerTask]:
        """Return unfinished tasks that are due; no other caller gets them before the lease ends."""
        body = await self._post("/tasks/claim", {"limit": limit, "lease_s": lease_s})
        return LedgerTasks.model_validate(body).tasks

    async def read_data(self, task_ids: Sequence[str]) -> TaskData:
        """Return data and terms of tasks by id, of as many of the first ones as fit into one answer."""
        return TaskData.model_validate(await self._post("/tasks/data", {"task_ids": task_ids}))

    async def change(self, changes: Sequence[TaskChange]) -> list[bool]:
        """Apply the changes that are allowed, and say which were; they are on disk then."""
        taken: list[bool] = []
        left = list(changes)
        while left:
            some = _as_many_as_fit(left)
            del left[: len(some)]
            body = {"changes": [step.model_dump(mode="json", exclude_defaults=True) for step in some]}
            taken += TakenSteps.model_validate(await self._post("/tasks/change", body)).taken
        return taken

    async def page(
        self, tenant: str | None, states: Sequence[TaskState], limit: int, cursor: str | None
    ) -> LedgerTasks:
        """Return tasks, the newest first and without results."""
        given = {"tenant": tenant, "states": ",".join(states) or None, "cursor": cursor}
        query = {"limit": str(limit)} | {name: value for name, value in given.items() if value is not None}
        answer = await self._peer.call("GET", "/tasks", query=query)
        return LedgerTasks.model_validate(_expect_ok(answer.status, answer.body))

    async def erase(self, tenant: str, forms: list[str], limit: int, cursor: str | None) -> ErasePage:
        """Erase data and results of a page of a tenant's tasks that hold one of `forms`."""
        query = {"tenant": tenant, "limit": str(limit)} | ({} if cursor is None else {"cursor": cursor})
        answer = await self._peer.call(
            "POST", "/tasks/subjects/erase", query=query, body={"forms": forms}, timeout_s=PAGE_TIMEOUT_S
        )
        return ErasePage.model_validate(_expect_ok(answer.status, answer.body))

    async def _accept(self, tasks: list[NewTask]) -> list[Recorded]:
        body = {"tasks": [task.model_dump(mode="json", exclude_defaults=True) for task in tasks]}
        return RecordedTasks.model_validate(await self._post("/tasks/accept", body)).tasks

    async def _find(self, task_ids: list[str]) -> list[LedgerTask | None]:
        body = await self._post("/tasks/find", {"task_ids": list(dict.fromkeys(task_ids))})
        found = {task.task_id: task for task in LedgerTasks.model_validate(body).tasks}
        return [found.get(task_id) for task_id in task_ids]

    async def _post(self, path: str, body: object) -> Any:
        answer = await self._peer.call("POST", path, body=body)
        return _expect_ok(answer.status, answer.body)


def _weight(task: NewTask) -> int:
    # The size of a value under a key is unknown here; it comes back with the answer.
    return len(task.data or "") or HEAVIEST // 100


def _as_many_as_fit(changes: list[TaskChange]) -> list[TaskChange]:
    weight = 0
    for count, step in enumerate(changes[:MAX_TASKS]):
        weight += len(step.result or "")
        if count and weight > HEAVIEST:
            return changes[:count]
    return changes[:MAX_TASKS]


def _expect_ok(status: int, body: Any) -> Any:
    # Everything was validated by the same rules before, so a refusal means that the two services are incompatible.
    if status != 200:
        raise Unavailable(PART, f"The database service refused the request ({status}).")
    return body
