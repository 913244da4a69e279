"""The routes of heartbeats: jobs ping regularly, and an alert is raised when one does not."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from vestibule.contracts.audit import Act
from vestibule.contracts.errors import HeartbeatNotFound, InvalidInput, PersonalDataFound
from vestibule.scheduler_service.api.wiring import SchedulerWiring, Tenant, WiringPart
from vestibule.scheduler_service.heartbeats import NAME_PATTERN, Ping
from vestibule.scheduler_service.jobs import now
from vestibule.scheduler_service.status_page.status import HeartbeatStatus, describe_heartbeat
from vestibule.service_kit.audit.acts import audited
from vestibule.service_kit.auth.authentication import GuardedRoute, VisibilityPart, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["heartbeats"])

YEAR_S = 366 * 86_400
PING_PROBLEMS = problem_responses(InvalidInput, PersonalDataFound, 503)


class HeartbeatDeleted(BaseModel):
    """The heartbeat is not expected any more."""

    name: str
    deleted: bool = True


Name = Annotated[str, Path(pattern=NAME_PATTERN, description="A letter, then letters, digits, `_`, `.` and `-`")]
Period = Annotated[
    float | None,
    Query(gt=0, le=YEAR_S, allow_inf_nan=False, description="Seconds from one ping to the next; one day if not given"),
]
Grace = Annotated[
    float | None,
    Query(ge=0, le=YEAR_S, allow_inf_nan=False, description="Seconds that a ping may be late; one hour if not given"),
]


@router.get("/heartbeats", dependencies=[allow("status")], responses=problem_responses(503))
async def list_heartbeats(wiring: WiringPart, visibility: VisibilityPart) -> list[HeartbeatStatus]:
    """Return the heartbeats of your tenant, by name; with the scope `operator` those of all."""
    await wiring.heartbeats.refresh()
    at = now()
    return [describe_heartbeat(one, at) for one in wiring.heartbeats.visible(visibility)]


@router.post("/heartbeats/{name}", dependencies=[allow("heartbeat")], responses=PING_PROBLEMS)
async def ping_heartbeat(
    wiring: WiringPart, tenant: Tenant, name: Name, period_s: Period = None, grace_s: Grace = None
) -> HeartbeatStatus:
    """Report that the job succeeded. The first ping creates the heartbeat; period and grace stay until changed."""
    return await _record(wiring, name, Ping.DONE, (period_s, grace_s), tenant)


@router.post("/heartbeats/{name}/start", dependencies=[allow("heartbeat")], responses=PING_PROBLEMS)
async def start_heartbeat(
    wiring: WiringPart, tenant: Tenant, name: Name, period_s: Period = None, grace_s: Grace = None
) -> HeartbeatStatus:
    """Report that the job starts; it must report its end within the grace."""
    return await _record(wiring, name, Ping.START, (period_s, grace_s), tenant)


@router.post("/heartbeats/{name}/fail", dependencies=[allow("heartbeat")], responses=PING_PROBLEMS)
async def fail_heartbeat(
    wiring: WiringPart, tenant: Tenant, name: Name, period_s: Period = None, grace_s: Grace = None
) -> HeartbeatStatus:
    """Report that the job failed; an alert is raised at once."""
    return await _record(wiring, name, Ping.FAIL, (period_s, grace_s), tenant)


@router.delete(
    "/heartbeats/{name}",
    dependencies=[allow("heartbeat")],
    responses=problem_responses(HeartbeatNotFound, 422, 503),
)
@audited(Act.HEARTBEAT_DELETED)
async def delete_heartbeat(wiring: WiringPart, tenant: Tenant, name: Name) -> HeartbeatDeleted:
    """Stop expecting a heartbeat of your tenant."""
    await wiring.heartbeats.delete(name, tenant)
    return HeartbeatDeleted(name=name)


async def _record(
    wiring: SchedulerWiring, name: str, ping: Ping, times_s: tuple[float | None, float | None], tenant: str
) -> HeartbeatStatus:
    """Record a ping. The name stands in alerts, logs and reports and is a key in the store, so it is scanned."""
    await wiring.text_check.validate_name("name", name, "the name of a heartbeat")
    heartbeat = await wiring.heartbeats.ping(name, ping, now(), *times_s, tenant=tenant)
    return describe_heartbeat(heartbeat, now())
