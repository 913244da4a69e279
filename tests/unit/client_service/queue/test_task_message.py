"""The messages that we put together are those that Celery would send."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from vestibule.client_service.celery_app import create_producer
from vestibule.client_service.queue.application import VestibuleCelery
from vestibule.client_service.queue.dispatcher import send_by_celery
from vestibule.client_service.queue.task_message import TaskMessage, TaskMessageTemplate
from vestibule.client_service.settings import ClientSettings
from vestibule.contracts.tasks import Priority, WorkTerms
from vestibule.encryption import Cipher

TRACE = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
MESSAGES = [
    TaskMessage("5eb471c3-bd19-4da3-8e96-fbd3776f9db0", "hello", "uppercase", sent_at=5.5, request_id="abc"),
    TaskMessage("t-2", 'quotes " and \\ and ü and 鍵', "redact", Priority.HIGH, 2, 6.0, None, TRACE),
    TaskMessage("t-3", "", "uppercase", Priority.LOW, end_channel="vestibule:ends:1"),
    TaskMessage("t-4", "[1]", "json_pointer", terms=WorkTerms(options={"pointer": "/0"}, write_to="first")),
]


@pytest.fixture
def producer(settings: ClientSettings, cipher: Cipher) -> Iterator[VestibuleCelery]:
    """Celery over a real Redis."""
    app = create_producer(settings, cipher)
    yield app
    app.close()


def _sent_by_celery(app: VestibuleCelery, message: TaskMessage, redis: "Redis") -> bytes:
    send_by_celery(app, message)
    sent: Any = redis.rpop(message.queue)
    return bytes(sent)


def _opened(app: VestibuleCelery, raw: bytes) -> Any:
    """Return a message with its body opened, and without what is another each time."""
    content = json.loads(raw)
    content["body"] = json.loads(app.cipher.decrypt(base64.b64decode(content["body"])))
    content["properties"].pop("delivery_tag")
    return content


@pytest.mark.parametrize("message", MESSAGES, ids=lambda one: one.task_id)
def test_a_message_is_what_celery_sends(message: TaskMessage, producer: VestibuleCelery, redis: "Redis") -> None:
    """Every header, property and argument is the same, for every queue, limit and attempt."""
    rendered = TaskMessageTemplate.learn(producer).render(message)
    expected = _opened(producer, _sent_by_celery(producer, message, redis))
    assert expected == _opened(producer, rendered)


def test_two_messages_have_nothing_in_common_by_chance(producer: VestibuleCelery) -> None:
    """Each has a delivery tag of its own, and is sealed by itself."""
    form = TaskMessageTemplate.learn(producer)
    one, other = (json.loads(form.render(MESSAGES[0])) for _ in range(2))
    assert one["properties"]["delivery_tag"] != other["properties"]["delivery_tag"]
    assert one["body"] != other["body"]
