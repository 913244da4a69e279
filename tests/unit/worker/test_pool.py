"""What the processes of a pool hand to their parent."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from billiard.queues import _SimpleQueue
from celery.app.task import Context
from redis import Redis

from servers.redis import redis_on_socket
from vestibule.client_service.celery_app import create_consumer
from vestibule.client_service.queue.application import REALM, VestibuleCelery
from vestibule.client_service.queue.result_backend import TaskEnd
from vestibule.client_service.settings import ClientSettings
from vestibule.encryption import Cipher, KeyRingFile
from vestibule.worker.pool import HandingPool
from vestibule.worker.worker import write_ends


@pytest.fixture
def worker(settings: ClientSettings) -> Iterator[VestibuleCelery]:
    """The application of a worker that has no Redis."""
    app = create_consumer(settings, Cipher(KeyRingFile(settings.data_dir / "keys" / "keyring.json"), REALM))
    yield app
    app.close()


def process_of(worker: VestibuleCelery) -> Any:
    """Return a process of a pool, before it begins."""
    return HandingPool.Pool.Worker(_SimpleQueue(), _SimpleQueue(), initargs=(worker, "worker1@host"))


def test_the_end_goes_to_the_parent_in_place_of_its_text(worker: VestibuleCelery) -> None:
    """Unless the task failed after all; then it is forgotten, and no other task gets it."""
    process, backend, task_id = process_of(worker), worker.backend, str(uuid4())
    backend.hold_ends()
    backend.store_result(task_id, "TEXT", "SUCCESS", request=Context())
    has_failed, end, runtime_s = process.prepare_result((0, "'TEXT'", 0.5))
    assert (0, task_id, 0.5) == (has_failed, end.task_id, runtime_s)
    backend.store_result(task_id, "TEXT", "SUCCESS", request=Context())
    assert (1, "an error", 0.5) == process.prepare_result((1, "an error", 0.5))
    assert (0, "'TEXT'", 0.5) == process.prepare_result((0, "'TEXT'", 0.5))


def test_the_parent_sends_an_end_before_its_acknowledgement(worker: VestibuleCelery) -> None:
    """It is in the outbox when Celery hears of the end; what is none goes on as it is."""
    pool = HandingPool(limit=1, app=worker)
    heard: list[Any] = []

    def acknowledge(result: Any) -> None:
        heard.append((result, worker.ends.take("a connection")))

    end = TaskEnd(str(uuid4()), b"sealed")
    pool._take(acknowledge, (0, end, 0.5))
    pool._take(acknowledge, (1, "an error", 0.5))
    pool._take(acknowledge, (0, None, 0.5))
    command = end.command(worker.settings.result_expires_s)
    assert [((0, None, 0.5), [command]), ((1, "an error", 0.5), []), ((0, None, 0.5), [])] == heard


def test_a_worker_that_stops_writes_what_it_was_handed(worker: VestibuleCelery) -> None:
    """Also what went out without an answer. While Redis is away it does not: the tasks run again."""
    end, unanswered = (TaskEnd(str(uuid4()), b"sealed") for _ in range(2))
    worker.ends.add(unanswered.command(60))
    assert [unanswered.command(60)] == worker.ends.take("a lost connection")
    worker.ends.add(end.command(60))
    with redis_on_socket() as server, Redis(unix_socket_path=str(server.socket)) as redis:
        write_ends(worker, redis)
        assert [unanswered.task_id.encode(), end.task_id.encode()] == redis.lrange("vestibule:ended", 0, -1)
    worker.ends.add(end.command(60))
    with Redis(unix_socket_path="/nowhere", retry=None) as redis:
        write_ends(worker, redis)
