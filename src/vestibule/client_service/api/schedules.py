"""The routes of recurring tasks."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Request
from pydantic import BaseModel, Field

from vestibule.client_service.api.idempotency import RepeatableRoute
from vestibule.client_service.api.messages import decision_of
from vestibule.client_service.api.request_parsing import Sender
from vestibule.client_service.api.schemas import TreatedFinding
from vestibule.client_service.api.tasks import Tenant
from vestibule.client_service.task_service.schedule_service import ScheduleRequest, ScheduleService, StoredSchedule
from vestibule.client_service.task_status import at
from vestibule.contracts.errors import ScheduleNotFound
from vestibule.contracts.tasks import Priority
from vestibule.policy import Action
from vestibule.service_kit.auth.authentication import allow
from vestibule.service_kit.openapi.descriptions import problem_responses
from vestibule.service_kit.recurrence import next_turn

router = APIRouter(route_class=RepeatableRoute, prefix="/schedules", tags=["schedules"])


class ScheduleView(BaseModel):
    """A recurring task: when, what, and how far it has come. Its text is not shown."""

    schedule_id: str
    cron: str | None = None
    every_s: float | None = None
    timezone: str = Field(examples=["Europe/Berlin"])
    processor: str = Field(examples=["uppercase"])
    priority: Priority
    key: str | None = None
    write_to: str | None = Field(default=None, description="The key that the results are written to")
    created_at: datetime
    author: str = Field(description="The name of the token that asked for it", examples=["reports"])
    next_at: datetime | None = Field(description="When the next task is due")
    last_at: datetime | None = Field(default=None, description="When the last one was due")
    last_task_id: str | None = Field(default=None, description="Absent where nothing stood under the key then")
    turns: int = Field(default=0, description="How often its time has come")


class ScheduleAdded(ScheduleView):
    """A schedule that is on disk, and what was decided about its text."""

    findings: list[TreatedFinding] | None = None
    would_have: Action | None = None
    receipt: str | None = Field(default=None, examples=["eyJhbGciOiJFZDI1NTE5Iiwia2lkIjoi…"])


class ScheduleList(BaseModel):
    """All schedules of a tenant, the oldest first."""

    schedules: list[ScheduleView]


class ScheduleDeleted(BaseModel):
    """No more tasks are made of it."""

    schedule_id: str
    deleted: bool = True


async def _schedule_service(request: Request) -> ScheduleService:
    schedule_service: ScheduleService = request.app.state.schedules
    return schedule_service


ScheduleServicePart = Annotated[ScheduleService, Depends(_schedule_service)]
ScheduleId = Annotated[str, Path(description="From the answer that kept the schedule")]


@router.post(
    "",
    status_code=201,
    dependencies=[allow("run")],
    responses=problem_responses(409, 413, 422, 503),
    response_model_exclude_none=True,
)
async def add(
    wanted: Annotated[ScheduleRequest, Body()], schedule_service: ScheduleServicePart, sender: Sender
) -> ScheduleAdded:
    """Have a task recur. A 201 means that the schedule is on disk.

    Each time becomes one task, over restarts and with several schedulers. Of times that were missed the last is made
    up for.
    """
    kept = await schedule_service.add(wanted, sender)
    decision = {} if kept.admitted is None else decision_of(kept.admitted)
    return ScheduleAdded(**_shown(kept), **decision)


@router.get("", dependencies=[allow("run")], responses=problem_responses(503), response_model_exclude_none=True)
async def schedules(schedule_service: ScheduleServicePart, tenant: Tenant) -> ScheduleList:
    """Return your tenant's schedules, without their texts."""
    return ScheduleList(schedules=[ScheduleView(**_shown(kept)) for kept in await schedule_service.all_of(tenant)])


@router.delete("/{schedule_id}", dependencies=[allow("run")], responses=problem_responses(ScheduleNotFound, 503))
async def delete(schedule_id: ScheduleId, schedule_service: ScheduleServicePart, tenant: Tenant) -> ScheduleDeleted:
    """Make no more tasks of a schedule; those that were made go on."""
    await schedule_service.delete(schedule_id, tenant)
    return ScheduleDeleted(schedule_id=schedule_id)


def _shown(kept: StoredSchedule) -> dict[str, Any]:
    schedule, progress = kept.schedule, kept.progress
    next_at = next_turn(schedule, progress)
    return {
        **schedule.model_dump(exclude={"tenant", "data", "terms", "created_at"}),
        "write_to": schedule.terms.write_to,
        "created_at": at(schedule.created_at),
        "next_at": None if next_at is None else at(next_at),
        "last_at": None if progress is None else at(progress.turn_at),
        "last_task_id": None if progress is None else progress.task_id,
        "turns": 0 if progress is None else progress.turns,
    }
