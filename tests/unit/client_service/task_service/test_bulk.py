"""Actions on many tasks as jobs: over restarts, up to a number, with confirmations that expire."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from httpx import ASGITransport, AsyncClient
from redis.asyncio import Redis as AsyncRedis

from servers.peers import LocalPeer
from vestibule.client_service import jobs
from vestibule.client_service.queue.application import REALM
from vestibule.client_service.queue.queue_view import QueueView
from vestibule.client_service.settings import ClientSettings
from vestibule.client_service.task_service import bulk
from vestibule.client_service.task_service.bulk import OWNER, BulkAction, BulkActions, BulkRecord, BulkRequest
from vestibule.client_service.task_service.outcomes import LedgerSteps
from vestibule.contracts.errors import BulkActionInProgress, BulkActionNotFound, ConfirmationInvalid, Unavailable
from vestibule.contracts.identity import Principal
from vestibule.contracts.task_ledger import NewTask, TaskFilter
from vestibule.contracts.tasks import TaskState
from vestibule.database_client.entries import EntryClient
from vestibule.database_client.tasks import TaskLedgerClient
from vestibule.database_client.transport import DatabaseTransport
from vestibule.database_service.main import create_app
from vestibule.database_service.settings import DatabaseSettings
from vestibule.encryption import Cipher, Fingerprinter, KeyRingFile

T1 = Principal("t1", "token-1")
CANCEL = BulkRequest(BulkAction.CANCEL, TaskFilter(tenant="t1"), "{}", T1, reason="why")


class World:
    """A database service with tasks, and client services over it."""

    def __init__(self, transport: DatabaseTransport, redis: AsyncRedis, settings: ClientSettings) -> None:
        self.transport = transport
        self.ledger = TaskLedgerClient(transport)
        ring = KeyRingFile(settings.key_ring_path)
        self._parts = (QueueView(redis), LedgerSteps(settings, Cipher(ring, REALM)), Fingerprinter(ring))

    def process(self, clock: Callable[[], float] = time.time) -> BulkActions:
        """Return the part of a client service."""
        return BulkActions(EntryClient(self.transport, OWNER), self.ledger, *self._parts, clock=clock)

    async def accept(self, count: int, tenant: str = "t1") -> None:
        """Record tasks that wait."""
        tasks = [
            NewTask(
                task_id=f"{tenant}-{number}",
                tenant=tenant,
                processor="uppercase",
                data="text",
                submitted_at=1.0,
                due_in_s=3600,
            )
            for number in range(count)
        ]
        await asyncio.gather(*map(self.ledger.accept, tasks))

    async def count(self, tenant: str = "t1") -> dict[str, int]:
        """Return how many tasks are in each state."""
        return {count.state.value: count.tasks for count in await self.ledger.counts(tenant)}

    async def kept(self) -> list[str]:
        """Return the keys of all that is kept of jobs."""
        return (await EntryClient(self.transport, OWNER).keys("", 100, None)).keys


@pytest.fixture
async def world(settings: ClientSettings) -> AsyncIterator[World]:
    """A database service, and what client services need."""
    app = create_app(DatabaseSettings(data_dir=settings.data_dir, embedded=True))
    headers = {"Authorization": f"Bearer {settings.secret_file.read_text()}"}
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://database", headers=headers) as client,
        AsyncRedis.from_url(settings.redis_url) as redis,
    ):
        yield World(DatabaseTransport(LocalPeer(client)), redis, settings)


async def _end(actions: BulkActions, bulk_id: str) -> BulkRecord:
    async with asyncio.timeout(60):
        while (record := await actions.find(bulk_id, "t1")).finished_at is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return record


async def test_a_job_goes_on_in_another_process(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """From where it was stored last: each task is changed and counted once, and nothing but the counts is left."""
    # What is stored by time alone is stored too late for this test.
    monkeypatch.setattr(jobs, "SAVE_EVERY_S", 60.0)
    monkeypatch.setattr(jobs, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(jobs, "TAKEN_OVER_AFTER_S", 0.2)
    await world.accept(50)
    await world.accept(3, "t2")
    change, asked = TaskLedgerClient.change, []

    async def change_twice(ledger: TaskLedgerClient, steps: Any) -> Any:
        asked.append(len(steps))
        if len(asked) > 2:
            raise Unavailable("database", "It does not answer.")
        return await change(ledger, steps)

    first, second = world.process(), world.process()
    async with first.running():
        preview = await first.preview(CANCEL)
        with monkeypatch.context() as broken:
            broken.setattr(TaskLedgerClient, "change", change_twice)
            record = await first.start(CANCEL, preview.confirm)
            async with asyncio.timeout(60):
                while len(asked) < 3:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            # Another action: the same one within a second would have the same confirmation, and be the same job.
            other = BulkRequest(BulkAction.DROP, CANCEL.chosen, "{}", T1)
            with pytest.raises(BulkActionInProgress):
                await second.start(other, (await second.preview(other)).confirm)
    assert {"queued": 10, "cancelled": 40} == await world.count()
    async with second.running():
        ended = await _end(second, record.bulk_id)
        async with asyncio.timeout(60):
            while await world.kept() != [record.finished_place]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert (50, 50, 0, 0) == (ended.total, ended.done, ended.skipped, ended.failed)
    assert {"cancelled": 50} == await world.count()
    assert {"queued": 3} == await world.count("t2")
    with pytest.raises(BulkActionNotFound):
        await second.find(record.bulk_id, "t2")
    assert [record.finished_place] == await world.kept()


async def test_a_job_takes_so_many_tasks_and_says_that_there_are_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that matched when it was confirmed, the newest first; one that changed meanwhile is skipped."""
    monkeypatch.setattr(bulk, "MAX_TASKS_AT_ONCE", 50)
    monkeypatch.setattr(bulk, "PAGE", 20)
    await world.accept(60)
    actions = world.process()
    async with actions.running():
        preview = await actions.preview(CANCEL)
        assert (50, True) == (preview.count, preview.has_more)
        ended = await _end(actions, (await actions.start(CANCEL, preview.confirm)).bulk_id)
        assert (50, 50, True) == (ended.total, ended.done, ended.has_more)
        retry = BulkRequest(BulkAction.RETRY, TaskFilter(tenant="t1", states=[TaskState.QUEUED]), "{}", T1)
        assert 0 == (await actions.preview(retry)).count
    assert {"queued": 10, "cancelled": 50} == await world.count()


async def test_a_confirmation_expires(world: World) -> None:
    """After five minutes it confirms nothing, and before that nothing for another token."""
    await world.accept(2)
    now = [time.time()]
    actions = world.process(clock=lambda: now[0])
    preview = await actions.preview(CANCEL)
    other = BulkRequest(CANCEL.action, CANCEL.chosen, CANCEL.asked, Principal("t1", "token-2"))
    with pytest.raises(ConfirmationInvalid):
        await actions.start(other, preview.confirm)
    now[0] += 301
    with pytest.raises(ConfirmationInvalid):
        await actions.start(CANCEL, preview.confirm)
    assert {"queued": 2} == await world.count()
