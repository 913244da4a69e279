"""The result of a task is written to its key once, before the task succeeds, and to no other tenant's key."""

import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from servers.stores import with_server
from vestibule.contracts.entries import Pair
from vestibule.contracts.errors import TooLarge, Unavailable
from vestibule.contracts.identity import Principal
from vestibule.contracts.task_ledger import NewTask, TaskChange, WriteBack
from vestibule.contracts.tasks import TaskState
from vestibule.database_service.entries.store import Store, Write
from vestibule.database_service.entries.tenant_view import TenantView
from vestibule.database_service.main import build_task_ledger, store_kinds
from vestibule.database_service.settings import DatabaseSettings
from vestibule.database_service.tasks.ledger import TaskLedger
from vestibule.database_service.tasks.task_entries import TaskCompletion

KINDS = store_kinds()
UNFINISHED = [TaskState.QUEUED, TaskState.RUNNING, TaskState.RETRYING]


@pytest.fixture(params=["memory", "sqlite", "postgresql", "dynamodb"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store of each kind."""
    kind = with_server(KINDS[request.param], request)
    async with kind.build(DatabaseSettings(data_dir=tmp_path, database_url=f"{kind.scheme}:")) as opened:
        yield opened


@pytest.fixture
async def ledger(store: Store) -> TaskLedger:
    """The ledger that belongs to the store."""
    ledger = build_task_ledger(store)
    await ledger.prepare()
    return ledger


async def _accepted(ledger: TaskLedger) -> str:
    task = NewTask(
        task_id=str(uuid4()), tenant="t1", processor="uppercase", data="x", submitted_at=time.time(), due_in_s=60
    )
    await ledger.accept([task])
    return task.task_id


def _step(task_id: str, state: TaskState = TaskState.SUCCEEDED, **given: Any) -> TaskChange:
    to = WriteBack(key="result", tenant=given.pop("tenant", "t1"), token_id="t-7")
    write_back = to if state is TaskState.SUCCEEDED else None
    return TaskChange(
        task_id=task_id,
        from_states=UNFINISHED,
        state=state,
        result="MADE",
        write_back=write_back,
        keep_result_s=60,
        keep_s=60,
        **given,
    )


async def test_a_result_is_written_and_the_task_done(store: Store, ledger: TaskLedger) -> None:
    """Under the tenant's key, in the name of the token that asked."""
    task_id = await _accepted(ledger)
    assert [True] == await TaskCompletion(store, ledger).change([_step(task_id)])
    own = TenantView(store, Principal("t1"))
    written = await own.read("result")
    (task,) = await ledger.find([task_id])
    assert written is not None
    assert ("MADE", 1, TaskState.SUCCEEDED) == (written.value, written.version, task.state)
    for revision in await own.history("result"):
        assert "t-7" == revision.by


async def test_a_step_that_is_repeated_writes_nothing_again(store: Store, ledger: TaskLedger) -> None:
    """Also where the ledger failed after the write, and where others wrote meanwhile: theirs stays."""
    task_id = await _accepted(ledger)

    class Failing:
        """The ledger, which fails when it should take a step."""

        find = ledger.find

        async def change(self, changes: Sequence[TaskChange]) -> list[bool]:
            raise Unavailable("database", "It failed.")

    with pytest.raises(Unavailable):
        await TaskCompletion(store, Failing()).change([_step(task_id)])  # type: ignore[arg-type]
    own = TenantView(store, Principal("t1"))
    assert 2 == (await own.write(Pair(key="result", value="somebody else's"))).version
    assert [True] == await TaskCompletion(store, ledger).change([_step(task_id)])
    assert [False] == await TaskCompletion(store, ledger).change([_step(task_id)])
    written = await own.read("result")
    assert written is not None
    assert ("somebody else's", 2) == (written.value, written.version)


async def test_a_task_that_was_cancelled_writes_nothing(store: Store, ledger: TaskLedger) -> None:
    """What it comes to does not count."""
    task_id = await _accepted(ledger)
    completion = TaskCompletion(store, ledger)
    assert [True] == await completion.change([_step(task_id, TaskState.CANCELLED)])
    assert [False] == await completion.change([_step(task_id)])
    assert await TenantView(store, Principal("t1")).read("result") is None


async def test_another_tenants_key_is_never_written(store: Store, ledger: TaskLedger) -> None:
    """Nor for a task that is not there."""
    completion = TaskCompletion(store, ledger)
    await completion.change([_step(await _accepted(ledger), tenant="t2"), _step(str(uuid4()), tenant="t2")])
    assert await TenantView(store, Principal("t2")).read("result") is None


@pytest.mark.parametrize("store", ["memory"], indirect=True)
async def test_what_the_store_will_not_take_fails_the_task(
    store: Store, ledger: TaskLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A result that is too large for this store fails its task, and blocks no other."""

    async def refuse(_writes: Sequence[Write]) -> list[int]:
        raise TooLarge("too large")

    task_id, other = await _accepted(ledger), await _accepted(ledger)
    monkeypatch.setattr(store, "write_many", refuse)
    steps = [_step(task_id), _step(other).model_copy(update={"write_back": None})]
    assert [True, True] == await TaskCompletion(store, ledger).change(steps)
    found = {task.task_id: task for task in await ledger.find([task_id, other])}
    failed, done = found[task_id], found[other]
    assert (TaskState.FAILED, "ResultTooLarge", None) == (failed.state, failed.error, failed.result)
    assert TaskState.SUCCEEDED is done.state
