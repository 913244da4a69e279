"""What the routes of the scheduler service call; `main.py` builds it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

from vestibule.scheduler_service.heartbeats import HeartbeatRepository
from vestibule.scheduler_service.maintenance import MaintenanceRepository, TextCheck
from vestibule.scheduler_service.status_page.page import StatusPage
from vestibule.scheduler_service.status_page.status import StatusService
from vestibule.service_kit.auth.authentication import Authenticator
from vestibule.service_kit.http.health import Readiness
from vestibule.service_kit.wiring import wired


@dataclass(frozen=True, slots=True)
class SchedulerWiring:
    """The parts of the service that its routes call."""

    authenticator: Authenticator
    readiness: Readiness
    heartbeats: HeartbeatRepository
    windows: MaintenanceRepository
    text_check: TextCheck
    status_service: StatusService
    status_page: StatusPage
    is_status_public: bool


WiringPart = Annotated[SchedulerWiring, Depends(wired(SchedulerWiring))]
