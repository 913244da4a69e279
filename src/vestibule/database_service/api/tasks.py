"""The routes of the task ledger: accept, find, claim, change and list tasks."""

from typing import Annotated

from fastapi import APIRouter, Query

from vestibule.contracts.task_ledger import (
    MAX_TASKS,
    ClaimRequest,
    FindRequest,
    LedgerTasks,
    Name,
    NewTasks,
    RecordedTasks,
    RequestTasks,
    TakenSteps,
    TaskChanges,
    TaskCounts,
    TaskData,
    TaskIds,
    TaskQuery,
    UnsentCounts,
)
from vestibule.database_service.api.dependencies import WiringPart
from vestibule.database_service.tasks.ledger import MAX_COUNTED
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, prefix="/tasks", tags=["tasks"], responses=problem_responses(422, 503))


@router.post("/accept", dependencies=[allow("write")], response_model_exclude_defaults=True)
async def accept_tasks(request: NewTasks, wiring: WiringPart) -> RecordedTasks:
    """Record tasks; a 200 means that they are on disk, except those whose key is unknown."""
    return RecordedTasks(tasks=await wiring.task_acceptance.accept(request.tasks))


@router.post("/find", dependencies=[allow("read")], response_model_exclude_none=True)
async def find_tasks(request: FindRequest, wiring: WiringPart) -> LedgerTasks:
    """Return those of the tasks that exist, with their results unless the request does without."""
    return LedgerTasks(tasks=await wiring.task_ledger.find(request.task_ids, with_results=request.with_results))


@router.get("/of-request", dependencies=[allow("read")])
async def find_request_tasks(
    wiring: WiringPart,
    request_id: Annotated[Name, Query(min_length=1, description="The id of the request")],
    tenant: Annotated[Name | None, Query(description="The tenant that owns them; all if absent")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_TASKS, description="The most tasks")] = 100,
) -> RequestTasks:
    """Return the ids of the tasks that a request made, the oldest first."""
    return RequestTasks(task_ids=await wiring.task_ledger.find_of_request(request_id, tenant, limit))


@router.post("/claim", dependencies=[allow("write")], response_model_exclude_none=True)
async def claim_tasks(request: ClaimRequest, wiring: WiringPart) -> LedgerTasks:
    """Return unfinished tasks that are due; no other caller gets them before the lease ends."""
    return LedgerTasks(tasks=await wiring.task_ledger.claim(request.limit, request.lease_s, request.processors))


@router.get("/unsent", dependencies=[allow("read")])
async def count_unsent_tasks(wiring: WiringPart) -> UnsentCounts:
    """Count the tasks that are due and not in the queue, by processor and priority, up to 100,000 in all."""
    return await wiring.task_ledger.count_unsent(MAX_COUNTED)


@router.post("/data", dependencies=[allow("read")])
async def read_task_data(request: TaskIds, wiring: WiringPart) -> TaskData:
    """Return the data and terms of tasks, in order, until the response is full."""
    return await wiring.task_ledger.read_work(request.task_ids)


@router.post("/change", dependencies=[allow("write")])
async def change_tasks(request: TaskChanges, wiring: WiringPart) -> TakenSteps:
    """Apply the state changes that are allowed; a 200 means that they and the results that they write are on disk."""
    return TakenSteps(taken=await wiring.task_completion.change(request.changes))


@router.post("/list", dependencies=[allow("read")], response_model_exclude_none=True)
async def list_tasks(query: TaskQuery, wiring: WiringPart) -> LedgerTasks:
    """Return matching tasks, the newest first; a page may be short, and has a cursor if there may be more."""
    tasks, cursor = await wiring.task_ledger.page(query.filter, query.limit, query.cursor)
    return LedgerTasks(tasks=tasks, cursor=cursor)


@router.get("/counts", dependencies=[allow("read")])
async def count_tasks(
    wiring: WiringPart,
    tenant: Annotated[Name | None, Query(description="The tenant that owns them; all if absent")] = None,
) -> TaskCounts:
    """Return how many tasks are in each state, by tenant and processor."""
    return TaskCounts(counts=await wiring.task_ledger.counts(tenant))
