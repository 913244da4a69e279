"""The routes of heartbeats: whoever should be heard of regularly calls here, and an alert tells when it does not."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel

from vestibule.contracts.errors import HeartbeatNotFound
from vestibule.scheduler_service.api.wiring import SchedulerWiring
from vestibule.scheduler_service.heartbeats.heartbeats import NAME_PATTERN, Heartbeat, HeartbeatRepository, Ping
from vestibule.scheduler_service.leadership.monotonic_scheduler import now
from vestibule.scheduler_service.status_page.status import HeartbeatStatus, describe_heartbeat
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses
from vestibule.service_kit.wiring import wiring_of

router = APIRouter(route_class=GuardedRoute, tags=["heartbeats"])

YEAR_S = 366 * 86_400


class HeartbeatDeleted(BaseModel):
    """Nothing more is expected of it."""

    name: str
    deleted: bool = True


async def _repository(request: Request) -> HeartbeatRepository:
    return wiring_of(request, SchedulerWiring).operator_inputs.heartbeats


Repository = Annotated[HeartbeatRepository, Depends(_repository)]
Name = Annotated[str, Path(pattern=NAME_PATTERN, description="A letter, then letters, digits, `_`, `.` and `-`")]
Period = Annotated[
    float | None,
    Query(gt=0, le=YEAR_S, allow_inf_nan=False, description="Seconds from one ping to the next; a day unless given"),
]
Grace = Annotated[
    float | None,
    Query(ge=0, le=YEAR_S, allow_inf_nan=False, description="Seconds that a ping may be late; an hour unless given"),
]
PROBLEMS = problem_responses(HeartbeatNotFound, 422, 503)


@router.get("/heartbeats", dependencies=[allow("status")], responses=problem_responses(503))
async def heartbeats(request: Request) -> list[HeartbeatStatus]:
    """Return all heartbeats, by name."""
    await wiring_of(request, SchedulerWiring).operator_inputs.read()
    at = now()
    return [describe_heartbeat(one, at) for one in sorted((await _repository(request)).known, key=lambda one: one.name)]


@router.post("/heartbeats/{name}", dependencies=[allow("heartbeat")], responses=problem_responses(422, 503))
async def ping(repository: Repository, name: Name, period_s: Period = None, grace_s: Grace = None) -> HeartbeatStatus:
    """Say that it is done. The first ping begins the watch over it; what it says of period and grace stays."""
    return _describe(await repository.ping(name, Ping.DONE, now(), period_s, grace_s))


@router.post("/heartbeats/{name}/start", dependencies=[allow("heartbeat")], responses=problem_responses(422, 503))
async def start(repository: Repository, name: Name, period_s: Period = None, grace_s: Grace = None) -> HeartbeatStatus:
    """Say that it begins; it has its grace to say that it is done."""
    return _describe(await repository.ping(name, Ping.START, now(), period_s, grace_s))


@router.post("/heartbeats/{name}/fail", dependencies=[allow("heartbeat")], responses=problem_responses(422, 503))
async def fail(repository: Repository, name: Name, period_s: Period = None, grace_s: Grace = None) -> HeartbeatStatus:
    """Say that it failed; people are told at once."""
    return _describe(await repository.ping(name, Ping.FAIL, now(), period_s, grace_s))


@router.delete("/heartbeats/{name}", dependencies=[allow("heartbeat")], responses=PROBLEMS)
async def delete(repository: Repository, name: Name) -> HeartbeatDeleted:
    """Expect nothing more of it."""
    await repository.delete(name)
    return HeartbeatDeleted(name=name)


def _describe(heartbeat: Heartbeat) -> HeartbeatStatus:
    return describe_heartbeat(heartbeat, now())
