"""The settings of the client service and of the workers that do what it accepted."""

from pathlib import Path

from pydantic import Field, SecretStr

from vestibule.alerts import AlertSettings
from vestibule.client_service.intake.message_routing import MessageRoute
from vestibule.client_service.queue.settings import QueueSettings
from vestibule.client_service.webhooks.rules import WebhookRules
from vestibule.encryption import EncryptionSettings
from vestibule.processor_adapters import InspectionSettings, ProcessorSettings


class WorkerSettings(QueueSettings, AlertSettings, EncryptionSettings, InspectionSettings, ProcessorSettings):
    """What a worker needs."""

    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port of a worker's /metrics; unset for none (in embedded mode the scheduler service shows them)",
    )


class ClientSettings(QueueSettings, AlertSettings, EncryptionSettings, InspectionSettings, ProcessorSettings):
    """What the client service needs."""

    database_service_url: str = Field(default="http://127.0.0.1:8001", description="Address of the database service")
    business_logic_url: str = Field(
        default="http://127.0.0.1:8002", description="Address of the business logic service; empty: switched off"
    )
    decision_keep_days: int = Field(default=90, gt=0, description="Days to keep the decision log")
    receipt_key_file: Path | None = Field(
        default=None,
        description="File with the key that signs receipts; keys/receipt_key.pem if unset, created if missing",
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

    @property
    def callback_rules(self) -> WebhookRules:
        """Whether and where callbacks may go."""
        return WebhookRules(self.callback_secret.get_secret_value(), self.alert_guard)

    @property
    def decision_dir(self) -> Path:
        """The folder of the records of decisions."""
        return self.data_dir / "decisions"

    @property
    def receipt_key_path(self) -> Path:
        """The file of the key that signs receipts."""
        return self.receipt_key_file or self.data_dir / "keys" / "receipt_key.pem"
