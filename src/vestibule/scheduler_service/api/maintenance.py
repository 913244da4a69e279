"""The routes of maintenance windows: times in which a part may be away without anybody being told."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from vestibule.contracts.errors import InvalidInput, MaintenanceNotFound, PersonalDataFound
from vestibule.scheduler_service.availability.monitored_parts import PARTS
from vestibule.scheduler_service.heartbeats.heartbeats import NAME_PATTERN
from vestibule.scheduler_service.leadership.monotonic_scheduler import now
from vestibule.scheduler_service.maintenance.reason_check import ReasonCheck
from vestibule.scheduler_service.maintenance.windows import EVERYTHING, MaintenanceRepository, MaintenanceWindow
from vestibule.service_kit.auth.authentication import GuardedRoute, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["maintenance"])

KNOWN_PARTS = [EVERYTHING, *PARTS]
PART_PATTERN = rf"^({'|'.join(KNOWN_PARTS)}|heartbeat:{NAME_PATTERN[1:-1]})$"


class MaintenanceRequest(BaseModel):
    """A window to keep."""

    model_config = ConfigDict(extra="forbid")

    part: str = Field(
        default=EVERYTHING,
        pattern=PART_PATTERN,
        description="The name of a part, `heartbeat:NAME`, or `all`",
        examples=["database"],
    )
    begins: AwareDatetime | None = Field(default=None, alias="from", description="Now unless given")
    ends: AwareDatetime = Field(alias="until")
    reason: str = Field(default="", max_length=500, description="It is checked as every text that is kept")


async def _repository(request: Request) -> MaintenanceRepository:
    repository: MaintenanceRepository = request.app.state.windows
    return repository


Repository = Annotated[MaintenanceRepository, Depends(_repository)]


@router.post(
    "/maintenance",
    dependencies=[allow("maintenance")],
    responses=problem_responses(InvalidInput, PersonalDataFound, 503),
)
async def add(
    request: Request, wanted: Annotated[MaintenanceRequest, Body()], repository: Repository
) -> MaintenanceWindow:
    """Have nobody told, for a time, that a part is away; its availability does not count then."""
    check: ReasonCheck = request.app.state.reason_check
    await check.refuse_findings(wanted.reason)
    at = now()
    window = MaintenanceWindow(
        part=wanted.part,
        begins=wanted.begins or at,
        ends=wanted.ends,
        reason=wanted.reason,
        author=request.state.caller.name,
    )
    if not window.reason.isprintable():
        raise InvalidInput("The reason must consist of printable characters.")
    await repository.add(window, at)
    return window


@router.get("/maintenance", dependencies=[allow("status")], responses=problem_responses(503))
async def windows(request: Request) -> list[MaintenanceWindow]:
    """Return the windows that are planned, under way, or ended within a month, the latest first."""
    await request.app.state.operator_inputs.read()
    return (await _repository(request)).known


@router.delete(
    "/maintenance/{window_id}",
    dependencies=[allow("maintenance")],
    responses=problem_responses(MaintenanceNotFound, 422, 503),
)
async def end(
    repository: Repository, window_id: Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="Of the window")]
) -> MaintenanceWindow:
    """End a window now, or take it back where it has not begun."""
    return await repository.end(window_id, now())
