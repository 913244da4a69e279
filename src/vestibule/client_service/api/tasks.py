"""The routes of tasks: run, get, list, cancel and retry them, the dead letters, processors, and the key of webhooks."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Path, Query
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from vestibule.client_service.api.task_selection import PROCESSOR_PATTERN, AllTenants, StateList, TaskSelection
from vestibule.client_service.api.wiring import (
    CallerPart,
    KeyText,
    RepeatableRoute,
    Sender,
    Tenant,
    WiringPart,
    check_target,
    from_query,
    listing,
)
from vestibule.client_service.intake.work import RunRequest
from vestibule.contracts.audit import Act
from vestibule.contracts.entries import EVENT_STREAM, Key
from vestibule.contracts.errors import (
    IdempotencyKeyReused,
    InvalidInput,
    TaskConflict,
    TaskNotFound,
    TooManyWaiting,
    UnknownProcessor,
    WebhooksDisabled,
)
from vestibule.contracts.identity import OPERATOR, SENDER_PATTERN
from vestibule.contracts.json_types import Timestamp
from vestibule.contracts.task_ledger import TaskFilter
from vestibule.contracts.tasks import (
    CAUSE_PATTERN,
    TASK_CURSOR_PATTERN,
    TaskPage,
    TaskState,
    TaskStatus,
    TaskTotals,
)
from vestibule.processing import examples_of, model_of
from vestibule.service_kit.audit.acts import audited
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=RepeatableRoute, tags=["tasks"], dependencies=[allow("run")])
processor_router = APIRouter(route_class=GuardedRoute, tags=["processors"], dependencies=[allow("run")])

MAX_FOLLOW_S = 30.0
CHANGE_PROBLEMS = problem_responses(TaskNotFound, TaskConflict, 410, 503)

TaskId = Annotated[str, Path(description="The `task_id` in the reply to `/run` or `/messages`")]
MAX_AGE_S = 100 * 366 * 86_400
PageSize = Annotated[int, Query(ge=1, le=1000, description="Tasks per page")]
Cursor = Annotated[
    str | None,
    Query(pattern=TASK_CURSOR_PATTERN, description="The `cursor` of the previous page", examples=["4711"]),
]


class AcceptedTask(BaseModel):
    """A task that was accepted and runs in the background."""

    task_id: str = Field(examples=["0b7c5a3e-6d0f-4a43-9c55-0a7d6a2f6f0e"])
    status_url: str = Field(examples=["/tasks/0b7c5a3e-6d0f-4a43-9c55-0a7d6a2f6f0e"])


class WebhookKey(BaseModel):
    """The key by which a receiver verifies that a webhook comes from this service."""

    key: str = Field(
        description="Key of HMAC-SHA256 over `X-Vestibule-Timestamp`, a full stop and the body; used as text"
    )


class ProcessorExample(BaseModel):
    """The result of a processor for a text."""

    data: str = Field(examples=["hello"])
    result: str = Field(examples=["HELLO"])
    options: dict[str, Any]


class ProcessorView(BaseModel):
    """A processor that requests can name as `processor`."""

    name: str = Field(examples=["uppercase"])
    description: str = Field(examples=["Converts the text to upper case."])
    options: dict[str, Any] | None = Field(description="The JSON Schema of its options; null if it has none")
    examples: list[ProcessorExample]


class ProcessorList(BaseModel):
    """The processors by name."""

    processors: list[ProcessorView]


@router.post(
    "/run",
    status_code=202,
    responses=problem_responses(404, 409, InvalidInput, UnknownProcessor, IdempotencyKeyReused, TooManyWaiting, 503),
)
async def run_task(
    *,
    wiring: WiringPart,
    sender: Sender,
    caller: CallerPart,
    response: Response,
    body: Annotated[RunRequest | None, Body()] = None,
    key: KeyText = None,
    processor: Annotated[str | None, Query(description="The processor; `uppercase` by default")] = None,
) -> AcceptedTask:
    """Process the value under a key in the background; returns the task's id at once.

    A 202 means that the task is on disk and will run. Send JSON, or `key` and `processor` as query parameters.
    The result can be read with the scope `run`, so a token with it can read what is stored. `write_to` needs `add` too.
    """
    work = body or from_query(RunRequest, key=key, processor=processor)
    await check_target(work, wiring, caller)
    task_id = await wiring.intake.run(work, sender)
    accepted = AcceptedTask(task_id=task_id, status_url=f"/tasks/{task_id}")
    response.headers["Location"] = accepted.status_url
    return accepted


@router.get("/tasks", responses=problem_responses(422, TooManyWaiting, 503), response_model_exclude_none=True)
async def list_tasks(  # noqa: PLR0917 - the filters
    wiring: WiringPart,
    caller: CallerPart,
    state: StateList = None,
    processor: Annotated[
        str | None, Query(pattern=PROCESSOR_PATTERN, description="The processor", examples=["uppercase"])
    ] = None,
    token: Annotated[
        str | None, Query(pattern=f"^{SENDER_PATTERN}$", description="The id of a token", examples=["5f3a9c21"])
    ] = None,
    key: Annotated[Key | None, Query(description="The key, of your tenant, that the data came from")] = None,
    cause: Annotated[
        str | None, Query(pattern=CAUSE_PATTERN, description="The cause of the last failure", examples=["timeout"])
    ] = None,
    older_than_s: Annotated[float | None, Query(ge=0, le=MAX_AGE_S, description="Seconds since submission")] = None,
    due_before: Annotated[Timestamp | None, Query(description="Waiting for a time before this one")] = None,
    all_tenants: AllTenants = False,
    limit: PageSize = 100,
    cursor: Cursor = None,
) -> TaskPage:
    """Return your tenant's tasks, newest first and without results. The state `running` appears a few seconds late.

    Tasks match if they meet all filters. Where few match, a page may have fewer than `limit`, and the next goes on.
    """
    selection = TaskSelection(
        state=state,
        processor=processor,
        token=token,
        key=key,
        cause=cause,
        older_than_s=older_than_s,
        due_before=due_before,
        all_tenants=all_tenants,
    )
    chosen = await selection.resolve(wiring, caller)
    async with listing(wiring, caller):
        return await wiring.task_service.page(chosen, limit, cursor)


@router.get("/tasks/counts", responses=problem_responses(503), response_model_exclude_none=True)
async def count_tasks(wiring: WiringPart, caller: CallerPart, all_tenants: AllTenants = False) -> TaskTotals:
    """Return how many tasks of your tenant are in each state, in all and for each processor; the numbers are exact."""
    if all_tenants:
        await wiring.authenticator.require(caller, OPERATOR)
    return await wiring.task_service.totals(None if all_tenants else caller.tenant)


@router.get(
    "/tasks/{task_id}",
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
    """Return the state of a task, and its result, or why it waits.

    With `Accept: text/event-stream` each change is one event, until the task's end or for 30 seconds.
    """
    if EVENT_STREAM not in accept:
        return await wiring.waiting.explain(await wiring.task_service.wait(task_id, tenant, wait), tenant)
    # Before the stream starts, so that an unknown task is a 404.
    await wiring.task_service.read(task_id, tenant)

    async def events() -> AsyncIterator[str]:
        async for status in wiring.task_service.follow(task_id, tenant, MAX_FOLLOW_S):
            yield f"event: {status.state}\ndata: {status.model_dump_json(exclude_none=True)}\n\n"

    return StreamingResponse(events(), media_type=EVENT_STREAM)


@router.post("/tasks/{task_id}/cancel", responses=CHANGE_PROBLEMS, response_model_exclude_none=True)
@audited(Act.TASK_CANCELLED)
async def cancel_task(task_id: TaskId, wiring: WiringPart, tenant: Tenant) -> TaskStatus:
    """Cancel a task that has not ended. A running one continues; its result is discarded."""
    return await wiring.task_service.cancel(task_id, tenant)


@router.post("/tasks/{task_id}/retry", responses=CHANGE_PROBLEMS, response_model_exclude_none=True)
@audited(Act.TASK_RETRIED)
async def retry_task(task_id: TaskId, wiring: WiringPart, tenant: Tenant) -> TaskStatus:
    """Retry a task that failed, is dead or was cancelled, with all its attempts."""
    return await wiring.task_service.retry(task_id, tenant)


@router.get("/callbacks/key", responses=problem_responses(WebhooksDisabled))
async def get_webhook_key(wiring: WiringPart, tenant: Tenant) -> WebhookKey:
    """Return the key that signs your tenant's webhooks."""
    return WebhookKey(key=wiring.webhook_rules.key_of(tenant))


