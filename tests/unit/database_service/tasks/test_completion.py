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
from vestibule.contracts.subjects import SubjectQuery
from vestibule.contracts.task_ledger import LedgerTask, NewTask, TaskChange, WriteBack
from vestibule.contracts.tasks import TaskState
from vestibule.database_service.entries.encrypted_store import EncryptedStore
from vestibule.database_service.entries.store import Store, Write
from vestibule.database_service.entries.tenant_view import TenantView
from vestibule.database_service.main import build_task_ledger, store_kinds
from vestibule.database_service.maintenance.erasure import Searches, TaskErasure
from vestibule.database_service.settings import DatabaseSettings
from vestibule.database_service.tasks.encrypted_ledger import EncryptedTaskLedger
from vestibule.database_service.tasks.ledger import TaskLedger
from vestibule.database_service.tasks.task_entries import TaskCompletion
from vestibule.encryption import Cipher, KeyRingFile, create_key_ring
from vestibule.subject_search import SubjectSearcher

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


async def _accepted(ledger: TaskLedger | EncryptedTaskLedger) -> str:
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


@pytest.fixture
async def other(request: pytest.FixtureRequest, store: Store, ledger: TaskLedger, tmp_path: Path) -> Any:
    """What a second database service changes tasks with; only PostgreSQL is shared by several."""
    if request.node.callspec.params["store"] != "postgresql":
        yield TaskCompletion(store, ledger)
        return
    kind = with_server(KINDS["postgresql"], request)
    async with kind.build(DatabaseSettings(data_dir=tmp_path, database_url="postgresql:")) as opened:
        yield TaskCompletion(opened, build_task_ledger(opened))


class _Interrupted:
    """The ledger of one service: before it takes a step, the other service takes one."""

    def __init__(self, ledger: TaskLedger, other: TaskCompletion, step: TaskChange) -> None:
        self.find = ledger.find
        self._ledger, self._other, self._step = ledger, other, step
        self.taken_by_other: list[bool] = []

    async def change(self, changes: Sequence[TaskChange]) -> list[bool]:
        self.taken_by_other += await self._other.change([self._step])
        return await self._ledger.change(changes)


async def test_no_cancellation_comes_between_a_write_and_its_step(
    store: Store, ledger: TaskLedger, other: TaskCompletion
) -> None:
    """A service has written the result, another one cancels: the task has succeeded, and the canceller hears no."""
    task_id = await _accepted(ledger)
    service = _Interrupted(ledger, other, _step(task_id, TaskState.CANCELLED))
    assert [True] == await TaskCompletion(store, service).change([_step(task_id)])  # type: ignore[arg-type]
    written, (task,) = await TenantView(store, Principal("t1")).read("result"), await ledger.find([task_id])
    assert (True, TaskState.SUCCEEDED, [False]) == (written is not None, task.state, service.taken_by_other)


async def test_no_result_is_written_once_a_cancellation_has_begun(
    store: Store, ledger: TaskLedger, other: TaskCompletion
) -> None:
    """A service cancels, and before its step another one has the result: the task is cancelled, the key is unwritten.

    Retried, the task writes its result.
    """
    task_id = await _accepted(ledger)
    service = _Interrupted(ledger, other, _step(task_id))
    cancel = _step(task_id, TaskState.CANCELLED)
    assert [True] == await TaskCompletion(store, service).change([cancel])  # type: ignore[arg-type]
    own = TenantView(store, Principal("t1"))
    (task,) = await ledger.find([task_id])
    assert (None, TaskState.CANCELLED) == (await own.read("result"), task.state)
    assert [False] == await other.change([cancel])
    retry = TaskChange(task_id=task_id, from_states=[TaskState.CANCELLED], state=TaskState.QUEUED, due_in_s=60)
    assert [True, True] == [*await other.change([retry]), *await TaskCompletion(store, ledger).change([_step(task_id)])]
    written = await own.read("result")
    assert ("MADE", TaskState.SUCCEEDED) == (written and written.value, (await ledger.find([task_id]))[0].state)


async def test_no_result_is_written_once_its_data_was_erased(store: Store, ledger: TaskLedger, tmp_path: Path) -> None:
    """A service has looked for the task and is about to write its result, and the data of the task is erased."""
    create_key_ring(tmp_path / "keyring.json")
    keys = KeyRingFile(tmp_path / "keyring.json")
    encrypted = EncryptedTaskLedger(ledger, Cipher(keys, "tasks"))
    task_id = await _accepted(encrypted)

    class Slow:
        """The ledger of that service: the erasure comes after its answer."""

        change = encrypted.change

        async def find(self, task_ids: Sequence[str]) -> list[LedgerTask]:
            found = await encrypted.find(task_ids)
            entries = EncryptedStore(store, Cipher(keys, "database"))
            searches = Searches(SubjectSearcher(keys))
            erasing = TaskErasure(encrypted, TaskCompletion(store, encrypted), entries, searches)
            query = SubjectQuery.model_construct(value="x", tenants=["t1"])
            assert 1 == (await erasing.erase(query, "t1", 10, None)).erased
            return found

    assert [False] == await TaskCompletion(store, Slow()).change([_step(task_id)])  # type: ignore[arg-type]
    (task,) = await encrypted.find([task_id])
    assert (None, TaskState.CANCELLED) == (await TenantView(store, Principal("t1")).read("result"), task.state)
    assert {} == (await encrypted.read_work([task_id])).data


async def test_a_cancellation_that_is_refused_marks_nothing(store: Store, ledger: TaskLedger) -> None:
    """Another tenant's, or of a task that has ended: the result is written as if nobody had asked."""
    task_id = await _accepted(ledger)
    completion = TaskCompletion(store, ledger)
    foreign = _step(task_id, TaskState.CANCELLED).model_copy(update={"tenant": "t2"})
    assert [False, True] == [*await completion.change([foreign]), *await completion.change([_step(task_id)])]
    assert await TenantView(store, Principal("t1")).read("result") is not None


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
