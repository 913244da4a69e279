"""The routes of the queue: what it and its workers do, and pausing and resuming it."""

import asyncio
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel, ConfigDict, Field
from redis.exceptions import RedisError

from vestibule.client_service.api.wiring import CallerPart, ClientWiring, WiringPart
from vestibule.client_service.queue.pauses import PauseChange
from vestibule.client_service.queue.workers import REDIS_TIMEOUT_S, KnownWorker
from vestibule.client_service.task_status import at
from vestibule.contracts.audit import Act
from vestibule.contracts.errors import InvalidInput, PersonalDataFound, Unavailable, UnknownProcessor
from vestibule.contracts.identity import OPERATOR
from vestibule.contracts.queue import WHOLE_QUEUE, Pause
from vestibule.contracts.reasons import GivenReason
from vestibule.contracts.tasks import Priority
from vestibule.service_kit.audit.acts import audited, note_act
from vestibule.service_kit.auth.authentication import Caller, GuardedRoute, VisibilityPart, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["queue"], dependencies=[allow("queue")])

CHANGE_PROBLEMS = problem_responses(InvalidInput, PersonalDataFound, UnknownProcessor, 503)
# Running tasks whose tenants are looked up; there are as many as all workers have processes.
MOST_SHOWN = 1000


class PauseRequest(BaseModel):
    """What to pause or to resume, and why."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"processor": "uppercase", "reason": "ticket 4711"}]}
    )

    processor: str | None = Field(
        default=None, max_length=64, description="Only the tasks of this processor; the whole queue if absent"
    )
    reason: GivenReason


class PauseView(BaseModel):
    """A pause that is in force."""

    since: datetime
    author: str = Field(description="The name of the token that asked for it", examples=["operations"])
    reason: str = Field(examples=["ticket 4711"])


class ProcessorState(BaseModel):
    """A processor, and whether its tasks are kept from starting."""

    name: str = Field(examples=["uppercase"])
    is_paused: bool = Field(description="By its own pause, or by that of the whole queue")
    pause: PauseView | None = Field(description="Its own pause; null if there is none")


class WaitingTasks(BaseModel):
    """How many tasks wait, by priority: in the queue, and in the ledger where they are due and not in the queue."""

    high: int
    normal: int
    low: int


class QueueState(BaseModel):
    """The state of the queue and of its processors."""

    pause: PauseView | None = Field(description="The pause of the whole queue; null if there is none")
    processors: list[ProcessorState]
    waiting: WaitingTasks = Field(description="Tasks that are due and have not started")
    waiting_is_limited: bool = Field(description="More tasks wait than were counted")
    is_with_workers: bool = Field(
        description="Whether Redis has the pauses, by which workers know them; false while Redis does not answer"
    )


class PauseChanged(BaseModel):
    """A pause or a resumption. It is on disk, and survives a restart of everything."""

    processor: str | None = Field(description="Null: the whole queue")
    is_paused: bool
    since: datetime
    author: str
    reason: str
    is_with_workers: bool = Field(description="False: workers follow as soon as Redis answers")


class RunningTaskView(BaseModel):
    """A task that a worker runs."""

    task_id: str | None = Field(
        examples=["0b7c5a3e-6d0f-4a43-9c55-0a7d6a2f6f0e"],
        description="Null for a task of another tenant, unless you have the scope `operator`",
    )
    processor: str = Field(examples=["uppercase"])
    since: datetime = Field(description="Seen running since then; up to a second late")


class WorkerView(BaseModel):
    """A worker, as it last reported itself; what an older version does not report is null."""

    name: str = Field(examples=["worker1"])
    host: str | None = Field(examples=["node-1"])
    version: str | None = Field(examples=["0.1.0"])
    processes: int | None = Field(description="Tasks that it runs at a time", examples=[2])
    state: str = Field(description="`alive`, or `missing`: no heartbeat for 15 s", examples=["alive"])
    last_beat_at: datetime
    started_at: datetime | None
    tasks_taken: int | None = Field(
        description="Messages of tasks that it has taken since its start, also those that it did not start"
    )
    running: list[RunningTaskView]


class WorkerList(BaseModel):
    """The workers that have sent a heartbeat within a day and have not shut down since, by name."""

    workers: list[WorkerView]


@router.get("/workers", responses=problem_responses(503))
async def list_workers(wiring: WiringPart, visibility: VisibilityPart) -> WorkerList:
    """Return the workers, and what each runs: a second late at most, and for a missing one as it was last known."""
    workers = await wiring.workers.read()
    running = [one.task_id for worker in workers if worker.record for one in worker.record.running]
    try:
        tasks = await wiring.task_service.ledger.find_states(running[:MOST_SHOWN])
    except Unavailable:
        tasks = {}  # nobody knows whose they are, so only operators see their ids
    sees_all = visibility.tenants is None
    shown = {one for one in running if sees_all or (one in tasks and visibility.covers(tasks[one].tenant))}
    return WorkerList(workers=[_worker_view(worker, shown) for worker in workers])


@router.get("/queue", responses=problem_responses(503))
async def get_queue(wiring: WiringPart) -> QueueState:
    """Return what is paused, since when, by whom and why, and how many tasks wait."""
    await wiring.pauses.refresh()
    unsent = await wiring.task_service.ledger.count_unsent()
    try:
        async with asyncio.timeout(REDIS_TIMEOUT_S):
            waiting = dict(await wiring.queue.waiting())
    except (RedisError, OSError, TimeoutError) as error:
        raise Unavailable("queue", "The queue does not answer.") from error
    for one in unsent.counts:
        waiting[one.priority] += one.tasks
    in_force = wiring.pauses.in_force
    return QueueState(
        pause=_pause_view(in_force.get(WHOLE_QUEUE)),
        processors=[
            ProcessorState(
                name=name,
                is_paused=wiring.pauses.covering(name) is not None,
                pause=_pause_view(in_force.get(name)),
            )
            for name in wiring.processors.names
        ],
        waiting=WaitingTasks(**{priority.value: waiting[priority] for priority in Priority}),
        waiting_is_limited=unsent.is_limited,
        is_with_workers=wiring.pauses.are_with_workers,
    )


@router.post("/queue/pause", responses=CHANGE_PROBLEMS)
@audited(Act.QUEUE_PAUSED)
async def pause_queue(request: Annotated[PauseRequest, Body()], wiring: WiringPart, caller: CallerPart) -> PauseChanged:
    """Keep further tasks of a processor, or of all, from starting; running ones finish. Needs `operator` too.

    It applies to the tasks of all tenants. Tasks are accepted as before, and wait. `mode: sync` does not use the queue,
    and goes on.
    """
    return await _change(request, wiring, caller, is_paused=True)


@router.post("/queue/resume", responses=CHANGE_PROBLEMS)
@audited(Act.QUEUE_RESUMED)
async def resume_queue(
    request: Annotated[PauseRequest, Body()], wiring: WiringPart, caller: CallerPart
) -> PauseChanged:
    """End a pause: of a processor, or of the whole queue, after which processors with a pause of their own stay paused.

    Needs `operator` too.
    """
    return await _change(request, wiring, caller, is_paused=False)


async def _change(request: PauseRequest, wiring: ClientWiring, caller: Caller, *, is_paused: bool) -> PauseChanged:
    await wiring.authenticator.require(caller, OPERATOR)
    if request.processor is not None:
        wiring.processors.find(request.processor)
    await wiring.screener.refuse_findings("reason", request.reason)
    note_act(reason=request.reason, target=request.processor or WHOLE_QUEUE)
    change = PauseChange(request.processor, is_paused, caller.name, caller.token_id, caller.tenant, request.reason)
    pause = await wiring.pauses.change(change)
    return PauseChanged(
        **pause.model_dump(include={"processor", "is_paused", "author", "reason"}),
        since=at(pause.since),
        is_with_workers=wiring.pauses.are_with_workers,
    )


def _pause_view(pause: Pause | None) -> PauseView | None:
    if pause is None:
        return None
    return PauseView(since=at(pause.since), author=pause.author, reason=pause.reason)


def _worker_view(worker: KnownWorker, shown: set[str]) -> WorkerView:
    record = worker.record
    running = [
        RunningTaskView(
            task_id=one.task_id if one.task_id in shown else None, processor=one.processor, since=at(one.since)
        )
        for one in (record.running if record else ())
    ]
    return WorkerView(
        name=worker.name,
        host=record and record.host,
        version=record and record.version,
        processes=record and record.processes,
        state="alive" if worker.is_alive else "missing",
        last_beat_at=at(worker.beat_at),
        started_at=record and at(record.started_at),
        tasks_taken=record and record.tasks_taken,
        running=running,
    )
