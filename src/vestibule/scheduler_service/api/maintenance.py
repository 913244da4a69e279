"""The routes of maintenance windows: times in which a part may be away without anybody being told."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from vestibule.contracts.errors import InvalidInput, MaintenanceNotFound, PersonalDataFound
from vestibule.scheduler_service.availability.monitored_parts import PARTS
from vestibule.scheduler_service.heartbeats.heartbeats import NAME_PATTERN
from vestibule.scheduler_service.leadership.monotonic_scheduler import now
from vestibule.scheduler_service.maintenance.reason_check import ReasonCheck
from vestibule.scheduler_service.maintenance.windows import EVERYTHING, Maintenance, MaintenanceBook
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


async def _book(request: Request) -> MaintenanceBook:
    book: MaintenanceBook = request.app.state.windows
    return book


Book = Annotated[MaintenanceBook, Depends(_book)]


@router.post(
    "/maintenance",
    dependencies=[allow("maintenance")],
    responses=problem_responses(InvalidInput, PersonalDataFound, 503),
)
async def add(request: Request, wanted: Annotated[MaintenanceRequest, Body()], book: Book) -> Maintenance:
    """Have nobody told, for a time, that a part is away; its availability does not count then."""
    check: ReasonCheck = request.app.state.reason_check
    await check.refuse_findings(wanted.reason)
    at = now()
    window = Maintenance(
        part=wanted.part,
        begins=wanted.begins or at,
        ends=wanted.ends,
        reason=wanted.reason,
        author=request.state.caller.name,
    )
    if not window.reason.isprintable():
        raise InvalidInput("The reason must hold printable characters only.")
    await book.add(window, at)
    return window


@router.get("/maintenance", dependencies=[allow("status")], responses=problem_responses(503))
async def windows(request: Request) -> list[Maintenance]:
    """Return the windows that are planned, under way, or ended within a month, the latest first."""
    await request.app.state.books.read()
    return (await _book(request)).known


@router.delete(
    "/maintenance/{window_id}",
    dependencies=[allow("maintenance")],
    responses=problem_responses(MaintenanceNotFound, 422, 503),
)
async def end(
    book: Book, window_id: Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="Of the window")]
) -> Maintenance:
    """End a window now, or take it back where it has not begun."""
    return await book.end(window_id, now())
