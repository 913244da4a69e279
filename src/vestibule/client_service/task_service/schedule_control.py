"""The use cases of one schedule: show, pause, resume and run it, and the outcome of its last run."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

import structlog

from vestibule.alerts import current_origin
from vestibule.client_service.intake.intake import FIRST_CHECK_AFTER_S
from vestibule.client_service.intake.work import operation_id
from vestibule.client_service.task_service.schedule_service import ScheduleService, StoredSchedule
from vestibule.contracts.entries import BatchPair, Condition, Pair
from vestibule.contracts.errors import PreconditionFailed, Unavailable
from vestibule.contracts.schedules import PROGRESS, RUNS, SCHEDULES, ManualRuns, Progress
from vestibule.contracts.task_ledger import LedgerTask, NewTask, TaskEvent, TaskEventKind
from vestibule.database_client.tasks import TaskLedgerClient

ATTEMPTS = 8
LOG = "vestibule.schedules"


@dataclass(frozen=True, slots=True)
class ScheduleControl:
    """Controls schedules. Every method raises `Unavailable` if the store does not answer."""

    schedules: ScheduleService
    ledger: TaskLedgerClient
    # Records a task and returns its id.
    accept_task: Callable[[NewTask], Awaitable[str]]

    async def last_tasks(self, stored: Sequence[StoredSchedule]) -> Mapping[str, LedgerTask]:
        """Return the tasks of the last runs by their ids, without results; those that are forgotten are left out."""
        return await self.ledger.find_states([one.last_task_id for one in stored if one.last_task_id is not None])

    async def pause(self, schedule_id: str, tenant: str, author: str) -> StoredSchedule:
        """Keep a schedule from firing; when this returns no further task is made.

        Raises:
            ScheduleNotFound: the tenant has no schedule of that id.
        """
        for _ in range(ATTEMPTS):
            stored = await self.schedules.find(schedule_id, tenant)
            if stored.schedule.paused_at is not None:
                return stored
            paused = stored.schedule.model_copy(update={"paused_at": time.time(), "paused_by": author})
            pair = Pair(key=SCHEDULES + paused.place, value=paused.model_dump_json())
            try:
                await self.schedules.database.write(pair, Condition.of_version(stored.versions[0]))
            except PreconditionFailed:
                continue
            structlog.get_logger(LOG).info("schedule_paused", schedule_id=schedule_id)
            return await self.schedules.find(schedule_id, tenant)
        raise _conflict()

    async def resume(self, schedule_id: str, tenant: str) -> StoredSchedule:
        """Let a schedule fire again, from now on: what it missed is not made up for.

        Raises:
            ScheduleNotFound: the tenant has no schedule of that id.
        """
        for _ in range(ATTEMPTS):
            stored = await self.schedules.find(schedule_id, tenant)
            if stored.schedule.paused_at is None:
                return stored
            resumed = stored.schedule.model_copy(update={"paused_at": None, "paused_by": None})
            known = stored.progress or Progress(turn_at=resumed.created_at, turns=0)
            # Together, since otherwise the scheduler might see the schedule resumed and a run missed.
            pairs = [
                BatchPair(
                    key=SCHEDULES + resumed.place,
                    value=resumed.model_dump_json(),
                    expected_version=stored.versions[0],
                ),
                BatchPair(
                    key=PROGRESS + resumed.place,
                    value=known.model_copy(update={"resumed_at": time.time()}).model_dump_json(),
                    expected_version=stored.versions[1],
                ),
            ]
            try:
                await self.schedules.database.write_batch(pairs)
            except PreconditionFailed:
                continue
            structlog.get_logger(LOG).info("schedule_resumed", schedule_id=schedule_id)
            return await self.schedules.find(schedule_id, tenant)
        raise _conflict()

    async def run(self, stored: StoredSchedule) -> str:
        """Make a task of a schedule now, and return its id; the times of its runs stay as they are.

        Raises:
            KeyNotFound: no entry is stored under its key.
        """
        schedule, now, origin = stored.schedule, time.time(), current_origin()
        task = NewTask(
            task_id=schedule.task_id(f"by hand {operation_id.get() or uuid4()}"),
            tenant=schedule.tenant,
            processor=schedule.processor,
            priority=schedule.priority,
            data=schedule.data,
            key=schedule.key,
            terms=schedule.terms,
            request_id=origin["request_id"],
            token_id=origin["token_id"],
            token_name=origin["token_name"],
            event=TaskEvent(kind=TaskEventKind.SCHEDULED, at=now, reference=schedule.schedule_id),
            submitted_at=now,
            sent_at=now,
            due_in_s=FIRST_CHECK_AFTER_S,
        )
        task_id = await self.accept_task(task)
        await self._count_run(stored, task_id, now)
        structlog.get_logger(LOG).info("schedule_run_by_hand", schedule_id=schedule.schedule_id)
        return task_id

    async def _count_run(self, stored: StoredSchedule, task_id: str, now: float) -> None:
        schedule, manual, version = stored.schedule, stored.manual, stored.versions[2]
        for _ in range(ATTEMPTS):
            if manual is not None and manual.task_id == task_id:
                return  # a repetition of the request
            counted = ManualRuns(runs=1 + (manual.runs if manual else 0), at=now, task_id=task_id)
            pair = Pair(key=RUNS + schedule.place, value=counted.model_dump_json())
            try:
                await self.schedules.database.write(pair, Condition.of_version(version))
            except PreconditionFailed:
                stored = await self.schedules.find(schedule.schedule_id, schedule.tenant)
                manual, version = stored.manual, stored.versions[2]
            else:
                return
        raise _conflict()


def _conflict() -> Unavailable:
    return Unavailable("database", "Write conflict: too many concurrent changes of that schedule.")
