"""The settings of the business logic service."""

from pydantic import Field

from vestibule.alerts import AlertSettings
from vestibule.encryption import EncryptionSettings
from vestibule.processor_adapters import InspectionSettings, ProcessorSettings, TimeLimitSettings
from vestibule.service_kit.settings import ServiceSettings


class BusinessLogicSettings(
    ServiceSettings, AlertSettings, EncryptionSettings, InspectionSettings, ProcessorSettings, TimeLimitSettings
):
    """Where the service listens, and where it learns of tokens; it stores nothing."""

    database_service_url: str = Field(default="http://127.0.0.1:8001", description="Address of the database service")
    port: int = Field(default=8002, ge=0, le=65535, description="Port to listen on")
