"""The HTTP API of the client service, one file a resource."""

from vestibule.client_service.api import (
    alert_groups,
    alerts,
    channels,
    decisions,
    entries,
    messages,
    queue,
    schedules,
    screening,
    silences,
    subjects,
    task_bulk,
    tasks,
)
from vestibule.client_service.api.administration import ADMINISTRATION_ROUTERS
from vestibule.client_service.api.compat import litellm, presidio
from vestibule.client_service.api.forms import FORM_ROUTERS
from vestibule.client_service.api.policy import POLICY_ROUTERS
from vestibule.client_service.api.scanning import scan

ROUTERS = (
    entries.repeatable_router,
    entries.router,
    *FORM_ROUTERS,
    messages.router,
    tasks.router,
    task_bulk.router,
    tasks.processor_router,
    queue.router,
    schedules.router,
    scan.router,
    screening.router,
    decisions.router,
    decisions.receipt_router,
    *POLICY_ROUTERS,
    alerts.router,
    alert_groups.router,
    silences.router,
    channels.router,
    subjects.router,
    *ADMINISTRATION_ROUTERS,
    litellm.router,
    presidio.router,
    presidio.open_router,
)
