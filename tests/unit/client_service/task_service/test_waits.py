"""A request that waits for a task of its own process is told the result with the end, and asks nobody."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest
from celery.app.task import Context
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from ends import hearing
from vestibule.client_service.celery_app import create_consumer
from vestibule.client_service.queue import end_listener
from vestibule.client_service.queue.application import VestibuleCelery
from vestibule.client_service.queue.end_listener import TaskEndListener
from vestibule.client_service.queue.queue_view import QueueView
from vestibule.client_service.queue.task_message import TaskMessage
from vestibule.client_service.settings import ClientSettings
from vestibule.client_service.task_service import task_service
from vestibule.client_service.task_service.task_service import TaskService
from vestibule.contracts.task_ledger import LedgerTask, NewTask, Recorded
from vestibule.contracts.tasks import Priority, TaskState
from vestibule.encryption import Cipher

SOON_S = 10.0


class Ledger:
    """Accepts tasks, and counts how often one is looked up; each has failed by then."""

    def __init__(self) -> None:
        self.lookups = 0

    async def accept(self, task: NewTask) -> Recorded:
        return Recorded(task_id=task.task_id)

    async def find(self, task_id: str) -> LedgerTask:
        self.lookups += 1
        return LedgerTask(
            task_id=task_id,
            tenant="acme",
            processor="uppercase",
            priority=Priority.HIGH,
            state=TaskState.FAILED,
            attempts=1,
            error="TaskFailed",
            submitted_at=5.0,
        )


class Parts:
    """What accepting a task needs beside the ledger."""

    def __init__(self) -> None:
        self.sent: list[TaskMessage] = []

    def enqueue(self, message: TaskMessage) -> None:
        self.sent.append(message)

    def covering(self, _processor: str) -> None:
        """No processor is paused."""

    def count(self, *_labels: str) -> None:
        """Count nothing."""


@pytest.fixture
def worker(settings: ClientSettings, cipher: Cipher) -> Iterator[VestibuleCelery]:
    """The application of a worker."""
    app = create_consumer(settings, cipher)
    yield app
    app.close()


@pytest.fixture
async def listener(redis_url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TaskEndListener]:
    """A listener that hears of ends, since somebody waits."""
    # A busy machine may take longer than requests wait, or keep what they were told.
    monkeypatch.setattr(task_service, "POLL_INTERVAL_S", SOON_S)
    monkeypatch.setattr(end_listener, "KEPT_FOR_S", SOON_S)
    async with AsyncRedis.from_url(redis_url) as client, hearing(client, redis) as listener:
        yield listener


def service(listener: TaskEndListener, redis_url: str, settings: ClientSettings, cipher: Cipher) -> Any:
    """Return the service over a real Redis, with a ledger that counts."""
    parts: Any = Parts()
    ledger: Any = Ledger()
    return TaskService(
        ledger=ledger,
        queue=QueueView(AsyncRedis.from_url(redis_url)),
        end_listener=listener,
        dispatcher=parts,
        settings=settings,
        cipher=cipher,
        webhooks=parts,
        metrics=parts,
        pauses=parts,
        partitions=parts,
        digests_of=lambda _tenant, _key: [],
    )


def new_task() -> NewTask:
    return NewTask(
        task_id=str(uuid4()),
        tenant="acme",
        processor="uppercase",
        priority=Priority.HIGH,
        data="text",
        request_id="r-1",
        token_id="t-1",
        token_name="tests",
        submitted_at=5.0,
        sent_at=5.0,
        due_in_s=10.0,
    )


def finish(worker: VestibuleCelery, message: TaskMessage, state: str = "SUCCESS", **noted: Any) -> None:
    """End a task as a worker does."""
    request = Context(started_at=6.0, attempt=1, hostname="worker1@host", end_channel=message.end_channel)
    request.update(noted)
    result = "TEXT" if state == "SUCCESS" else ValueError("bad")
    worker.backend.store_result(message.task_id, result, state, request=request)


async def test_the_result_comes_with_the_end(
    listener: TaskEndListener, redis_url: str, settings: ClientSettings, cipher: Cipher, worker: VestibuleCelery
) -> None:
    """All that a status has is there, and neither the ledger nor Redis is asked."""
    tasks = service(listener, redis_url, settings, cipher)
    task_id = await tasks.accept(new_task())
    waiting = asyncio.create_task(tasks.wait(task_id, "acme", SOON_S))
    await asyncio.sleep(0)
    await asyncio.to_thread(finish, worker, tasks.dispatcher.sent[0])
    status = await waiting
    assert (TaskState.SUCCEEDED, "TEXT", "uppercase", Priority.HIGH, 0) == (
        status.state,
        status.result,
        status.processor,
        status.priority,
        status.attempts,
    )
    assert ("r-1", "t-1", "tests") == (status.request_id, status.token_id, status.token_name)
    assert (5.0, 6.0, None) == (status.submitted_at.timestamp(), status.started_at.timestamp(), status.due_at)
    assert [(1, "worker1@host")] == [(one.number, one.worker) for one in status.attempt_history]
    assert status.finished_at.timestamp() == pytest.approx(time.time(), abs=60)
    assert 0 == tasks.ledger.lookups


@pytest.mark.parametrize(
    ("state", "noted"),
    [
        ("FAILURE", {"failed_by": "TaskFailed"}),
        ("SUCCESS", {"write_back": {"key": "k", "tenant": "acme", "token_id": None}}),
        ("SUCCESS", {"attempt": 2}),
        ("SUCCESS", {"end_channel": "vestibule:ends"}),
        ("SUCCESS", {"end_channel": 5}),
    ],
)
async def test_what_the_end_alone_does_not_say_is_looked_up(  # noqa: PLR0917 - fixtures
    listener: TaskEndListener,
    redis_url: str,
    settings: ClientSettings,
    cipher: Cipher,
    worker: VestibuleCelery,
    state: str,
    noted: dict[str, Any],
) -> None:
    """A task that failed can be retried, one that writes its result has not ended, and earlier attempts are unknown."""
    tasks = service(listener, redis_url, settings, cipher)
    task_id = await tasks.accept(new_task())
    await asyncio.to_thread(finish, worker, tasks.dispatcher.sent[0], state, **noted)
    assert TaskState.FAILED is (await tasks.wait(task_id, "acme", 0.5)).state
    assert 1 == tasks.ledger.lookups


async def test_a_task_of_another_tenant_is_unknown(
    listener: TaskEndListener, redis_url: str, settings: ClientSettings, cipher: Cipher, worker: VestibuleCelery
) -> None:
    """Whoever accepted it: the ledger says whose it is."""
    tasks = service(listener, redis_url, settings, cipher)
    task_id = await tasks.accept(new_task())
    await asyncio.to_thread(finish, worker, tasks.dispatcher.sent[0])
    assert await tasks._wait_for_expected(task_id, "other", 0.2) is None
