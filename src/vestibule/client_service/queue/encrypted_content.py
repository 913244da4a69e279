"""The form of everything that Celery puts into Redis: JSON, sealed."""

from typing import Any

from celery.app.amqp import AMQP
from kombu.serialization import register
from kombu.utils import json

from vestibule.client_service.queue.redis_transport import QueueConnection
from vestibule.encryption import CannotOpen, Sealer

SERIALIZER = "vestibule-sealed"
CONTENT_TYPE = "application/x-vestibule-sealed"
REALM = "queue"


class BoundMessages(AMQP):  # type: ignore[misc]
    """Celery's messages, with the task's name and id inside the sealed body as well.

    A worker holds them against the open headers (`consumer.py`).
    """

    Connection = QueueConnection

    def as_task_v2(self, task_id: str, name: str, *args: Any, **options: Any) -> Any:
        """Return the message for a task as Celery does, with what it is sealed for."""
        message = super().as_task_v2(task_id, name, *args, **options)
        arguments, keywords, embedded = message.body
        return message._replace(body=(arguments, keywords, {**embedded, "sealed_for": sealed_for(name, task_id)}))


def register_sealed_content(sealer: Sealer) -> None:
    """Make the sealed form known to kombu, whose register is one for the whole process."""

    def seal(data: Any) -> bytes:
        return sealer.seal(json.dumps(data).encode())  # type: ignore[no-untyped-call]

    def open_content(content: bytes | str) -> Any:
        return open_sealed(sealer, content)

    register(  # type: ignore[no-untyped-call]
        SERIALIZER, seal, open_content, content_type=CONTENT_TYPE, content_encoding="binary"
    )


def open_sealed(sealer: Sealer, content: bytes | str) -> Any:
    """Return what was sealed.

    Raises:
        CannotOpen: it was not sealed here, or was changed since.
    """
    if isinstance(content, str):
        raise CannotOpen("it is not sealed")
    return json.loads(sealer.open(bytes(content)))  # type: ignore[no-untyped-call]


def sealed_for(name: str, task_id: str) -> str:
    """Return the words by which a message's body names the task that it is for."""
    return f"{name} {task_id}"
