"""The client of the task ledger in the database service."""

from collections.abc import Iterator, Sequence

from vestibule.contracts.errors import Unavailable
from vestibule.contracts.subjects import PAGE_TIMEOUT_S, ErasePage, SubjectQuery
from vestibule.contracts.task_ledger import (
    MAX_TASKS,
    LedgerTask,
    LedgerTasks,
    NewTask,
    Recorded,
    RecordedTasks,
    RequestTasks,
    TakenSteps,
    TaskChange,
    TaskCount,
    TaskCounts,
    TaskData,
    TaskFilter,
    TaskQuery,
    UnsentCounts,
)
from vestibule.database_client.transport import PART, DatabaseTransport
from vestibule.runtime.batching import Batcher, json_bytes

# Bytes of texts in one request; a single larger item is sent alone.
HEAVIEST = 1_000_000
# The most tasks of one request to find; their results come back with them.
MOST_FOUND = 50


class TaskLedgerClient:
    """Calls the ledger. Every method raises `Unavailable` where it does not confirm the outcome."""

    def __init__(self, database: DatabaseTransport) -> None:
        self._database = database
        timeout_s = database.batch_timeout_s
        self._accepting = Batcher(
            self._accept, most=MAX_TASKS // 4, weigh=_weight, heaviest=HEAVIEST, timeout_s=timeout_s
        )
        self._finding = Batcher(self._find, most=MOST_FOUND, timeout_s=timeout_s)

    async def accept(self, task: NewTask) -> Recorded:
        """Record a task; it is on disk then, unless its key is unknown.

        Raises:
            TooLarge: it does not fit into a request to the database service.
        """
        return await self._accepting.submit(task)

    async def find_any(self, task_id: str) -> LedgerTask | None:
        """Return a task, or None where it is unknown; without its result where that cannot be decrypted."""
        return await self._finding.submit(task_id)

    async def find(self, task_id: str) -> LedgerTask | None:
        """Return a task with its result, or None where it is unknown."""
        task = await self.find_any(task_id)
        if task is not None and task.is_unreadable:
            raise Unavailable(PART, "The result of this task cannot be decrypted.")
        return task

    async def find_states(self, task_ids: Sequence[str]) -> dict[str, LedgerTask]:
        """Return tasks by their ids, without their results; what is unknown is left out."""
        if not task_ids:
            return {}
        body = {"task_ids": task_ids, "with_results": False}
        answer = LedgerTasks.model_validate(await self._database.send("POST", "/tasks/find", body=body))
        return {task.task_id: task for task in answer.tasks}

    async def find_of_request(self, request_id: str, tenant: str | None, limit: int) -> list[str]:
        """Return the ids of the tasks that a request made, the oldest first; without a tenant those of all."""
        query = {"request_id": request_id, "tenant": tenant, "limit": str(limit)}
        return RequestTasks.model_validate(await self._database.send("GET", "/tasks/of-request", query=query)).task_ids

    async def count_unsent(self) -> UnsentCounts:
        """Count the tasks that are due and not in the queue, by processor and priority."""
        return UnsentCounts.model_validate(await self._database.send("GET", "/tasks/unsent"))

    async def claim(self, limit: int, lease_s: float, processors: Sequence[str] | None = None) -> list[LedgerTask]:
        """Return unfinished tasks that are due; no other caller gets them before the lease ends.

        With `processors`, tasks of others that were not sent are left out.
        """
        body: dict[str, object] = {"limit": limit, "lease_s": lease_s}
        body |= {} if processors is None else {"processors": processors}
        return LedgerTasks.model_validate(await self._database.send("POST", "/tasks/claim", body=body)).tasks

    async def read_data(self, task_ids: Sequence[str]) -> TaskData:
        """Return data and terms of tasks by id, of as many of the first ones as fit into one response."""
        body = {"task_ids": task_ids}
        return TaskData.model_validate(await self._database.send("POST", "/tasks/data", body=body))

    async def change(self, changes: Sequence[TaskChange]) -> list[bool]:
        """Apply the changes that are allowed, and say which were; they are on disk then.

        Raises:
            TooLarge: they do not fit into one request; `in_batches` divides them.
        """
        body = {"changes": [step.model_dump(mode="json", exclude_defaults=True) for step in changes]}
        return TakenSteps.model_validate(await self._database.send("POST", "/tasks/change", body=body)).taken

    async def page(self, chosen: TaskFilter, limit: int, cursor: str | None) -> LedgerTasks:
        """Return matching tasks, the newest first and without results; a page may be short, and have a cursor."""
        query = TaskQuery.model_construct(filter=chosen, limit=limit, cursor=cursor)
        body = query.model_dump(mode="json", exclude_defaults=True)
        return LedgerTasks.model_validate(await self._database.send("POST", "/tasks/list", body=body))

    async def counts(self, tenant: str | None) -> list[TaskCount]:
        """Return how many tasks are in each state, by tenant and processor; without a tenant of all."""
        answer = await self._database.send("GET", "/tasks/counts", query={"tenant": tenant})
        return TaskCounts.model_validate(answer).counts

    async def erase(self, query: SubjectQuery, tenant: str, limit: int, cursor: str | None) -> ErasePage:
        """Erase from data and results of a page of a tenant's tasks."""
        page, body = {"tenant": tenant, "limit": str(limit), "cursor": cursor}, query.model_dump()
        found = await self._database.send(
            "POST", "/tasks/subjects/erase", query=page, body=body, timeout_s=PAGE_TIMEOUT_S
        )
        return ErasePage.model_validate(found)

    async def _accept(self, tasks: list[NewTask]) -> list[Recorded]:
        body = {"tasks": [task.model_dump(mode="json", exclude_defaults=True) for task in tasks]}
        return RecordedTasks.model_validate(await self._database.send("POST", "/tasks/accept", body=body)).tasks

    async def _find(self, task_ids: list[str]) -> list[LedgerTask | None]:
        body = {"task_ids": list(dict.fromkeys(task_ids))}
        answer = LedgerTasks.model_validate(await self._database.send("POST", "/tasks/find", body=body))
        found = {task.task_id: task for task in answer.tasks}
        return [found.get(task_id) for task_id in task_ids]


def _weight(task: NewTask) -> int:
    # The size of a value under a key is unknown here; it comes back with the response. Options may have 16 kB.
    data_bytes = HEAVIEST // 100 if task.data is None else json_bytes(task.data)
    return data_bytes + 2 * len(repr(task.terms.options))


def in_batches(changes: Sequence[TaskChange]) -> Iterator[Sequence[TaskChange]]:
    """Yield changes in as few batches as fit into requests; a change that is larger than a batch is alone."""
    start, weight = 0, 0
    for number, step in enumerate(changes):
        size = json_bytes(step.result or "")
        if number > start and (weight + size > HEAVIEST or number - start == MAX_TASKS):
            yield changes[start:number]
            start, weight = number, 0
        weight += size
    if changes:
        yield changes[start:]
