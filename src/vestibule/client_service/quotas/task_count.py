"""Counts the tasks of a token or a tenant that have not ended, in the ledger."""

from vestibule.contracts.task_ledger import MAX_TASKS, TaskFilter
from vestibule.contracts.tasks import TaskState
from vestibule.database_client.tasks import TaskLedgerClient

UNDER_WAY = [TaskState.QUEUED, TaskState.RUNNING, TaskState.RETRYING]


async def count_tasks_under_way(ledger: TaskLedgerClient, kind: str, name: str, limit: int) -> int:
    """Return how many tasks of a `token` or a `tenant` have not ended; for a token at most `limit`.

    Raises:
        Unavailable: the ledger does not answer.
    """
    if kind == "tenant":
        return sum(one.tasks for one in await ledger.counts(name) if one.state in UNDER_WAY)
    chosen = TaskFilter(token_id=name, states=UNDER_WAY)
    count = 0
    cursor: str | None = None
    while count < limit:
        page = await ledger.page(chosen, min(MAX_TASKS, limit - count), cursor)
        count += len(page.tasks)
        cursor = page.cursor
        if cursor is None:
            break
    return count
