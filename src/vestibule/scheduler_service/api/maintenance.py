"""The routes of maintenance windows."""

from typing import Annotated

from fastapi import APIRouter, Body, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from vestibule.contracts.audit import Act
from vestibule.contracts.errors import InvalidInput, MaintenanceNotFound, PersonalDataFound
from vestibule.contracts.identity import OPERATOR, SYSTEM_TENANT
from vestibule.contracts.json_types import Timestamp
from vestibule.contracts.reasons import Reason
from vestibule.scheduler_service.api.wiring import WiringPart
from vestibule.scheduler_service.availability.parts import PARTS
from vestibule.scheduler_service.heartbeats import NAME_PATTERN
from vestibule.scheduler_service.jobs import now
from vestibule.scheduler_service.maintenance import EVERYTHING, MaintenanceWindow
from vestibule.service_kit.audit.acts import audited, note_act
from vestibule.service_kit.auth.authentication import Caller, GuardedRoute, VisibilityPart, allow
from vestibule.service_kit.openapi.descriptions import problem_responses

router = APIRouter(route_class=GuardedRoute, tags=["maintenance"])

KNOWN_PARTS = [EVERYTHING, *PARTS]
PART_PATTERN = rf"^({'|'.join(KNOWN_PARTS)}|heartbeat:{NAME_PATTERN[1:-1]})$"


class MaintenanceRequest(BaseModel):
    """A window to add."""

    model_config = ConfigDict(extra="forbid")

    part: str = Field(
        default=EVERYTHING,
        pattern=PART_PATTERN,
        description="The name of a part, `heartbeat:NAME`, or `all`",
        examples=["database"],
    )
    begins: Timestamp | None = Field(default=None, alias="from", description="Now unless given")
    ends: Timestamp = Field(alias="until")
    reason: Reason = ""

    def as_window(self, author: str, tenant: str) -> MaintenanceWindow:
        """Return the window; it begins now unless the request has a start."""
        begins, by = self.begins or now(), {"author": author, "tenant": tenant}
        return MaintenanceWindow(part=self.part, begins=begins, ends=self.ends, reason=self.reason, **by)


@router.post(
    "/maintenance",
    status_code=201,
    dependencies=[allow("maintenance")],
    responses=problem_responses(InvalidInput, PersonalDataFound, 503),
)
@audited(Act.MAINTENANCE_ADDED)
async def add_maintenance_window(
    request: Request,
    wanted: Annotated[MaintenanceRequest, Body()],
    wiring: WiringPart,
    visibility: VisibilityPart,
) -> MaintenanceWindow:
    """Suppress alerts about a part for a time; its availability does not count then.

    All tenants share the parts, so they need the scope `operator`. Without it, `all` is all heartbeats of your tenant.
    """
    caller: Caller = request.state.caller
    if wanted.part in PARTS and visibility.owner != SYSTEM_TENANT:
        await wiring.authenticator.require(caller, OPERATOR)
    await wiring.text_check.validate("reason", wanted.reason, "the reason of a maintenance window")
    heartbeat = wanted.part.partition(":")[2]
    await wiring.text_check.validate_name("part", heartbeat, "the part of a maintenance window")
    note_act(reason=wanted.reason)
    window = await wiring.windows.add(wanted.as_window(caller.name, visibility.owner), now())
    note_act(target=window.id)
    return window


@router.get("/maintenance", dependencies=[allow("status")], responses=problem_responses(503))
async def list_maintenance_windows(wiring: WiringPart, visibility: VisibilityPart) -> list[MaintenanceWindow]:
    """Return the windows of your tenant that are planned, active, or ended within a month, the latest first.

    With the scope `operator` they are those of all.
    """
    await wiring.windows.refresh()
    return wiring.windows.visible(visibility)


@router.delete(
    "/maintenance/{window_id}",
    dependencies=[allow("maintenance")],
    responses=problem_responses(MaintenanceNotFound, 422, 503),
)
@audited(Act.MAINTENANCE_ENDED)
async def end_maintenance_window(
    wiring: WiringPart,
    visibility: VisibilityPart,
    window_id: Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="The id of the window")],
) -> MaintenanceWindow:
    """End a window now, or delete it if it has not begun."""
    return await wiring.windows.end(window_id, now(), visibility)
