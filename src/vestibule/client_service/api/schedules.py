"""The routes of schedules: add, list, show, pause, resume, run and delete recurring tasks."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path
from pydantic import BaseModel, Field
from starlette.responses import Response

from vestibule.client_service.api.screening import TreatedFinding
from vestibule.client_service.api.tasks import AcceptedTask
from vestibule.client_service.api.wiring import (
    CallerPart,
    ClientWiring,
    RepeatableRoute,
    Sender,
    Tenant,
    WiringPart,
    check_target,
    note_preference,
)
from vestibule.client_service.task_service.schedule_service import ScheduleRequest, StoredSchedule
from vestibule.client_service.task_status import at, at_or_none
from vestibule.contracts.audit import Act
from vestibule.contracts.errors import IdempotencyKeyReused, KeyNotFound, ScheduleNotFound, TooManyWaiting
from vestibule.contracts.task_ledger import LedgerTask
from vestibule.contracts.tasks import Priority, TaskError, TaskState, describe_error
from vestibule.policy import Action
from vestibule.service_kit.audit.acts import audited, note_act
from vestibule.service_kit.auth.authentication import allow
from vestibule.service_kit.http.preferences import TAKES_PREFERENCE
from vestibule.service_kit.openapi.descriptions import problem_responses
from vestibule.service_kit.recurrence import InvalidRecurrence, next_turns

router = APIRouter(route_class=RepeatableRoute, prefix="/schedules", tags=["schedules"], dependencies=[allow("run")])


class RunOutcome(BaseModel):
    """The last run of a schedule, and what became of its task."""

    at: datetime = Field(description="When the run was due, or asked for")
    task_id: str | None = Field(default=None, description="Absent if no entry was stored under the key then")
    state: TaskState | None = Field(default=None, description="Absent if its record has expired")
    finished_at: datetime | None = None
    error: TaskError | None = Field(default=None, description="Why its last attempt failed, if one did")
    cause: str | None = Field(default=None, description="The cause of that error, as in `GET /tasks/{task_id}`")


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
    state: str = Field(default="active", description="`active`, or `paused`: it does not fire", examples=["active"])
    paused_at: datetime | None = None
    paused_by: str | None = Field(default=None, description="Name of the token that paused it", examples=["reports"])
    next_at: datetime | None = Field(default=None, description="When the next task is due; absent while it is paused")
    last_at: datetime | None = Field(default=None, description="When the last one was due")
    last_task_id: str | None = Field(default=None, description="Absent if no entry was stored under the key then")
    turns: int = Field(default=0, description="Number of times that it was due, or run by hand")
    last_outcome: RunOutcome | None = Field(default=None, description="Absent before the first run")


class ScheduleDetail(ScheduleView):
    """A schedule with its next runs."""

    next_runs: list[datetime] = Field(description="The next five, none while it is paused")


class ScheduleAdded(ScheduleView):
    """A schedule that is on disk, and the decision about its text."""

    findings: list[TreatedFinding] | None = None
    would_have: Action | None = None
    decision_id: str | None = Field(default=None, examples=["5f3a9c21d0b4e876"])
    receipt: str | None = Field(default=None, examples=["eyJhbGciOiJFZDI1NTE5Iiwia2lkIjoi…"])


class ScheduleList(BaseModel):
    """All schedules of a tenant, the oldest first."""

    schedules: list[ScheduleView]


class ScheduleDeleted(BaseModel):
    """A schedule that was deleted."""

    schedule_id: str
    deleted: bool = True


NEXT_RUNS = 5
NO_TASKS: Mapping[str, LedgerTask] = MappingProxyType({})
ScheduleId = Annotated[str, Path(description="The `schedule_id` in the reply to `POST /schedules`")]


@router.post(
    "",
    status_code=201,
    openapi_extra=TAKES_PREFERENCE,
    responses=problem_responses(409, 413, 422, TooManyWaiting, 503),
    response_model_exclude_none=True,
)
@audited(Act.SCHEDULE_ADDED)
async def add_schedule(
    request: Annotated[ScheduleRequest, Body()],
    wiring: WiringPart,
    sender: Sender,
    caller: CallerPart,
    response: Response,
) -> ScheduleAdded:
    """Add a recurring task. A 201 means that the schedule is on disk.

    Each time it is due it creates one task, across restarts and with several schedulers. Of missed times only
    the last one is run. `write_to` needs the scope `add` too.
    """
    await check_target(request, wiring, caller)
    stored = await wiring.schedule_service.add(request, sender)
    note_act(target=stored.schedule.schedule_id)
    decision = {} if stored.screened is None else stored.screened.decision
    if "receipt" in decision:
        note_preference(response, sender)
    return ScheduleAdded(**_view_of(stored), **decision)


@router.get("", responses=problem_responses(503), response_model_exclude_none=True)
async def list_schedules(wiring: WiringPart, tenant: Tenant) -> ScheduleList:
    """Return your tenant's schedules, without their texts, and the outcome of the last run of each."""
    stored = await wiring.schedule_service.list_all(tenant)
    tasks = await wiring.schedule_control.last_tasks(stored)
    return ScheduleList(schedules=[ScheduleView(**_view_of(one, tasks)) for one in stored])


