"""The settings of the scheduler service."""

from pydantic import Field

from vestibule.alerts import AlertSettings
from vestibule.detection import DetectionSettings
from vestibule.encryption import EncryptionSettings
from vestibule.scheduler_service.availability.outages import Thresholds
from vestibule.service_kit.redis.redis_settings import RedisSettings
from vestibule.service_kit.settings import ServiceSettings


class SchedulerSettings(ServiceSettings, RedisSettings, AlertSettings, EncryptionSettings):
    """Which parts are probed, how often, and when a part is down."""

    port: int = Field(default=8003, ge=0, le=65535, description="Port to listen on")
    client_service_url: str = Field(
        default="http://127.0.0.1:8000", description="Address of the client service; empty: not probed"
    )
    database_service_url: str = Field(
        default="http://127.0.0.1:8001", description="Address of the database service; empty: not probed"
    )
    business_logic_url: str = Field(
        default="http://127.0.0.1:8002", description="Address of the business logic service; empty: switched off"
    )
    probe_interval_s: float = Field(default=10.0, gt=0, description="Time from one probe of a part to the next")
    probe_timeout_s: float = Field(default=2.0, gt=0, description="Timeout of a probe")
    misses_until_down: int = Field(
        default=3, gt=0, description="Probes in a row without an answer until a part is down"
    )
    hits_until_up: int = Field(default=1, gt=0, description="Answers in a row until a part is up again")
    probe_slow_ms: float = Field(
        default=1000, gt=0, description="An answer that takes longer is slow; several in a row make a part degraded"
    )
    part_thresholds: dict[str, Thresholds] = Field(
        default={},
        description='The last three for single parts, as JSON: {"store": {"misses_until_down": 5, "slow_ms": 200}}',
    )
    probe_start_grace_s: float = Field(
        default=30.0,
        ge=0,
        description="Time in which a part that has never answered does not count as down",
    )
    queue_depth_limit: int = Field(default=1000, gt=0, description="Waiting tasks above which the queue is degraded")
    queue_age_limit_s: float = Field(
        default=60.0, gt=0, description="Age of the oldest waiting task above which the queue is degraded"
    )
    queue_stalled_s: float = Field(
        default=60.0, gt=0, description="Time without any waiting task taken after which the queue is stalled"
    )
    lease_s: float = Field(
        default=15.0, gt=0, description="Of several schedulers one is active; another takes over within this time"
    )
    monitor_save_interval_s: float = Field(
        default=60.0, gt=0, description="Time from one save of the availability history to the next"
    )
    scheduler_refresh_interval_s: float = Field(
        default=5.0,
        gt=0,
        description="Time from one refresh of heartbeats, maintenance windows and schedules to the next",
    )
    schedule_poll_interval_s: float = Field(
        default=1.0, gt=0, description="Time from one check for due schedules to the next"
    )
    status_public: bool = Field(
        default=False, description="Whether the status page and the badges are public, without a token"
    )
    detection: DetectionSettings = Field(
        default_factory=DetectionSettings, description="Detection, as JSON or as VESTIBULE_DETECTION__NAME"
    )

    @property
    def usual_thresholds(self) -> Thresholds:
        """The thresholds of parts without their own."""
        return Thresholds(
            misses_until_down=self.misses_until_down, hits_until_up=self.hits_until_up, slow_ms=self.probe_slow_ms
        )
