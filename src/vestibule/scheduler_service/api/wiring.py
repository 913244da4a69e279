"""What the routes of the scheduler service call; `main.py` builds it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from vestibule.scheduler_service.heartbeats import HeartbeatRepository
from vestibule.scheduler_service.maintenance import MaintenanceRepository, TextCheck
from vestibule.scheduler_service.status_page.page import StatusPage
from vestibule.scheduler_service.status_page.status import StatusService
from vestibule.service_kit.auth.authentication import Caller
from vestibule.service_kit.wiring import ServiceWiring, wired


@dataclass(frozen=True, slots=True)
class SchedulerWiring(ServiceWiring):
    """The parts of the service that its routes call."""

    heartbeats: HeartbeatRepository
    windows: MaintenanceRepository
    text_check: TextCheck
    status_service: StatusService
    status_page: StatusPage
    is_status_public: bool


async def _tenant(request: Request) -> str:
    caller: Caller = request.state.caller
    return caller.tenant


Tenant = Annotated[str, Depends(_tenant)]
WiringPart = Annotated[SchedulerWiring, Depends(wired(SchedulerWiring))]
