"""The settings of the database service."""

from pathlib import Path

from pydantic import Field

from vestibule.alerts import AlertSettings
from vestibule.detection import DetectionSettings
from vestibule.encryption import EncryptionSettings
from vestibule.service_kit.settings import ServiceSettings


class DatabaseSettings(ServiceSettings, AlertSettings, EncryptionSettings):
    """The store, its limits and its retention."""

    port: int = Field(default=8001, ge=0, le=65535, description="Port to listen on")
    database_url: str = Field(
        default="sqlite:",
        description="Address of the store; `sqlite:` for DATA_DIR/vestibule.db, `sqlite:///PATH` for another file,"
        " `postgresql://USER:PASSWORD@HOST/NAME` for several services, `dynamodb://TABLE?region=REGION`",
        repr=False,  # it may hold a password
    )
    database_timeout_s: float = Field(default=2, gt=0, description="Maximum seconds to wait for a database server")
    keep_versions: int = Field(
        default=10, ge=0, le=1000, description="Number of versions of an entry to keep, the current one included"
    )
    # As in `InspectionSettings`: the same variables name the detectors of every service.
    detection: DetectionSettings = Field(
        default_factory=DetectionSettings, description="Detection, as JSON or as VESTIBULE_DETECTION__NAME"
    )
    keep_deleted_days: float = Field(
        default=30, gt=0, description="Days to keep the version of a deleted or expired key"
    )

    # As in `DecisionSettings` of the client service.
    decision_keep_days: int = Field(
        default=90, gt=0, description="Days to keep decisions; their counts are kept longer"
    )

    @property
    def sqlite_path(self) -> Path:
        """The file of the SQLite store."""
        path = self.database_url.removeprefix("sqlite:").removeprefix("//")
        return Path(path) if path else self.data_dir / "vestibule.db"