@router.get("/{schedule_id}", responses=problem_responses(ScheduleNotFound, 503), response_model_exclude_none=True)
async def get_schedule(schedule_id: ScheduleId, wiring: WiringPart, tenant: Tenant) -> ScheduleDetail:
    """Return a schedule, without its text: its next runs, and the outcome of the last one."""
    return await _detail(await wiring.schedule_service.find(schedule_id, tenant), wiring)


@router.post(
    "/{schedule_id}/pause",
    responses=problem_responses(ScheduleNotFound, 409, IdempotencyKeyReused, TooManyWaiting, 503),
    response_model_exclude_none=True,
)
@audited(Act.SCHEDULE_PAUSED)
async def pause_schedule(
    schedule_id: ScheduleId, wiring: WiringPart, tenant: Tenant, caller: CallerPart
) -> ScheduleDetail:
    """Keep a schedule from firing until it is resumed. Tasks that it has created continue."""
    return await _detail(await wiring.schedule_control.pause(schedule_id, tenant, caller.name), wiring)


@router.post(
    "/{schedule_id}/resume",
    responses=problem_responses(ScheduleNotFound, 409, IdempotencyKeyReused, TooManyWaiting, 503),
    response_model_exclude_none=True,
)
@audited(Act.SCHEDULE_RESUMED)
async def resume_schedule(schedule_id: ScheduleId, wiring: WiringPart, tenant: Tenant) -> ScheduleDetail:
    """Let a schedule fire again. Runs that were due in the pause are not made up for; an interval begins now."""
    return await _detail(await wiring.schedule_control.resume(schedule_id, tenant), wiring)


@router.post(
    "/{schedule_id}/run",
    status_code=202,
    responses=problem_responses(ScheduleNotFound, KeyNotFound, 409, IdempotencyKeyReused, TooManyWaiting, 503),
)
@audited(Act.SCHEDULE_RUN)
async def run_schedule(
    schedule_id: ScheduleId, wiring: WiringPart, tenant: Tenant, caller: CallerPart, response: Response
) -> AcceptedTask:
    """Run a schedule now, also a paused one. It counts as one of its runs; the times of the others do not change.

    Needs the scope `add` too if the schedule has a `write_to`.
    """
    stored = await wiring.schedule_service.find(schedule_id, tenant)
    if stored.schedule.terms.write_to is not None:
        await wiring.authenticator.require(caller, "add")
    task_id = await wiring.schedule_control.run(stored)
    accepted = AcceptedTask(task_id=task_id, status_url=f"/tasks/{task_id}")
    response.headers["Location"] = accepted.status_url
    return accepted


@router.delete("/{schedule_id}", responses=problem_responses(ScheduleNotFound, 503))
@audited(Act.SCHEDULE_DELETED)
async def delete_schedule(schedule_id: ScheduleId, wiring: WiringPart, tenant: Tenant) -> ScheduleDeleted:
    """Delete a schedule: it creates no more tasks. Tasks that it has created continue."""
    await wiring.schedule_service.delete(schedule_id, tenant)
    return ScheduleDeleted(schedule_id=schedule_id)


async def _detail(stored: StoredSchedule, wiring: ClientWiring) -> ScheduleDetail:
    tasks = await wiring.schedule_control.last_tasks([stored])
    return ScheduleDetail(**_view_of(stored, tasks), next_runs=[at(one) for one in _next_runs(stored, NEXT_RUNS)])


def _next_runs(stored: StoredSchedule, count: int) -> list[float]:
    try:
        return next_turns(stored.schedule, stored.progress, count)
    except InvalidRecurrence:  # written by hand, or by another version: it is listed, and never runs
        return []


def _view_of(stored: StoredSchedule, tasks: Mapping[str, LedgerTask] = NO_TASKS) -> dict[str, Any]:
    schedule = stored.schedule
    return {
        **schedule.model_dump(exclude={"tenant", "data", "terms", "created_at", "paused_at"}),
        "write_to": schedule.terms.write_to,
        "created_at": at(schedule.created_at),
        "state": "active" if schedule.paused_at is None else "paused",
        "paused_at": at_or_none(schedule.paused_at),
        "next_at": at_or_none(next(iter(_next_runs(stored, 1)), None)),
        "last_at": at_or_none(stored.last_at),
        "last_task_id": stored.last_task_id,
        "turns": stored.turns,
        "last_outcome": _outcome_of(stored, tasks),
    }


def _outcome_of(stored: StoredSchedule, tasks: Mapping[str, LedgerTask]) -> RunOutcome | None:
    if stored.last_at is None:
        return None
    run = RunOutcome(at=at(stored.last_at), task_id=stored.last_task_id)
    task = tasks.get(stored.last_task_id or "")
    if task is None:
        return run
    told = {"state": task.state, "finished_at": at_or_none(task.finished_at), **describe_error(task.error)}
    return run.model_copy(update=told)
