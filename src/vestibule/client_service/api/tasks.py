"""The routes of tasks: run, get, list, cancel and retry them, the dead letters, and the key that signs webhooks."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from vestibule.client_service.api.repeatable_route import RepeatableRoute
from vestibule.client_service.api.request_parsing import IntakePart, RunSource, Sender, Tenant
from vestibule.client_service.api.wiring import WiringPart
from vestibule.client_service.task_service.task_service import TaskService
from vestibule.contracts.entries import EVENT_STREAM
from vestibule.contracts.errors import (
    IdempotencyKeyReused,
    InvalidInput,
    TaskConflict,
    TaskNotFound,
    UnknownProcessor,
    WebhooksDisabled,
)
from vestibule.contracts.tasks import TaskPage, TaskState, TaskStatus
from vestibule.service_kit.auth.authentication import allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=RepeatableRoute, tags=["tasks"])

MAX_FOLLOW_S = 30.0
CHANGE_PROBLEMS = problem_responses(TaskNotFound, TaskConflict, 410, 503)

TaskId = Annotated[str, Path(description="The `task_id` in the reply to `/run` or `/messages`")]
PageSize = Annotated[int, Query(ge=1, le=1000, description="Tasks a page")]
Cursor = Annotated[str | None, Query(max_length=64, pattern=r"^\d+$", description="From the page before")]


class AcceptedTask(BaseModel):
    """A task that was accepted and runs in the background."""

    task_id: str = Field(examples=["0b7c5a3e-6d0f-4a43-9c55-0a7d6a2f6f0e"])
    status_url: str = Field(examples=["/tasks/0b7c5a3e-6d0f-4a43-9c55-0a7d6a2f6f0e"])


class WebhookKey(BaseModel):
    """The key by which a receiver verifies that a webhook comes from this service."""

    key: str = Field(description="Of HMAC-SHA256 over `X-Vestibule-Timestamp`, a point and the body; as it stands here")


@router.post(
    "/run",
    status_code=202,
    dependencies=[allow("run")],
    responses=problem_responses(404, 409, InvalidInput, UnknownProcessor, IdempotencyKeyReused, 503),
)
async def run_task(work: RunSource, intake: IntakePart, sender: Sender) -> AcceptedTask:
    """Process the value under a key in the background; returns the task's id at once.

    A 202 means that the task is on disk and will run. Send JSON, or `key` and `processor` as query parameters.
    """
    return accepted(await intake.run(work, sender))


@router.get(
    "/tasks/{task_id}",
    dependencies=[allow("run")],
    responses={
        200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}}}},
        **problem_responses(TaskNotFound, 410, 503),
    },
    response_model=TaskStatus,
    response_model_exclude_none=True,
)
async def get_task(
    task_id: TaskId,
    wiring: WiringPart,
    tenant: Tenant,
    wait: Annotated[float, Query(ge=0, le=30, description="Seconds to wait for the task's end")] = 0,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> TaskStatus | Response:
    """Return the state of a task, and its result.

    With `Accept: text/event-stream` each change is one event, until the task's end or for 30 seconds.
    """
    if EVENT_STREAM not in accept:
        return await wiring.task_service.wait(task_id, tenant, wait)
    # Before the stream starts, so that an unknown task is a 404.
    await wiring.task_service.read(task_id, tenant)
    return StreamingResponse(_events(wiring.task_service, task_id, tenant), media_type=EVENT_STREAM)


@router.get(
    "/tasks",
    dependencies=[allow("run")],
    responses=problem_responses(422, 503),
    response_model_exclude_none=True,
)
async def list_tasks(
    wiring: WiringPart,
    tenant: Tenant,
    state: Annotated[list[TaskState] | None, Query(description="Only those in one of these states")] = None,
    limit: PageSize = 100,
    cursor: Cursor = None,
) -> TaskPage:
    """Return your tenant's tasks, newest first and without results. A task shows as running a few seconds late."""
    return await wiring.task_service.page(tenant, state or [], limit, cursor)


@router.post(
    "/tasks/{task_id}/cancel",
    dependencies=[allow("run")],
    responses=CHANGE_PROBLEMS,
    response_model_exclude_none=True,
)
async def cancel_task(task_id: TaskId, wiring: WiringPart, tenant: Tenant) -> TaskStatus:
    """Cancel a task that has not ended. A running one continues; its result is discarded."""
    return await wiring.task_service.cancel(task_id, tenant)


@router.post(
    "/tasks/{task_id}/retry",
    dependencies=[allow("run")],
    responses=CHANGE_PROBLEMS,
    response_model_exclude_none=True,
)
async def retry_task(task_id: TaskId, wiring: WiringPart, tenant: Tenant) -> TaskStatus:
    """Retry a task that failed, is dead or was cancelled, with all its attempts."""
    return await wiring.task_service.retry(task_id, tenant)


@router.get("/callbacks/key", dependencies=[allow("run")], responses=problem_responses(WebhooksDisabled))
async def get_webhook_key(wiring: WiringPart, tenant: Tenant) -> WebhookKey:
    """Return the key that signs your tenant's webhooks."""
    return WebhookKey(key=wiring.webhook_rules.key_of(tenant))


@router.get(
    "/dead", dependencies=[allow("run")], responses=problem_responses(422, 503), response_model_exclude_none=True
)
async def list_dead_tasks(wiring: WiringPart, tenant: Tenant, limit: PageSize = 100, cursor: Cursor = None) -> TaskPage:
    """Return the dead letters: tasks that failed their last attempt, newest first."""
    return await wiring.task_service.page(tenant, [TaskState.DEAD], limit, cursor)


@router.post(
    "/dead/{task_id}/retry",
    dependencies=[allow("run")],
    responses=CHANGE_PROBLEMS,
    response_model_exclude_none=True,
)
async def retry_dead_task(task_id: TaskId, wiring: WiringPart, tenant: Tenant) -> TaskStatus:
    """Retry a dead task, with all its attempts."""
    return await wiring.task_service.retry(task_id, tenant)


@router.delete(
    "/dead/{task_id}",
    dependencies=[allow("run")],
    responses=CHANGE_PROBLEMS,
    response_model_exclude_none=True,
)
async def drop_dead_task(task_id: TaskId, wiring: WiringPart, tenant: Tenant) -> TaskStatus:
    """Remove a task from the dead letters for good: its data is deleted, and it counts as failed."""
    return await wiring.task_service.drop(task_id, tenant)


def accepted(task_id: str) -> AcceptedTask:
    """Return the reply for a task that was accepted."""
    return AcceptedTask(task_id=task_id, status_url=f"/tasks/{task_id}")


async def _events(task_service: TaskService, task_id: str, tenant: str) -> AsyncIterator[str]:
    async for status in task_service.follow(task_id, tenant, MAX_FOLLOW_S):
        yield f"event: {status.state}\ndata: {status.model_dump_json(exclude_none=True)}\n\n"
