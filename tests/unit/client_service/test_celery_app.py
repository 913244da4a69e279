"""The queue's settings lose nothing, and its messages give nothing away."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import celery
import pytest
from celery import current_app

from vestibule.client_service.celery_app import QUEUE, create_consumer, create_producer
from vestibule.client_service.queue.application import CONTENT_TYPE, SERIALIZER, VestibuleCelery, decrypt_content
from vestibule.client_service.settings import ClientSettings
from vestibule.client_service.tasks import process_data_task
from vestibule.encryption import Cipher
from vestibule.runtime.log_context import bound_log_fields

MARKER = "Zq7MARKERx9"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def producer(cipher: Cipher) -> Iterator[VestibuleCelery]:
    """A producer over the memory transport, which encodes messages as the real one does."""
    app = create_producer(ClientSettings(redis_url="memory://"), cipher)
    yield app
    app.close()


def _sent(app: VestibuleCelery) -> Any:
    """Return the message that waits in the queue."""
    with app.connection_for_read() as connection, connection.SimpleQueue(QUEUE) as queue:
        return queue.get(block=False)


def test_celery_is_the_version_that_outlives_its_broker() -> None:
    """Killed under load, Redis takes workers of 5.7.0 along (ADR 5). Measure before you move it."""
    assert "5.6.3" == celery.__version__
    assert '"celery[redis]==5.6.3",' in (ROOT / "pyproject.toml").read_text()
    assert "7 of 53 kills" in (ROOT / "docs" / "adr" / "0005-celery-5-6-3.md").read_text()


def test_rabbitmq_carries_tasks_in_quorum_queues(cipher: Cipher) -> None:
    """Where a broker is named it takes the messages, and Redis keeps the results."""
    settings = ClientSettings(broker_url="amqp://guest@127.0.0.1//", redis_url="redis://127.0.0.1/0")
    app = create_consumer(settings, cipher)
    assert "amqp://guest@127.0.0.1//" == app.conf.broker_url
    assert {"quorum"} == {queue.queue_arguments["x-queue-type"] for queue in app.conf.task_queues}
    assert {None} == {queue.queue_arguments for queue in create_consumer(ClientSettings(), cipher).conf.task_queues}
    assert "ReportingBackend" == type(app.backend).__name__


@pytest.mark.parametrize("limit_s", [1, 15, 3600])
def test_no_task_is_started_again_while_it_still_runs(limit_s: int, cipher: Cipher) -> None:
    """A task is ended before its message becomes visible again."""
    app = create_consumer(ClientSettings(task_time_limit_s=limit_s), cipher)
    assert limit_s == app.conf.task_time_limit
    assert app.conf.task_time_limit < app.conf.broker_transport_options["visibility_timeout"]


def test_a_task_outlives_its_worker(cipher: Cipher) -> None:
    """It is acknowledged at its end, goes back when its process is killed, and nothing is fetched ahead."""
    conf = create_consumer(ClientSettings(), cipher).conf
    assert (True, True, 1) == (conf.task_acks_late, conf.task_reject_on_worker_lost, conf.worker_prefetch_multiplier)
    assert conf.broker_transport_options["unacked_restore_interval"] <= 5
    assert conf.broker_transport_options["unacked_mutex_expire"] <= 10
    assert conf.broker_connection_max_retries is None


def test_nothing_that_holds_code_crosses_the_queue(cipher: Cipher) -> None:
    """Sealed JSON only, for tasks and for results, on both sides."""
    for app in (create_producer(ClientSettings(), cipher), create_consumer(ClientSettings(), cipher)):
        assert ([CONTENT_TYPE], SERIALIZER, SERIALIZER) == (
            list(app.conf.accept_content),
            app.conf.task_serializer,
            app.conf.result_serializer,
        )


def test_celery_does_not_log_in_our_name(cipher: Cipher) -> None:
    """Neither the root logger nor stdout is taken over, so no line of Celery's holds what was sent."""
    conf = create_consumer(ClientSettings(), cipher).conf
    assert (False, False) == (conf.worker_hijack_root_logger, conf.worker_redirect_stdouts)


def test_only_the_consumer_has_a_result_backend(redis_url: str, cipher: Cipher) -> None:
    """With one, sending would subscribe to the result and hang where Redis is frozen."""
    settings = ClientSettings(redis_url=redis_url)
    assert "DisabledBackend" == type(create_producer(settings, cipher).backend).__name__
    assert "ReportingBackend" == type(create_consumer(settings, cipher).backend).__name__


def test_both_sides_know_the_task(cipher: Cipher) -> None:
    """The producer and the consumer have it under one name, and so it is the name in the message."""
    for create in (create_producer, create_consumer):
        app = create(ClientSettings(), cipher)
        assert "vestibule.process_data" in app.tasks
        assert app is current_app._get_current_object()


def test_a_message_holds_its_data_in_the_body_only(producer: VestibuleCelery, cipher: Cipher) -> None:
    """Headers and properties, which tools show and logs print, hold no argument in any form; the body is sealed."""
    process_data_task.delay(MARKER, "uppercase")
    message = _sent(producer)
    assert MARKER not in json.dumps([message.headers, message.properties], default=str)
    assert ("(hidden)", "(hidden)") == (message.headers["argsrepr"], message.headers["kwargsrepr"])
    assert [[MARKER, "uppercase"], {}] == decrypt_content(cipher, message.body)[:2]
    assert "application/x-vestibule-sealed" == message.content_type


@pytest.mark.parametrize("send", ["apply_async", "keywords", "signature"])
def test_no_way_of_sending_shows_the_data(producer: VestibuleCelery, send: str) -> None:
    """Whichever way a task is sent, its data stays in the body."""
    if send == "apply_async":
        process_data_task.apply_async([MARKER])
    elif send == "keywords":
        process_data_task.apply_async(kwargs={"data": MARKER})
    else:
        process_data_task.s(MARKER).apply_async()
    message = _sent(producer)
    assert MARKER not in json.dumps([message.headers, message.properties], default=str)


def test_a_message_carries_the_requests_id(producer: VestibuleCelery) -> None:
    """The worker's log lines have the id of the request that sent the task."""
    with bound_log_fields(request_id="the-id"):
        process_data_task.delay(MARKER)
    assert "the-id" == _sent(producer).headers["request_id"]
