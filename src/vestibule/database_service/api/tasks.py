"""The routes of the task ledger: each is one call of it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from vestibule.contracts.reencryption import ReencryptionPage
from vestibule.contracts.subjects import ErasePage, EraseRequest
from vestibule.contracts.task_ledger import (
    ClaimRequest,
    LedgerTasks,
    NewTasks,
    RecordedTasks,
    TakenSteps,
    TaskChanges,
    TaskData,
    TaskIds,
)
from vestibule.contracts.tasks import TaskState
from vestibule.database_service.maintenance.task_maintenance import TaskMaintenance
from vestibule.database_service.tasks.acceptance import TaskAcceptance
from vestibule.database_service.tasks.completion import TaskCompletion
from vestibule.database_service.tasks.encrypted_ledger import EncryptedTaskLedger
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, prefix="/tasks", tags=["tasks"], responses=problem_responses(422, 503))


async def _ledger(request: Request) -> EncryptedTaskLedger:
    ledger: EncryptedTaskLedger = request.app.state.task_ledger
    return ledger


async def _acceptance(request: Request) -> TaskAcceptance:
    acceptance: TaskAcceptance = request.app.state.task_acceptance
    return acceptance


async def _walk(request: Request) -> TaskMaintenance:
    walk: TaskMaintenance = request.app.state.task_maintenance
    return walk


async def _completion(request: Request) -> TaskCompletion:
    completion: TaskCompletion = request.app.state.task_completion
    return completion


CompletionPart = Annotated[TaskCompletion, Depends(_completion)]
LedgerPart = Annotated[EncryptedTaskLedger, Depends(_ledger)]
MaintenancePart = Annotated[TaskMaintenance, Depends(_walk)]
Cursor = Annotated[str | None, Query(max_length=64, pattern=r"^\d+$", description="From the page before")]
PageSize = Annotated[int, Query(ge=1, le=1000, description="Tasks a page")]


@router.post("/accept", dependencies=[allow("write")], response_model_exclude_defaults=True)
async def accept(request: NewTasks, acceptance: Annotated[TaskAcceptance, Depends(_acceptance)]) -> RecordedTasks:
    """Record tasks; a 200 means that they are on disk, but for those whose key is unknown."""
    return RecordedTasks(tasks=await acceptance.accept(request.tasks))


@router.post("/find", dependencies=[allow("read")], response_model_exclude_none=True)
async def find(request: TaskIds, ledger: LedgerPart) -> LedgerTasks:
    """Return those of the tasks that are here, with their results."""
    return LedgerTasks(tasks=await ledger.find(request.task_ids))


@router.post("/claim", dependencies=[allow("write")], response_model_exclude_none=True)
async def claim(request: ClaimRequest, ledger: LedgerPart) -> LedgerTasks:
    """Return unfinished tasks that are due; nobody else gets them until the lease is over."""
    return LedgerTasks(tasks=await ledger.claim(request.limit, request.lease_s))


@router.post("/data", dependencies=[allow("read")])
async def data(request: TaskIds, ledger: LedgerPart) -> TaskData:
    """Return data and terms of tasks; where it is too much for one answer, that of the first ones."""
    found = await ledger.read_work(request.task_ids)
    return TaskData(
        data={task_id: work.data for task_id, work in found.items()},
        terms={task_id: work.terms for task_id, work in found.items()},
    )


@router.post("/change", dependencies=[allow("write")])
async def change(request: TaskChanges, completion: CompletionPart) -> TakenSteps:
    """Take those of the steps that may be taken; a 200 means that they are on disk, and what they write."""
    return TakenSteps(taken=await completion.change(request.changes))


@router.get("", dependencies=[allow("read")], response_model_exclude_none=True)
async def page(
    ledger: LedgerPart,
    tenant: Annotated[str | None, Query(max_length=512, description="Whose tasks; all where none is given")] = None,
    states: Annotated[str, Query(max_length=100, pattern=r"^[a-z,]*$", description="Separated by commas")] = "",
    limit: PageSize = 100,
    cursor: Cursor = None,
) -> LedgerTasks:
    """Return tasks, the newest first, a page at a time."""
    wanted = [TaskState(state) for state in states.split(",") if state in set(TaskState)]
    tasks, following = await ledger.page(tenant, wanted, limit, cursor)
    return LedgerTasks(tasks=tasks, cursor=following)


@router.get("/seals", dependencies=[allow("read")])
async def pseudonymizer(walk: MaintenancePart, limit: PageSize = 200, cursor: Cursor = None) -> ReencryptionPage:
    """Open the texts of a page of tasks and tell by which keys they were sealed."""
    return await walk.check(limit, cursor)


@router.post("/seals/renew", dependencies=[allow("write")])
async def reencrypt(walk: MaintenancePart, limit: PageSize = 200, cursor: Cursor = None) -> ReencryptionPage:
    """Seal the texts of a page of tasks anew, those that an older key has sealed."""
    return await walk.renew(limit, cursor)


@router.post("/subjects/erase", dependencies=[allow("write")])
async def erase_subject(
    request: EraseRequest,
    walk: MaintenancePart,
    tenant: Annotated[str, Query(max_length=512, description="Whose tasks")],
    limit: PageSize = 200,
    cursor: Cursor = None,
) -> ErasePage:
    """Erase data and results of a tenant's tasks that hold a subject's value; unfinished ones are cancelled."""
    return await walk.erase(tenant, request.forms, limit, cursor)
