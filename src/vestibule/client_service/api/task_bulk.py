"""The routes that act on all tasks that match, and say how far that is."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from vestibule.client_service.api.task_selection import TaskSelection
from vestibule.client_service.api.wiring import MOST_WAITING, CallerPart, Tenant, WiringPart
from vestibule.client_service.task_service.bulk import BulkAction, BulkPreview, BulkRequest, BulkStatus
from vestibule.contracts.audit import Act
from vestibule.contracts.errors import (
    BulkActionInProgress,
    BulkActionNotFound,
    ConfirmationInvalid,
    InvalidInput,
    PersonalDataFound,
    TooManyWaiting,
)
from vestibule.contracts.reasons import GivenReason
from vestibule.runtime.log_context import log_fields
from vestibule.service_kit.audit.acts import audited, note_act
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, prefix="/tasks/bulk", tags=["tasks"], dependencies=[allow("run")])

CONFIRM_PATTERN = r"^[0-9]{10}\.[0-9a-f]{32}$"


class BulkTaskRequest(BaseModel):
    """What to do with which tasks; with `confirm` it is done."""

    model_config = ConfigDict(extra="forbid")

    action: BulkAction
    filter: TaskSelection
    confirm: str | None = Field(
        default=None,
        pattern=CONFIRM_PATTERN,
        description="From the preview of this request; without it nothing is changed",
    )
    reason: GivenReason | None = Field(default=None, examples=["ticket 4711: the receiver was down"])


class BulkStarted(BaseModel):
    """A job that goes on in the background."""

    job_id: str = Field(examples=["0b7c5a3e6d0f4a439c550a7d6a2f6f0e"])
    status_url: str = Field(examples=["/tasks/bulk/0b7c5a3e6d0f4a439c550a7d6a2f6f0e"])


STARTED: dict[int | str, dict[str, Any]] = {
    202: {
        "model": BulkStarted,
        "description": "The job goes on; `Location` says where its progress is",
        "headers": {"Location": {"schema": {"type": "string"}, "description": "Address of the progress"}},
    }
}
PROBLEMS = problem_responses(
    BulkActionInProgress, ConfirmationInvalid, InvalidInput, PersonalDataFound, TooManyWaiting, 503
)


@router.post("", response_model=BulkPreview, responses={**STARTED, **PROBLEMS})
@audited(Act.TASKS_CHANGED)
async def change_tasks(
    request: Annotated[BulkTaskRequest, Body()], wiring: WiringPart, caller: CallerPart
) -> BulkPreview | JSONResponse:
    """Retry, cancel or drop all tasks that match: without `confirm` a preview, with it a job, of 10,000 at most.

    A confirmation is valid for five minutes, for the same action, filter and token. Tasks in other states than the
    action applies to do not match. A tenant has one such job at a time.
    """
    for field, text in (("reason", request.reason), ("token", request.filter.token)):
        await wiring.screener.refuse_findings(field, text or "")
    note_act(reason=request.reason, is_act=request.confirm is not None)
    asked = BulkRequest(
        request.action,
        await request.filter.resolve(wiring, caller),
        request.filter.model_dump_json(exclude_none=True),
        caller.principal,
        caller.name,
        request.reason,
        log_fields().get("request_id"),
    )
    async with wiring.bulk_requests.of(caller.token_id, MOST_WAITING):
        if request.confirm is None:
            return await wiring.bulk_actions.preview(asked)
        record = await wiring.bulk_actions.start(asked, request.confirm)
    note_act(target=record.bulk_id)
    started = BulkStarted(job_id=record.bulk_id, status_url=f"/tasks/bulk/{record.bulk_id}")
    return JSONResponse(started.model_dump(), 202, {"Location": started.status_url})


@router.get("/{job_id}", responses=problem_responses(BulkActionNotFound, 422, 503), response_model_exclude_none=True)
async def get_bulk_job(
    job_id: Annotated[
        str,
        Path(
            pattern="^[0-9a-f]{32}$",
            description="The `job_id` in the reply to `/tasks/bulk`",
            examples=["0b7c5a3e6d0f4a439c550a7d6a2f6f0e"],
        ),
    ],
    wiring: WiringPart,
    tenant: Tenant,
) -> BulkStatus:
    """Return the progress of an action on many tasks; it is known for 30 days after its end."""
    return (await wiring.bulk_actions.find(job_id, tenant)).status
