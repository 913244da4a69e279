"""Counts what the door finds and decides, and what it hands to the queue."""

from typing import TYPE_CHECKING, Protocol

from vestibule.contracts.errors import Unavailable
from vestibule.policy import Decision
from vestibule.service_kit.metrics.catalogue import DECISIONS, FINDINGS, TASKS_ACCEPTED, TASKS_REFUSED
from vestibule.service_kit.metrics.metrics import Metrics

if TYPE_CHECKING:
    # Workers count findings too, and have no use for what the desk of tasks needs.
    from vestibule.client_service.task_service.task_service import Work

NOTHING_FOUND = "none"


class ScreeningMetrics:
    """What the door reports its decisions to."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def count_decision(self, decision: Decision) -> None:
        """Count a decision and its findings; entities and actions come from closed vocabularies."""
        for one in decision.judged:
            self._metrics.count(FINDINGS, one.found.entity, str(one.action))
        self._metrics.count(DECISIONS, str(decision.strictest or NOTHING_FOUND))


class TaskAcceptor(Protocol):
    """Accepts work for the background."""

    async def accept(self, work: "Work") -> str:
        """Record work and return the id of its task."""
        ...


class MeteredTasks:
    """An acceptance over another, which counts what was accepted and what could not be."""

    def __init__(self, tasks: TaskAcceptor, metrics: Metrics) -> None:
        self._tasks = tasks
        self._metrics = metrics
        metrics.expect(TASKS_REFUSED)

    async def accept(self, work: "Work") -> str:
        """Record work and return the id of its task. Raises what the other raises."""
        try:
            task_id = await self._tasks.accept(work)
        except Unavailable:
            self._metrics.count(TASKS_REFUSED)
            raise
        self._metrics.count(TASKS_ACCEPTED, work.processor)
        return task_id
