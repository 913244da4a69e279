"""The routes of tasks: run a stored value, follow a task, list, cancel, send again, and the dead letters."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from vestibule.client_service.api.repeatable_route import RepeatableRoute
from vestibule.client_service.api.request_parsing import IntakePart, RunSource, Sender
from vestibule.client_service.api.schemas import Accepted, CallbackKey
from vestibule.client_service.api.wiring import ClientWiring
from vestibule.client_service.task_service.task_service import TaskService
from vestibule.contracts.errors import (
    IdempotencyKeyReused,
    InvalidInput,
    TaskConflict,
    TaskNotFound,
    UnknownProcessor,
    WebhooksDisabled,
)
from vestibule.contracts.tasks import TaskPage, TaskState, TaskStatus
from vestibule.service_kit.auth.authentication import Caller, allow
from vestibule.service_kit.openapi.descriptions import problem_responses
from vestibule.service_kit.wiring import wiring_of

router = APIRouter(route_class=RepeatableRoute, tags=["tasks"])

EVENTS = "text/event-stream"
LONGEST_FOLLOW_S = 30.0


async def _task_service(request: Request) -> TaskService:
    return wiring_of(request, ClientWiring).task_service


async def _tenant(request: Request) -> str:
    caller: Caller = request.state.caller
    return caller.tenant


TaskServicePart = Annotated[TaskService, Depends(_task_service)]
Tenant = Annotated[str, Depends(_tenant)]
TaskId = Annotated[str, Path(description="As the answer to `/run` or `/messages` named it")]
PageSize = Annotated[int, Query(ge=1, le=1000, description="Tasks a page")]
Cursor = Annotated[str | None, Query(max_length=64, pattern=r"^\d+$", description="From the page before")]


@router.post(
    "/run",
    status_code=202,
    dependencies=[allow("run")],
    responses=problem_responses(404, 409, InvalidInput, UnknownProcessor, IdempotencyKeyReused, 503),
)
async def run(work: RunSource, intake: IntakePart, sender: Sender) -> Accepted:
    """Have the value under a key processed in the background; answers at once with the task's id.

    A 202 means that the task is on disk and will be done. Send JSON, or `key` and `processor` as query parameters.
    """
    return accepted(await intake.run(work, sender))


@router.get(
    "/tasks/{task_id}",
    dependencies=[allow("run")],
    responses={
        200: {"content": {EVENTS: {"schema": {"type": "string"}}}},
        **problem_responses(TaskNotFound, 410, 503),
    },
    response_model=TaskStatus,
    response_model_exclude_none=True,
)
async def task(
    task_id: TaskId,
    task_service: TaskServicePart,
    tenant: Tenant,
    wait: Annotated[float, Query(ge=0, le=30, description="Seconds to wait for the task's end")] = 0,
    accept: Annotated[str, Header(include_in_schema=False)] = "",
) -> TaskStatus | Response:
    """Say how far a task has come, and what came of it.

    With `Accept: text/event-stream` each change comes as an event of its own, until the task's end or for 30 seconds.
    """
    if EVENTS in accept:
        # Before the stream begins, so that what is unknown is a 404.
        await task_service.read(task_id, tenant)
        return StreamingResponse(_events(task_service, task_id, tenant), media_type=EVENTS)
    return await task_service.wait(task_id, tenant, wait)


@router.get(
    "/tasks",
    dependencies=[allow("run")],
    responses=problem_responses(422, 503),
    response_model_exclude_none=True,
)
async def tasks(
    task_service: TaskServicePart,
    tenant: Tenant,
    state: Annotated[list[TaskState] | None, Query(description="Only those in one of these states")] = None,
    limit: PageSize = 100,
    cursor: Cursor = None,
) -> TaskPage:
    """Return your tenant's tasks, the newest first and without results. What runs shows a few seconds late."""
    return await task_service.page(tenant, state or [], limit, cursor)


@router.post(
    "/tasks/{task_id}/cancel",
    dependencies=[allow("run")],
    responses=problem_responses(TaskNotFound, TaskConflict, 410, 503),
    response_model_exclude_none=True,
)
async def cancel(task_id: TaskId, task_service: TaskServicePart, tenant: Tenant) -> TaskStatus:
    """End a task that has not ended. One that runs goes on; what it comes to does not count."""
    return await task_service.cancel(task_id, tenant)


@router.post(
    "/tasks/{task_id}/retry",
    dependencies=[allow("run")],
    responses=problem_responses(TaskNotFound, TaskConflict, 410, 503),
    response_model_exclude_none=True,
)
async def retry(task_id: TaskId, task_service: TaskServicePart, tenant: Tenant) -> TaskStatus:
    """Have a task that failed, is dead or was cancelled done anew, with all its attempts."""
    return await task_service.send_again(task_id, tenant)


@router.get("/callbacks/key", dependencies=[allow("run")], responses=problem_responses(WebhooksDisabled))
async def callback_key(request: Request, tenant: Tenant) -> CallbackKey:
    """Return the key of the signatures of your tenant's callbacks."""
    return CallbackKey(key=wiring_of(request, ClientWiring).webhook_rules.key_of(tenant))


@router.get(
    "/dead", dependencies=[allow("run")], responses=problem_responses(422, 503), response_model_exclude_none=True
)
async def dead(task_service: TaskServicePart, tenant: Tenant, limit: PageSize = 100, cursor: Cursor = None) -> TaskPage:
    """Return the dead letters: tasks that were given up after their last attempt, the newest first."""
    return await task_service.page(tenant, [TaskState.DEAD], limit, cursor)


@router.post(
    "/dead/{task_id}/retry",
    dependencies=[allow("run")],
    responses=problem_responses(TaskNotFound, TaskConflict, 410, 503),
    response_model_exclude_none=True,
)
async def retry_dead(task_id: TaskId, task_service: TaskServicePart, tenant: Tenant) -> TaskStatus:
    """Have a dead task done anew, with all its attempts."""
    return await task_service.send_again(task_id, tenant)


@router.delete(
    "/dead/{task_id}",
    dependencies=[allow("run")],
    responses=problem_responses(TaskNotFound, TaskConflict, 410, 503),
    response_model_exclude_none=True,
)
async def drop_dead(task_id: TaskId, task_service: TaskServicePart, tenant: Tenant) -> TaskStatus:
    """Take a task out of the dead letters for good; its data is gone, and it counts as failed."""
    return await task_service.drop(task_id, tenant)


def accepted(task_id: str) -> Accepted:
    """Return what a caller is told of work that was accepted."""
    return Accepted(task_id=task_id, status_url=f"/tasks/{task_id}")


async def _events(task_service: TaskService, task_id: str, tenant: str) -> AsyncIterator[str]:
    async for status in task_service.follow(task_id, tenant, LONGEST_FOLLOW_S):
        yield f"event: {status.state}\ndata: {status.model_dump_json(exclude_none=True)}\n\n"
