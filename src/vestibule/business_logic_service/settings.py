"""The settings of the business logic service."""

from pydantic import Field

from vestibule.alerts import AlertSettings
from vestibule.encryption import EncryptionSettings
from vestibule.processor_adapters import InspectionSettings, ProcessorSettings, TimeLimitSettings
from vestibule.service_kit.settings import ServiceSettings


class BusinessLogicSettings(
    ServiceSettings, AlertSettings, EncryptionSettings, InspectionSettings, ProcessorSettings, TimeLimitSettings
):
    """Where the service listens; it stores nothing."""

    port: int = Field(default=8002, ge=0, le=65535, description="Port to listen on")
