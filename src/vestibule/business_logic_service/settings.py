"""The settings of the business logic service."""

from pydantic import Field

from vestibule.alerts import AlertSettings
from vestibule.equipment import InspectionSettings, ProcessorSettings
from vestibule.sealing import SealingSettings
from vestibule.service_kit.settings import ServiceSettings


class BusinessLogicSettings(ServiceSettings, AlertSettings, SealingSettings, InspectionSettings, ProcessorSettings):
    """Where the service listens; it keeps nothing."""

    port: int = Field(default=8002, ge=0, le=65535, description="Port to listen on")
