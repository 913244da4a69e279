"""The Celery applications of producer and workers, with settings under which no accepted task is lost."""

from typing import Any

from kombu.entity import Exchange, Queue

from vestibule.client_service import tasks  # noqa: F401 - registers the shared tasks
from vestibule.client_service.queue.application import (
    CONTENT_TYPE,
    SERIALIZER,
    VestibuleCelery,
    register_encrypted_content,
)
from vestibule.client_service.queue.redis_transport import EndOutbox
from vestibule.client_service.queue.settings import QueueSettings
from vestibule.contracts.tasks import ALL_QUEUES, QUEUE
from vestibule.encryption import Cipher
from vestibule.processing import ProcessorRegistry
from vestibule.service_kit.redis_settings import celery_options, celery_url, is_sentinel

BACKENDS = "vestibule.client_service.queue.result_backend"
CYCLE = "vestibule.client_service.queue.redis_transport:PartitionCycle"

# A worker that dies leaves its tasks unacknowledged; they run again after this time. A task must never run longer,
# or it would be started a second time while it still runs.
VISIBILITY_MARGIN_S = 3
MAX_TASKS_PER_PROCESS = 10_000
# No confirmation of each message: the ledger has the task, and what does not arrive is resent.
RABBIT_OPTIONS = {"confirm_publish": False, "write_timeout": 5}

CONTENT = {
    # Only encrypted content crosses the queue, commands to workers included.
    "accept_content": [CONTENT_TYPE],
    "task_serializer": SERIALIZER,
    "result_serializer": SERIALIZER,
    "enable_utc": True,
    "worker_pool": "vestibule.worker.pool:HandingPool",
    "worker_consumer": "vestibule.worker.consumer:VerifyingConsumer",
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_send_task_events": False,
}


def create_producer(
    settings: QueueSettings, cipher: Cipher, processors: ProcessorRegistry | None = None
) -> VestibuleCelery:
    """Return the application that sends tasks.

    It has no result backend: with one, sending subscribes to the result, which hangs while Redis is frozen.
    """
    return _create(settings, cipher, processors, result_backend=None)


def create_consumer(
    settings: QueueSettings, cipher: Cipher, processors: ProcessorRegistry | None = None
) -> VestibuleCelery:
    """Return the application that workers run; its tasks need `results`, which screens their results."""
    # Celery reads the part before the plus sign as the class of the backend.
    backend = "ReportingSentinelBackend" if is_sentinel(settings.redis_url) else "ReportingBackend"
    url = f"{BACKENDS}:{backend}+{celery_url(settings.redis_url).removeprefix('redis+')}"
    return _create(settings, cipher, processors, result_backend=url)


def held_for_s(settings: QueueSettings) -> float:
    """Return the longest time that a worker holds a message: the time limit of a task and a margin."""
    return settings.task_time_limit_s + VISIBILITY_MARGIN_S


def _create(
    settings: QueueSettings, cipher: Cipher, processors: ProcessorRegistry | None, *, result_backend: str | None
) -> VestibuleCelery:
    register_encrypted_content(cipher)
    broker = settings.broker_url or celery_url(settings.redis_url)
    app = VestibuleCelery("vestibule", broker=broker, backend=result_backend)
    app.settings = settings
    app.cipher = cipher
    app.processors = processors or ProcessorRegistry.discover()
    app.ends = EndOutbox()
    app.conf.update(**_delivery(settings, app.ends), **_results(settings), **CONTENT)
    # Shared tasks belong to the default application of the process, which is this one.
    app.set_default()
    app.finalize()
    return app


def _delivery(settings: QueueSettings, ends: EndOutbox) -> dict[str, Any]:
    return {
        "task_default_queue": QUEUE,
        "task_queues": [_queue(name, is_quorum=bool(settings.broker_url)) for name in ALL_QUEUES],
        # A task is acknowledged when it has ended, and returns to the queue when its process was killed.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        # No message waits in a busy worker while another one is idle, and few are held when a worker dies.
        "worker_prefetch_multiplier": 1,
        # A task that hangs is ended before its message is delivered again.
        "task_time_limit": settings.task_time_limit_s,
        # Limits leaks: a process is replaced after so many tasks, or after one that made it too large.
        "worker_max_tasks_per_child": MAX_TASKS_PER_PROCESS,
        "worker_max_memory_per_child": settings.worker_max_memory_mb * 1024,
        # A worker survives any outage of Redis, at its start too.
        "broker_connection_max_retries": None,
        "broker_connection_retry_on_startup": True,
        "broker_connection_timeout": 2,
        # RabbitMQ ends a connection that is silent for two of these, and so does the worker.
        "broker_heartbeat": 10,
        "broker_transport_options": RABBIT_OPTIONS if settings.broker_url else _redis_options(settings, ends),
        # At most one retry, so that a caller learns within two seconds that the queue is unavailable.
        "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0.1, "interval_step": 0, "interval_max": 0.1},
        # A shutdown waits this long for running tasks; tasks that still run return to the queue.
        "worker_soft_shutdown_timeout": 3.0,
    }


def _redis_options(settings: QueueSettings, ends: EndOutbox) -> dict[str, Any]:
    return {
        **celery_options(settings.redis_url),
        # What the pool hands over goes out with the acknowledgements.
        "ends": ends,
        # The partitions in turn, in each all of a higher priority first.
        "queue_order_strategy": CYCLE,
        # No lists beside those that carry the queues' names.
        "priority_steps": [0],
        "visibility_timeout": held_for_s(settings),
        # The messages of a dead worker are restored every two seconds, by one worker at a time.
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
        # A worker that is killed while it restores blocks the others for this long; the default is five minutes.
        "unacked_mutex_expire": 5,
        # Detects a frozen Redis; without these a call would wait for ever.
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "socket_keepalive": not settings.redis_url.startswith("unix://"),
        "health_check_interval": 10,
    }


def _queue(name: str, *, is_quorum: bool) -> Queue:
    # Quorum queues are on the disks of most nodes, and survive the loss of one.
    arguments = {"x-queue-type": "quorum"} if is_quorum else None
    return Queue(name, Exchange(name), routing_key=name, queue_arguments=arguments)  # type: ignore[no-untyped-call]


def _results(settings: QueueSettings) -> dict[str, Any]:
    return {
        "result_backend_transport_options": celery_options(settings.redis_url),
        "result_expires": settings.result_expires_s,
        "redis_socket_timeout": 5.0,
        "redis_socket_connect_timeout": 2.0,
        "redis_retry_on_timeout": True,
    }
