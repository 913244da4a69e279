"""Why a task waits: derived for one task when it is read, from its status, the pauses and what Redis says."""

import asyncio
import time
from dataclasses import dataclass

from redis.exceptions import RedisError

from vestibule.client_service.queue.partitions import TenantPartitions
from vestibule.client_service.queue.pauses import QueuePauses
from vestibule.client_service.queue.queue_view import QueueView
from vestibule.client_service.task_status import at
from vestibule.contracts.tasks import TaskState, TaskStatus, Waiting, WaitReason

REDIS_TIMEOUT_S = 0.5
WAITING_STATES = (TaskState.QUEUED, TaskState.RETRYING)


@dataclass(frozen=True, slots=True)
class WaitingService:
    """Explains why tasks wait."""

    queue: QueueView
    pauses: QueuePauses
    partitions: TenantPartitions

    async def explain(self, status: TaskStatus, tenant: str) -> TaskStatus:
        """Return the status of a task of `tenant` with the reason why the task waits, if it does. It never fails.

        Without Redis the reason is left out where only Redis knows it.
        """
        if status.state not in WAITING_STATES:
            return status
        return status.model_copy(update={"waiting": await self._reason(status, tenant)})

    async def _reason(self, status: TaskStatus, tenant: str) -> Waiting | None:
        pause = self.pauses.covering(status.processor)
        paused_since = None if pause is None else at(pause.since)
        # Only a task that is not in the queue has a time at which it is due.
        if status.due_at is not None and status.due_at.timestamp() > time.time():
            return Waiting(reason=WaitReason.DUE_LATER, due_at=status.due_at, paused_since=paused_since)
        if pause is not None:
            return Waiting(reason=WaitReason.PAUSED, paused_since=paused_since)
        try:
            async with asyncio.timeout(REDIS_TIMEOUT_S):
                partition = self.partitions.of_tenant(tenant)
                place = await self.queue.place(status.priority, status.submitted_at.timestamp(), partition)
        except (RedisError, OSError, TimeoutError):
            return None if status.due_at is None else Waiting(reason=WaitReason.NOT_PUBLISHED)
        if not place.workers:
            return Waiting(reason=WaitReason.NO_WORKER, ahead=place.ahead, is_estimate=True)
        if status.due_at is not None:
            return Waiting(reason=WaitReason.NOT_PUBLISHED)
        return Waiting(reason=WaitReason.BEHIND_OTHERS, ahead=place.ahead, is_estimate=True)
