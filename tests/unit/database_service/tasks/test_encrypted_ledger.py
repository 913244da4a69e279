"""Data and terms of a task are encrypted as one text, which opens for that task alone."""

import time
from pathlib import Path

import pytest

from vestibule.contracts.subjects import SubjectQuery
from vestibule.contracts.task_ledger import NewTask, TaskChange, TaskData
from vestibule.contracts.tasks import NO_TERMS, TaskState, WorkOrigin, WorkTerms
from vestibule.database_service.entries.encrypted_store import EncryptedStore
from vestibule.database_service.entries.memory import MemoryStore
from vestibule.database_service.maintenance import erasure
from vestibule.database_service.maintenance.erasure import TASKS_AT_ONCE, Searches, TaskErasure
from vestibule.database_service.maintenance.jobs import TaskMaintenance
from vestibule.database_service.tasks.encrypted_ledger import REALM, EncryptedTaskLedger
from vestibule.database_service.tasks.ledger import StoredTask
from vestibule.database_service.tasks.ledgers.sqlite import SqliteTaskLedger
from vestibule.database_service.tasks.task_entries import TaskCompletion
from vestibule.encryption import Cipher, DecryptionFailed, KeyRingFile, Purpose, add_key, create_key_ring
from vestibule.subject_search import SubjectSearcher

TERMS = WorkTerms(
    options={"pointer": "/hidden-option"}, write_to="a key", origin=WorkOrigin(tenant="t1", token_name="somebody")
)
DATA = "hidden data\nof two lines"
QUERY = SubjectQuery(value="hidden-option", tenants=["t1"])
BOTH = TaskData(data={"one": DATA, "two": DATA}, terms={"one": TERMS, "two": NO_TERMS})


@pytest.fixture
def ring_path(tmp_path: Path) -> Path:
    """A ring of keys."""
    create_key_ring(tmp_path / "keyring.json")
    return tmp_path / "keyring.json"


@pytest.fixture
async def inner() -> SqliteTaskLedger:
    """The ledger of the ciphertexts."""
    ledger = SqliteTaskLedger(MemoryStore().file)
    await ledger.prepare()
    return ledger


@pytest.fixture
def ledger(inner: SqliteTaskLedger, ring_path: Path) -> EncryptedTaskLedger:
    """A ledger over it."""
    return EncryptedTaskLedger(inner, Cipher(KeyRingFile(ring_path), REALM))


def _task(task_id: str, terms: WorkTerms = NO_TERMS) -> NewTask:
    return NewTask(
        task_id=task_id,
        tenant="t1",
        processor="json_pointer",
        data=DATA,
        terms=terms,
        submitted_at=time.time(),
        due_in_s=0,
    )


def _erasure(ledger: EncryptedTaskLedger, ring_path: Path) -> TaskErasure:
    ring = KeyRingFile(ring_path)
    store = EncryptedStore(MemoryStore(), Cipher(ring, REALM))
    return TaskErasure(ledger, TaskCompletion(store, ledger), store, Searches(SubjectSearcher(ring)))


async def _kept(inner: SqliteTaskLedger) -> list[StoredTask]:
    return (await inner.read_stored(10, None))[0]


async def test_a_task_comes_back_with_its_terms(inner: SqliteTaskLedger, ledger: EncryptedTaskLedger) -> None:
    """Nothing of either can be read where it lies."""
    await ledger.accept([_task("one", TERMS), _task("two")])
    assert BOTH == await ledger.read_work(["one", "two"])
    texts = " ".join(kept.data or "" for kept in await _kept(inner))
    assert not any(word in texts for word in ("hidden", "somebody", "a key"))


