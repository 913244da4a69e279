"""The routes of schedules: add, list and delete recurring tasks."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path
from pydantic import BaseModel, Field

from vestibule.client_service.api.screening import TreatedFinding
from vestibule.client_service.api.wiring import CallerPart, RepeatableRoute, Sender, Tenant, WiringPart, check_target
from vestibule.client_service.task_service.schedule_service import ScheduleRequest, StoredSchedule
from vestibule.client_service.task_status import at, at_or_none
from vestibule.contracts.errors import ScheduleNotFound, TooManyWaiting
from vestibule.contracts.tasks import Priority
from vestibule.policy import Action
from vestibule.service_kit.auth.authentication import allow
from vestibule.service_kit.openapi.descriptions import problem_responses
from vestibule.service_kit.recurrence import InvalidRecurrence, next_turn

router = APIRouter(route_class=RepeatableRoute, prefix="/schedules", tags=["schedules"], dependencies=[allow("run")])


class ScheduleView(BaseModel):
    """A recurring task: when it runs, what it processes, and its progress. Its text is not shown."""

    schedule_id: str
    cron: str | None = None
    every_s: float | None = None
    timezone: str = Field(examples=["Europe/Berlin"])
    processor: str = Field(examples=["uppercase"])
    priority: Priority
    key: str | None = None
    write_to: str | None = Field(default=None, description="The key that the results are written to")
    created_at: datetime
    author: str = Field(description="Name of the token that added it", examples=["reports"])
    next_at: datetime | None = Field(description="When the next task is due")
    last_at: datetime | None = Field(default=None, description="When the last one was due")
    last_task_id: str | None = Field(default=None, description="Absent if no entry was stored under the key then")
    turns: int = Field(default=0, description="Number of times that it was due")


class ScheduleAdded(ScheduleView):
    """A schedule that is on disk, and the decision about its text."""

    findings: list[TreatedFinding] | None = None
    would_have: Action | None = None
    receipt: str | None = Field(default=None, examples=["eyJhbGciOiJFZDI1NTE5Iiwia2lkIjoi…"])


class ScheduleList(BaseModel):
    """All schedules of a tenant, the oldest first."""

    schedules: list[ScheduleView]


class ScheduleDeleted(BaseModel):
    """A schedule that was deleted."""

    schedule_id: str
    deleted: bool = True


ScheduleId = Annotated[str, Path(description="The `schedule_id` in the reply to `POST /schedules`")]


@router.post(
    "",
    status_code=201,
    responses=problem_responses(409, 413, 422, TooManyWaiting, 503),
    response_model_exclude_none=True,
)
async def add_schedule(
    request: Annotated[ScheduleRequest, Body()], wiring: WiringPart, sender: Sender, caller: CallerPart
) -> ScheduleAdded:
    """Add a recurring task. A 201 means that the schedule is on disk.

    Each time it is due it creates one task, across restarts and with several schedulers. Of missed times only
    the last one is run. `write_to` needs the scope `add` too.
    """
    await check_target(request, wiring, caller)
    stored = await wiring.schedule_service.add(request, sender)
    decision = {} if stored.screened is None else stored.screened.decision
    return ScheduleAdded(**_view_of(stored), **decision)


@router.get("", responses=problem_responses(503), response_model_exclude_none=True)
async def list_schedules(wiring: WiringPart, tenant: Tenant) -> ScheduleList:
    """Return your tenant's schedules, without their texts."""
    stored = await wiring.schedule_service.list_all(tenant)
    return ScheduleList(schedules=[ScheduleView(**_view_of(one)) for one in stored])


@router.delete("/{schedule_id}", responses=problem_responses(ScheduleNotFound, 503))
async def delete_schedule(schedule_id: ScheduleId, wiring: WiringPart, tenant: Tenant) -> ScheduleDeleted:
    """Delete a schedule: it creates no more tasks. Tasks that it has created continue."""
    await wiring.schedule_service.delete(schedule_id, tenant)
    return ScheduleDeleted(schedule_id=schedule_id)


def _next_at(stored: StoredSchedule) -> float | None:
    try:
        return next_turn(stored.schedule, stored.progress)
    except InvalidRecurrence:  # written by hand, or by another version: it is listed, and never runs
        return None


def _view_of(stored: StoredSchedule) -> dict[str, Any]:
    schedule, progress = stored.schedule, stored.progress
    return {
        **schedule.model_dump(exclude={"tenant", "data", "terms", "created_at"}),
        "write_to": schedule.terms.write_to,
        "created_at": at(schedule.created_at),
        "next_at": at_or_none(_next_at(stored)),
        "last_at": None if progress is None else at(progress.turn_at),
        "last_task_id": None if progress is None else progress.task_id,
        "turns": 0 if progress is None else progress.turns,
    }
