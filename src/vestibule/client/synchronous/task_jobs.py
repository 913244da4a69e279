"""Dead letters, actions on many tasks, and the processors."""

# Made of asynchronous/task_jobs.py by `python -m vestibule.client.unasync`; change that one.

from collections.abc import Mapping, Sequence
from typing import Any

from vestibule.client.synchronous.resource import Pages, Resource
from vestibule.client.calls import Call
from vestibule.client.operations import Repeat
from vestibule.client.results.tasks import BulkJob, BulkPreview, BulkStarted, Processor, ProcessorList, Task, TaskPage


class DeadTasks(Resource):
    """Dead letters: tasks that failed their last attempt."""

    def list(self, *, page_size: int | None = None, cursor: str | None = None) -> Pages[TaskPage, Task]:
        """Return the dead tasks, newest first; `page_size` is 1,000 at most."""
        call = Call("list_dead_tasks", query={"limit": page_size, "cursor": cursor})
        return Pages(self, call, TaskPage, lambda page: page.tasks)

    def retry(self, task_id: str) -> Task:
        """Retry a dead task, with all its attempts. Raises: TaskConflict, if it is in another state."""
        return self._result(Call("retry_dead_task", path={"task_id": task_id}), Task)

    def drop(self, task_id: str) -> Task:
        """Delete the data of a dead task for good; it counts as failed. Raises: TaskConflict, if it is not dead."""
        return self._result(Call("drop_dead_task", path={"task_id": task_id}), Task)


class BulkJobs(Resource):
    """Retry, cancel or drop all tasks that match: a preview first, and then a job that is confirmed with it."""

    def preview(self, action: str, *, reason: str | None = None, **filters: Any) -> BulkPreview:
        """Return how many tasks match, and what confirms the action for five minutes; nothing is changed.

        Args:
            action: `retry`, `cancel` or `drop`.
            reason: for the audit.
            filters: as in `tasks.list()`: `state`, `processor`, `token`, `key`, `cause`, `older_than_s`, `due_before`,
                `all_tenants`.
        """
        return self._result(_call(action, filters, None, reason), BulkPreview)

    def start(self, action: str, *, confirm: str, reason: str | None = None, **filters: Any) -> BulkStarted:
        """Start the job that a preview with the same action and filters was for; at most 10,000 tasks.

        Raises:
            ConfirmationInvalid: `confirm` is of another action or filter, or has expired.
            BulkActionInProgress: a job of the same tenant has not finished.
        """
        return self._result(_call(action, filters, confirm, reason), BulkStarted)

    def get(self, job_id: str) -> BulkJob:
        """Return the progress of a job. Raises: BulkActionNotFound, if there is none."""
        return self._result(Call("get_bulk_job", path={"job_id": job_id}), BulkJob)


class Processors(Resource):
    """Processors, which tasks and messages name."""

    def list(self) -> Sequence[Processor]:
        """Return the processors with their options, as JSON Schema, and examples."""
        return (self._result(Call("list_processors"), ProcessorList)).processors


def _call(action: str, filters: Mapping[str, Any], confirm: str | None, reason: str | None) -> Call:
    state = filters.get("state")
    chosen = {**filters, "state": [state] if isinstance(state, str) else state}
    body = {"action": action, "filter": chosen, "confirm": confirm, "reason": reason}
    # Without a confirmation nothing is changed.
    return Call("change_tasks", body=body, repeat=Repeat.ALWAYS if confirm is None else None)
