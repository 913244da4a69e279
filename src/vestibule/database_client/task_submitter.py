"""Submits tasks to the task ledger of the database service; the client service then dispatches them."""

from vestibule.contracts.errors import Unavailable
from vestibule.contracts.task_ledger import NewTask, Recorded, RecordedTasks
from vestibule.service_kit.service_client import ServiceClient


class TaskSubmitter:
    """Submits tasks one at a time."""

    def __init__(self, peer: ServiceClient) -> None:
        self._peer = peer

    async def accept(self, task: NewTask) -> Recorded:
        """Record a task; it is on disk then, unless its key is unknown.

        Raises:
            Unavailable: the database service does not confirm it.
        """
        body = {"tasks": [task.model_dump(mode="json", exclude_defaults=True)]}
        answer = await self._peer.call("POST", "/tasks/accept", body=body)
        if answer.status != 200:
            raise Unavailable("database", f"The database service refused the request ({answer.status}).")
        return RecordedTasks.model_validate(answer.body).tasks[0]
