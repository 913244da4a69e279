"""The serializer of everything that Celery puts into Redis: encrypted JSON."""

from typing import Any

from celery.app.amqp import AMQP
from kombu.serialization import register
from kombu.utils import json

from vestibule.client_service.queue.redis_transport import QueueConnection
from vestibule.encryption import Cipher, DecryptionFailed

SERIALIZER = "vestibule-sealed"
CONTENT_TYPE = "application/x-vestibule-sealed"
REALM = "queue"


class BoundMessages(AMQP):  # type: ignore[misc]
    """Celery's messages, with the task's name and id inside the encrypted body as well.

    A worker compares them to the plain headers (`worker/consumer.py`).
    """

    Connection = QueueConnection

    def as_task_v2(self, task_id: str, name: str, *args: Any, **options: Any) -> Any:
        """Return the message for a task as Celery does, bound to its name and id."""
        message = super().as_task_v2(task_id, name, *args, **options)
        arguments, keywords, embedded = message.body
        return message._replace(body=(arguments, keywords, {**embedded, "sealed_for": bound_to(name, task_id)}))


def register_encrypted_content(cipher: Cipher) -> None:
    """Register the serializer with kombu, whose registry is global to the process."""

    def encrypt(data: Any) -> bytes:
        return cipher.encrypt(json.dumps(data).encode())  # type: ignore[no-untyped-call]

    def open_content(content: bytes | str) -> Any:
        return decrypt_content(cipher, content)

    register(  # type: ignore[no-untyped-call]
        SERIALIZER, encrypt, open_content, content_type=CONTENT_TYPE, content_encoding="binary"
    )


def decrypt_content(cipher: Cipher, content: bytes | str) -> Any:
    """Return the decrypted content.

    Raises:
        DecryptionFailed: it was not encrypted here, or was changed since.
    """
    if isinstance(content, str):
        raise DecryptionFailed("it is not sealed")
    return json.loads(cipher.decrypt(bytes(content)))  # type: ignore[no-untyped-call]


def bound_to(name: str, task_id: str) -> str:
    """Return the text by which a message's body names its task."""
    return f"{name} {task_id}"