async def test_texts_open_only_for_their_task_and_purpose(inner: SqliteTaskLedger, ledger: EncryptedTaskLedger) -> None:
    """A writer of the file can exchange neither the texts of two tasks nor data and result of one."""
    await ledger.accept([_task("one", TERMS)])
    (one,) = await _kept(inner)
    assert TERMS == (await ledger.read_work(["one"])).terms["one"]
    for forged in (StoredTask("two", "t1", one.data, None), StoredTask("one", "t1", None, one.data)):
        with pytest.raises(DecryptionFailed):
            ledger.decrypt_stored(forged)


async def test_a_result_that_does_not_open_hides_no_other(inner: SqliteTaskLedger, ledger: EncryptedTaskLedger) -> None:
    """Tasks are found together: one whose key is gone says so, and the others have their results."""
    await ledger.accept([_task("one"), _task("two")])
    ends = [
        TaskChange(task_id=one, from_states=[TaskState.QUEUED], state=TaskState.SUCCEEDED, result="made")
        for one in ("one", "two")
    ]
    await ledger.change(ends[:1])
    await inner.change(ends[1:])
    found = {task.task_id: (task.result, task.is_unreadable) for task in await ledger.find(["one", "two"])}
    assert {"one": ("made", False), "two": (None, True)} == found


async def test_terms_are_reencrypted_and_searched_for_subjects(
    inner: SqliteTaskLedger, ledger: EncryptedTaskLedger, ring_path: Path
) -> None:
    """Both move to the new key, and a value that appears in an option only is found."""
    await ledger.accept([_task("one", TERMS), _task("two")])
    add_key(ring_path, Purpose.DATA)
    renewing = EncryptedTaskLedger(inner, Cipher(KeyRingFile(ring_path), REALM))
    walk = TaskMaintenance(renewing)
    assert 2 == (await walk.reencrypt(10, None)).reencrypted
    assert BOTH == await renewing.read_work(["one", "two"])
    assert 1 == (await _erasure(renewing, ring_path).erase(QUERY, "t1", 10, None)).erased
    assert {"two"} == set((await renewing.read_work(["one", "two"])).data)


async def test_an_erasure_that_takes_long_goes_on_with_the_next_page(
    ledger: EncryptedTaskLedger, ring_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page whose time is over ends where it is, and the pages together leave out nothing."""
    monkeypatch.setattr(erasure, "PAGE_S", 0)
    await ledger.accept([_task(f"task-{number}", TERMS) for number in range(3 * TASKS_AT_ONCE)])
    walk, cursor, pages = _erasure(ledger, ring_path), None, []
    while not pages or cursor is not None:
        pages.append(await walk.erase(QUERY, "t1", 1000, cursor))
        cursor = pages[-1].cursor
    assert [(TASKS_AT_ONCE, TASKS_AT_ONCE)] * 3 == [(page.examined, page.erased) for page in pages]


async def test_a_task_that_changes_meanwhile_is_searched_again(
    inner: SqliteTaskLedger, ledger: EncryptedTaskLedger, ring_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its result comes between reading and erasing: both go; one that cannot be opened is counted and stops nothing."""
    await ledger.accept([_task("one", TERMS), _task("lost", TERMS)])
    (lost,) = [stored for stored in await _kept(inner) if stored.task_id == "lost"]
    await inner.replace_stored(lost, StoredTask("lost", "t1", "bm90IGVuY3J5cHRlZA==", None))
    read_stored, changes = ledger.read_stored, [TaskState.SUCCEEDED]

    async def read_and_end(limit: int, cursor: str | None) -> tuple[list[StoredTask], str | None]:
        found = await read_stored(limit, cursor)
        if changes:
            change = TaskChange(
                task_id="one", from_states=[TaskState.QUEUED], state=changes.pop(), result="/hidden-option"
            )
            await ledger.change([change])
        return found

    monkeypatch.setattr(ledger, "read_stored", read_and_end)
    page = await _erasure(ledger, ring_path).erase(QUERY, "t1", 10, None)
    assert 1 == page.erased
    assert page.unreadable
    (one,) = await ledger.find(["one"])
    assert one.result is None
