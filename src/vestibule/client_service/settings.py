"""The settings of the client service and of the workers."""

from pydantic import Field, SecretStr, field_validator

from vestibule.alerts import AlertSettings
from vestibule.client_service.decisions.settings import DecisionSettings
from vestibule.client_service.intake.message_routing import MessageRoute
from vestibule.client_service.queue.settings import QueueSettings
from vestibule.client_service.screening.settings import ScreeningSettings
from vestibule.client_service.webhooks.rules import WebhookRules
from vestibule.egress.guard import WEBHOOK_TIMEOUT_S, EgressGuard
from vestibule.encryption import EncryptionSettings
from vestibule.processor_adapters import InspectionSettings, ProcessorSettings

DATABASE_SERVICE_URL = "http://127.0.0.1:8001"


class WorkerSettings(
    QueueSettings, AlertSettings, EncryptionSettings, InspectionSettings, DecisionSettings, ProcessorSettings
):
    """The settings of a worker."""

    database_service_url: str = Field(default=DATABASE_SERVICE_URL, description="Address of the database service")
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port of a worker's /metrics; unset for none (in embedded mode the scheduler service shows them)",
    )


class ClientSettings(QueueSettings, AlertSettings, EncryptionSettings, ScreeningSettings, ProcessorSettings):
    """The settings of the client service."""

    database_service_url: str = Field(default=DATABASE_SERVICE_URL, description="Address of the database service")
    business_logic_url: str = Field(
        default="http://127.0.0.1:8002", description="Address of the business logic service; empty disables it"
    )
    message_routes: list[MessageRoute] = Field(
        default=[],
        description="Which messages go to the business logic service, as a JSON list of rules; the first match wins, "
        "and without a match those with `mode: sync` go there",
    )
    callback_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Secret from which the keys that sign callbacks are derived; empty disables callbacks",
    )

    callback_origins: list[str] = Field(
        default=["https://*"],
        description="Origins that callbacks may go to, as a JSON list: `https://*` for every public host, "
        "`http://HOST:PORT` for a single one, which may be private",
    )

    client_processes: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes of the client service, which share its port; under `vestibule up` one for each two "
        "cores, at most 4, and 1 on macOS",
    )

    presidio_refuse_unserved: bool = Field(
        default=False,
        description="Refuse requests to /presidio/analyze for entities of which some are not served; otherwise a "
        "header names them",
    )

    @property
    def process_count(self) -> int:
        """The number of processes that serve the port."""
        return self.client_processes

    @field_validator("callback_origins")
    @classmethod
    def _check_origins(cls, origins: list[str]) -> list[str]:
        EgressGuard.for_origins(origins, WEBHOOK_TIMEOUT_S)
        return origins

    @property
    def callback_rules(self) -> WebhookRules:
        """Whether webhooks are enabled, and which addresses they may have."""
        guard = EgressGuard.for_origins(self.callback_origins, WEBHOOK_TIMEOUT_S)
        return WebhookRules(self.callback_secret.get_secret_value(), guard)
