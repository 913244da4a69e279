"""The settings of the queue."""

from pydantic import Field

from vestibule.service_kit.redis.redis_settings import RedisSettings
from vestibule.service_kit.settings import ServiceSettings

SECONDS_A_DAY = 86_400


class QueueSettings(ServiceSettings, RedisSettings):
    """The broker, and how long tasks and results are kept."""

    broker_url: str = Field(
        default="", description="RabbitMQ that carries tasks, `amqp://USER:PASSWORD@HOST/VHOST`; empty: Redis does"
    )
    result_expires_s: int = Field(default=SECONDS_A_DAY, gt=0, description="Time that a task's result is kept")
    task_record_expires_s: int = Field(
        default=7 * SECONDS_A_DAY, gt=0, description="Time that a task is known to have been here"
    )
    task_time_limit_s: int = Field(default=15, gt=0, description="Longest that a task may run")
    task_max_attempts: int = Field(
        default=3, gt=0, description="Attempts after which a task whose errors may pass, or that ends workers, is dead"
    )
    task_retry_first_s: float = Field(
        default=1.0,
        gt=0,
        description="Time to the second attempt at most; each further one may take four times as long",
    )
    task_retry_longest_s: float = Field(default=300.0, gt=0, description="Longest time from one attempt to the next")
    worker_max_tasks: int = Field(
        default=10_000, gt=0, description="Tasks after which a process of a worker is replaced by a fresh one"
    )
    worker_max_memory_mb: int = Field(
        default=512, gt=0, description="Size at which a process of a worker is replaced, after the task that it is at"
    )
