"""Counts tasks that are accepted, and tasks that cannot be."""

from vestibule.client_service.intake.work import TaskAcceptor, Work
from vestibule.contracts.errors import Unavailable
from vestibule.service_kit.metrics.catalogue import TASKS_ACCEPTED, TASKS_REFUSED
from vestibule.service_kit.metrics.metrics import Metrics


class MeteredTasks:
    """Wraps a `TaskAcceptor`, and counts what it accepts and what it cannot."""

    def __init__(self, tasks: TaskAcceptor, metrics: Metrics) -> None:
        self._tasks = tasks
        self._metrics = metrics
        metrics.expect(TASKS_REFUSED)

    async def accept(self, work: Work) -> str:
        """Record work and return the id of its task. Raises what the wrapped acceptor raises."""
        try:
            task_id = await self._tasks.accept(work)
        except Unavailable:
            self._metrics.count(TASKS_REFUSED)
            raise
        self._metrics.count(TASKS_ACCEPTED, work.processor)
        return task_id
