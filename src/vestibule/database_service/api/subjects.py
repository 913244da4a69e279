"""The routes of data subjects: erase everything that holds a subject's value."""

from typing import Annotated

from fastapi import APIRouter, Query

from vestibule.contracts.subjects import ErasePage, EraseRequest
from vestibule.database_service.api.dependencies import (
    Cursor,
    PageSize,
    TaskCursor,
    TenantViewPart,
)
from vestibule.database_service.api.wiring import WiringPart
from vestibule.database_service.maintenance.erase_entries import EntryErasure
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["subjects"], responses=problem_responses(422, 503))


@router.post("/subjects/erase", dependencies=[allow("write")])
async def erase_subject_entries(
    request: EraseRequest, view: TenantViewPart, limit: PageSize = 200, cursor: Cursor = None
) -> ErasePage:
    """Erase the entries of a page that hold a subject's value in one of its forms."""
    return await EntryErasure(view).erase(request.forms, limit, cursor)


@router.post("/tasks/subjects/erase", dependencies=[allow("write")])
async def erase_subject_tasks(
    request: EraseRequest,
    wiring: WiringPart,
    tenant: Annotated[str, Query(max_length=512, description="The tenant that owns the tasks")],
    limit: PageSize = 200,
    cursor: TaskCursor = None,
) -> ErasePage:
    """Erase data and results of a tenant's tasks that hold a subject's value; unfinished ones are cancelled."""
    return await wiring.task_maintenance.erase(tenant, request.forms, limit, cursor)
