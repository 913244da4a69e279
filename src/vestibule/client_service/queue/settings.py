"""The settings of the queue."""

from pydantic import Field

from vestibule.processor_adapters import TimeLimitSettings
from vestibule.service_kit.redis_settings import RedisSettings
from vestibule.service_kit.settings import ServiceSettings

SECONDS_A_DAY = 86_400


class QueueSettings(ServiceSettings, RedisSettings, TimeLimitSettings):
    """The broker, and how long tasks and results are kept."""

    broker_url: str = Field(
        default="",
        description="Address of a RabbitMQ broker for tasks, `amqp://USER:PASSWORD@HOST/VHOST`; empty uses Redis",
    )
    result_expires_s: int = Field(default=SECONDS_A_DAY, gt=0, description="Seconds to keep the result of a task")
    task_record_expires_s: int = Field(
        default=7 * SECONDS_A_DAY, gt=0, description="Seconds to keep the record of a finished task"
    )
    task_max_attempts: int = Field(
        default=3, gt=0, description="Attempts after which a task that keeps failing temporarily becomes a dead letter"
    )
    worker_max_memory_mb: int = Field(
        default=512, gt=0, description="Memory in MB at which a worker process is replaced, after its current task"
    )