@router.get("/dead", responses=problem_responses(422, TooManyWaiting, 503), response_model_exclude_none=True)
async def list_dead_tasks(
    wiring: WiringPart, caller: CallerPart, limit: PageSize = 100, cursor: Cursor = None
) -> TaskPage:
    """Return the dead letters: tasks that failed their last attempt, newest first."""
    chosen = TaskFilter(tenant=caller.tenant, states=[TaskState.DEAD])
    async with listing(wiring, caller):
        return await wiring.task_service.page(chosen, limit, cursor)


@router.post("/dead/{task_id}/retry", responses=CHANGE_PROBLEMS, response_model_exclude_none=True)
@audited(Act.TASK_RETRIED)
async def retry_dead_task(task_id: TaskId, wiring: WiringPart, tenant: Tenant) -> TaskStatus:
    """Retry a dead task, with all its attempts."""
    return await wiring.task_service.retry(task_id, tenant)


@router.delete("/dead/{task_id}", responses=CHANGE_PROBLEMS, response_model_exclude_none=True)
@audited(Act.TASK_DROPPED)
async def drop_dead_task(task_id: TaskId, wiring: WiringPart, tenant: Tenant) -> TaskStatus:
    """Remove a task from the dead letters for good: its data is deleted, and it counts as failed."""
    return await wiring.task_service.drop(task_id, tenant)


@processor_router.get("/processors", responses=problem_responses())
async def list_processors(wiring: WiringPart) -> ProcessorList:
    """Return the processors with their options, as JSON Schema, and examples."""
    found = []
    for processor in map(wiring.processors.find, wiring.processors.names):
        model = model_of(processor)
        examples = [ProcessorExample.model_validate(one, from_attributes=True) for one in examples_of(processor)]
        options = None if model is None else model.model_json_schema()
        found.append(
            ProcessorView(name=processor.name, description=processor.description, options=options, examples=examples)
        )
    return ProcessorList(processors=found)
