"""The settings of the scheduler service."""

from pydantic import Field

from vestibule.alerts import AlertSettings
from vestibule.detection import DetectionSettings
from vestibule.encryption import EncryptionSettings
from vestibule.scheduler_service.availability.parts import Thresholds
from vestibule.service_kit.redis_settings import RedisSettings
from vestibule.service_kit.settings import ServiceSettings


class SchedulerSettings(ServiceSettings, RedisSettings, AlertSettings, EncryptionSettings):
    """The probed parts, the intervals, and the thresholds."""

    port: int = Field(default=8003, ge=0, le=65535, description="Port to listen on")
    client_service_url: str = Field(
        default="http://127.0.0.1:8000", description="Address of the client service; empty for no probes"
    )
    database_service_url: str = Field(
        default="http://127.0.0.1:8001", description="Address of the database service; empty: not probed"
    )
    business_logic_url: str = Field(
        default="http://127.0.0.1:8002", description="Address of the business logic service; empty: switched off"
    )
    console_service_url: str = Field(
        default="", description="Address at which the console is probed; empty: switched off"
    )
    probe_interval_s: float = Field(default=10.0, gt=0, description="Seconds between two probes of a part")
    probe_timeout_s: float = Field(default=2.0, gt=0, description="Maximum seconds to wait for the answer to a probe")
    misses_until_down: int = Field(default=3, gt=0, description="Number of failed probes in a row until a part is down")
    probe_slow_ms: float = Field(
        default=1000,
        gt=0,
        description="Milliseconds from which an answer to a probe is slow; slow answers make a part degraded",
    )
    part_thresholds: dict[str, Thresholds] = Field(
        default={},
        description='Thresholds of single parts, as JSON: {"store": {"misses_until_down": 5, "slow_ms": 200}}',
    )
    probe_start_grace_s: float = Field(
        default=30.0,
        ge=0,
        description="Seconds after the start in which failed probes of a part that never answered do not count",
    )
    queue_depth_limit: int = Field(
        default=1000, gt=0, description="Number of waiting tasks from which the queue is degraded"
    )
    queue_age_limit_s: float = Field(
        default=60.0, gt=0, description="Seconds that the oldest task may wait until the queue is degraded"
    )
    lease_s: float = Field(
        default=15.0,
        gt=0,
        description="Seconds after which a standby scheduler takes over from an active one that stopped",
    )
    status_public: bool = Field(
        default=False, description="Whether the status page and the badges are public, without a token"
    )
    detection: DetectionSettings = Field(
        default_factory=DetectionSettings, description="Detection, as JSON or as VESTIBULE_DETECTION__NAME"
    )

    @property
    def usual_thresholds(self) -> Thresholds:
        """The thresholds of parts that have none of their own."""
        return Thresholds(misses_until_down=self.misses_until_down, slow_ms=self.probe_slow_ms)
