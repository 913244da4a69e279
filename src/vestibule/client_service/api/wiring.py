"""What the routes of the client service call; `main.py` builds it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends

from vestibule.alerts import AlertArchive
from vestibule.alerts.store.archive import AlertTriage
from vestibule.client_service.api.idempotency import Idempotency
from vestibule.client_service.intake.intake import Intake
from vestibule.client_service.screening.detokenization import Detokenizer
from vestibule.client_service.screening.screener import Screener
from vestibule.client_service.subjects.erasure import Erasure
from vestibule.client_service.task_service.schedule_service import ScheduleService
from vestibule.client_service.task_service.task_service import TaskService
from vestibule.client_service.webhooks.rules import WebhookRules
from vestibule.contracts.identity import Principal
from vestibule.processing import ProcessorRegistry
from vestibule.service_kit.auth.authentication import Authenticator
from vestibule.service_kit.http.health import Readiness
from vestibule.service_kit.wiring import wired


@dataclass(frozen=True, slots=True)
class ClientWiring:
    """The parts of the service that its routes call. What ends in `_for` is made for the caller of one request."""

    authenticator: Authenticator
    readiness: Readiness
    idempotency: Idempotency
    intake_for: Callable[[Principal], Intake]
    task_service: TaskService
    schedule_service: ScheduleService
    processors: ProcessorRegistry
    webhook_rules: WebhookRules
    screener: Screener
    detokenizer: Detokenizer
    receipt_keys: Mapping[str, Any]
    alert_archive: AlertArchive
    alert_triage: AlertTriage
    erasure_for: Callable[[Principal], Erasure]


WiringPart = Annotated[ClientWiring, Depends(wired(ClientWiring))]
