"""Ends of tasks as a worker writes them, and a listener that hears of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from vestibule.client_service.queue.end_listener import ExpectedEnd, TaskEndListener
from vestibule.client_service.queue.result_backend import TaskEnd
from vestibule.contracts.task_ledger import LedgerTask
from vestibule.contracts.tasks import Priority, TaskState

DAY_S = 86_400
SOON_S = 10.0


def accepted() -> LedgerTask:
    """Return a task of an id of its own."""
    return LedgerTask(
        task_id=str(uuid4()),
        tenant="default",
        processor="uppercase",
        priority=Priority.NORMAL,
        state=TaskState.QUEUED,
        attempts=0,
        submitted_at=5.0,
    )


def end(redis: Redis, task_id: str, result: bytes, channel: str | None) -> None:
    """Write an end as a worker does."""
    redis.execute_command(*TaskEnd(task_id, result, channel).command(DAY_S))  # type: ignore[no-untyped-call]


@asynccontextmanager
async def hearing(client: AsyncRedis, redis: Redis) -> AsyncIterator[TaskEndListener]:
    """Run a listener, from when it hears of ends on."""
    listener = TaskEndListener(client)
    async with listener.running(), asyncio.timeout(SOON_S):
        has_heard = False
        while not has_heard:
            probe, channel = expected_by(listener)
            end(redis, probe.task.task_id, b"probe", channel)
            has_heard = await probe.result(0.2) == b"probe"
        redis.flushall()
        yield listener


def expected_by(listener: TaskEndListener) -> tuple[ExpectedEnd, str]:
    """Return an end that is expected, because somebody waits, and the channel that hears of it."""
    task = accepted()
    assert listener.find_expected(task.task_id) is None
    channel, expected = listener.expect(task), listener.find_expected(task.task_id)
    assert channel is not None
    assert expected is not None
    return expected, channel
