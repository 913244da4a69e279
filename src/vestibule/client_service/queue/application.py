"""The Celery application of producer and workers: what it puts into Redis is encrypted, and hidden from logs."""

import time
from functools import partial
from typing import Any, Protocol

from celery import Celery
from celery.app.amqp import AMQP
from celery.app.task import Task
from kombu.serialization import register
from kombu.utils import json

from vestibule.client_service.queue.redis_transport import EndOutbox, QueueConnection
from vestibule.client_service.queue.settings import QueueSettings
from vestibule.contracts.tasks import SENT_AT, WorkOrigin
from vestibule.encryption import Cipher, DecryptionFailed
from vestibule.processing import ProcessorRegistry
from vestibule.runtime.log_context import log_fields
from vestibule.service_kit.tracing import SpanKind, current_traceparent, span

SERIALIZER = "vestibule-sealed"
CONTENT_TYPE = "application/x-vestibule-sealed"
REALM = "queue"
HIDDEN = "(hidden)"


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

    register(  # type: ignore[no-untyped-call]
        SERIALIZER,
        partial(encrypt_content, cipher),
        partial(decrypt_content, cipher),
        content_type=CONTENT_TYPE,
        content_encoding="binary",
    )


def encrypt_content(cipher: Cipher, data: Any, place: bytes = b"") -> bytes:
    """Return data as encrypted JSON that can be decrypted only with the same `place`."""
    return cipher.encrypt(json.dumps(data).encode(), place)  # type: ignore[no-untyped-call]


def decrypt_content(cipher: Cipher, content: bytes | str, place: bytes = b"") -> Any:
    """Return the decrypted content.

    Raises:
        DecryptionFailed: it was not encrypted here or for another place, or was changed since.
    """
    if isinstance(content, str):
        raise DecryptionFailed("it is not encrypted")
    return json.loads(cipher.decrypt(bytes(content), place))  # type: ignore[no-untyped-call]


def bound_to(name: str, task_id: str) -> str:
    """Return the text by which a message's body names its task."""
    return f"{name} {task_id}"


class QuietTask(Task):  # type: ignore[misc]
    """A task whose messages hide its arguments and carry the request id, for the log lines of the worker."""

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        """Send the task as Celery does, with its arguments' text form hidden from headers and logs."""
        options.setdefault("argsrepr", HIDDEN)
        options.setdefault("kwargsrepr", HIDDEN)
        request_id = log_fields().get("request_id")
        with span(f"send {self.name}", SpanKind.PRODUCER):
            ours = {"request_id": request_id, SENT_AT: time.time(), **current_traceparent()}
            options["headers"] = {**ours, **(options.get("headers") or {})}
            return super().apply_async(args, kwargs, **options)


class ResultScreening(Protocol):
    """Screens results."""

    def screen_result(self, result: str, origin: WorkOrigin) -> str:
        """Return a result as the policy changes it."""
        ...

    def ttl_of(self, key: str, result: str) -> float | None:
        """Return the time to live that the policy gives to a result under `key`, in seconds; None for no end."""
        ...


class VestibuleCelery(Celery):  # type: ignore[misc]
    """Celery with the parts that its tasks need, so that tasks need no global state."""

    task_cls = QuietTask
    amqp_cls = BoundMessages
    processors: ProcessorRegistry
    settings: QueueSettings
    cipher: Cipher
    results: ResultScreening | None = None
    ends: EndOutbox

    def time_limit_s(self, processor: str) -> float:
        """Return the time limit of a task of `processor`."""
        limits_s = [self.settings.task_time_limit_s, self.processors.time_limit_s(processor)]
        return min(limit_s for limit_s in limits_s if limit_s is not None)
