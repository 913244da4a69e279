"""The settings of the client service and of the workers that do what it accepted."""

from pydantic import Field, SecretStr

from vestibule.alerts import AlertSettings
from vestibule.client_service.intake.message_routing import MessageRoute
from vestibule.client_service.queue.settings import SECONDS_A_DAY, QueueSettings
from vestibule.client_service.screening.settings import ScreeningSettings
from vestibule.client_service.webhooks.rules import WebhookRules
from vestibule.encryption import EncryptionSettings
from vestibule.processor_adapters import InspectionSettings, ProcessorSettings


class WorkerSettings(QueueSettings, AlertSettings, EncryptionSettings, InspectionSettings, ProcessorSettings):
    """What a worker needs."""

    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port of a worker's /metrics; none if unset. In embedded mode the scheduler shows them",
    )


class ClientSettings(QueueSettings, AlertSettings, EncryptionSettings, ScreeningSettings, ProcessorSettings):
    """What the client service needs."""

    database_service_url: str = Field(default="http://127.0.0.1:8001", description="Address of the database service")
    business_logic_url: str = Field(
        default="http://127.0.0.1:8002", description="Address of the business logic service; empty: switched off"
    )
    message_routes: list[MessageRoute] = Field(
        default=[],
        description="Which messages go to the business logic service, as a JSON list of rules of which the first that "
        "fits holds; where none does, those with `mode: sync` do",
    )
    callback_secret: SecretStr = Field(
        default=SecretStr(""), description="What the keys of callbacks' signatures follow from; empty: no callbacks"
    )
    callback_give_up_after_s: float = Field(
        default=SECONDS_A_DAY, gt=0, description="A callback that is not taken is tried again for so long"
    )

    @property
    def callback_rules(self) -> WebhookRules:
        """Whether and where callbacks may go."""
        return WebhookRules(self.callback_secret.get_secret_value(), self.alert_guard, self.callback_give_up_after_s)
