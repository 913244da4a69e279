"""The routes of the task ledger: accept, find, claim, change and list tasks."""

from typing import Annotated

from fastapi import APIRouter, Query

from vestibule.contracts.task_ledger import (
    ClaimRequest,
    LedgerTasks,
    Name,
    NewTasks,
    RecordedTasks,
    TakenSteps,
    TaskChanges,
    TaskData,
    TaskIds,
)
from vestibule.contracts.tasks import TaskState
from vestibule.database_service.api.dependencies import PageSize, TaskCursor, WiringPart
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, prefix="/tasks", tags=["tasks"], responses=problem_responses(422, 503))


@router.post("/accept", dependencies=[allow("write")], response_model_exclude_defaults=True)
async def accept_tasks(request: NewTasks, wiring: WiringPart) -> RecordedTasks:
    """Record tasks; a 200 means that they are on disk, except those whose key is unknown."""
    return RecordedTasks(tasks=await wiring.task_acceptance.accept(request.tasks))


@router.post("/find", dependencies=[allow("read")], response_model_exclude_none=True)
async def find_tasks(request: TaskIds, wiring: WiringPart) -> LedgerTasks:
    """Return those of the tasks that exist, with their results."""
    return LedgerTasks(tasks=await wiring.task_ledger.find(request.task_ids))


@router.post("/claim", dependencies=[allow("write")], response_model_exclude_none=True)
async def claim_tasks(request: ClaimRequest, wiring: WiringPart) -> LedgerTasks:
    """Return unfinished tasks that are due; no other caller gets them before the lease ends."""
    return LedgerTasks(tasks=await wiring.task_ledger.claim(request.limit, request.lease_s))


@router.post("/data", dependencies=[allow("read")])
async def read_task_data(request: TaskIds, wiring: WiringPart) -> TaskData:
    """Return the data and terms of tasks, in order, until the response is full."""
    return await wiring.task_ledger.read_work(request.task_ids)


@router.post("/change", dependencies=[allow("write")])
async def change_tasks(request: TaskChanges, wiring: WiringPart) -> TakenSteps:
    """Apply the state changes that are allowed; a 200 means that they and the results that they write are on disk."""
    return TakenSteps(taken=await wiring.task_completion.change(request.changes))


@router.get("", dependencies=[allow("read")], response_model_exclude_none=True)
async def list_tasks(
    wiring: WiringPart,
    tenant: Annotated[Name | None, Query(description="The tenant that owns them; all if absent")] = None,
    states: Annotated[str, Query(max_length=100, pattern=r"^[a-z,]*$", description="Separated by commas")] = "",
    limit: PageSize = 100,
    cursor: TaskCursor = None,
) -> LedgerTasks:
    """Return tasks, the newest first, a page at a time."""
    tasks, next_cursor = await wiring.task_ledger.page(tenant, _known(states), limit, cursor)
    return LedgerTasks(tasks=tasks, cursor=next_cursor)


def _known(states: str) -> list[TaskState]:
    return [TaskState(state) for state in states.split(",") if state in set(TaskState)]
