"""Data and terms of a task are encrypted as one text, which opens for that task alone."""

import time
from pathlib import Path

import pytest

from vestibule.contracts.task_ledger import NewTask
from vestibule.contracts.tasks import NO_TERMS, WorkOrigin, WorkTerms
from vestibule.database_service.maintenance.task_maintenance import AT_ONCE, TaskMaintenance
from vestibule.database_service.tasks.encrypted_ledger import REALM, EncryptedTaskLedger, TaskWork
from vestibule.database_service.tasks.ledger import StoredTask
from vestibule.database_service.tasks.ledgers.memory import MemoryTaskLedger
from vestibule.encryption import Cipher, DecryptionFailed, KeyRingFile, Purpose, add_key, create_key_ring

TERMS = WorkTerms(
    options={"pointer": "/hidden-option"}, write_to="a key", origin=WorkOrigin(tenant="t1", token_name="somebody")
)
DATA = "hidden data\nof two lines"


@pytest.fixture
def ring_path(tmp_path: Path) -> Path:
    """A ring of keys."""
    create_key_ring(tmp_path / "keyring.json")
    return tmp_path / "keyring.json"


@pytest.fixture
def inner() -> MemoryTaskLedger:
    """The ledger of the ciphertexts."""
    return MemoryTaskLedger()


@pytest.fixture
def ledger(inner: MemoryTaskLedger, ring_path: Path) -> EncryptedTaskLedger:
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


async def _kept(inner: MemoryTaskLedger) -> list[StoredTask]:
    return (await inner.read_stored(10, None))[0]


async def test_a_task_comes_back_with_its_terms(inner: MemoryTaskLedger, ledger: EncryptedTaskLedger) -> None:
    """Nothing of either can be read where it lies."""
    await ledger.accept([_task("one", TERMS), _task("two")])
    assert {"one": TaskWork(DATA, TERMS), "two": TaskWork(DATA, NO_TERMS)} == await ledger.read_work(["one", "two"])
    assert {"one": DATA, "two": DATA} == await ledger.read_data(["one", "two"])
    texts = " ".join(kept.data or "" for kept in await _kept(inner))
    assert not any(word in texts for word in ("hidden", "somebody", "a key"))


async def test_texts_open_only_for_their_task_and_purpose(inner: MemoryTaskLedger, ledger: EncryptedTaskLedger) -> None:
    """A writer of the file can exchange neither the texts of two tasks nor data and result of one."""
    await ledger.accept([_task("one", TERMS)])
    (one,) = await _kept(inner)
    assert TERMS == (await ledger.read_work(["one"]))["one"].terms
    for forged in (StoredTask("two", "t1", one.data, None), StoredTask("one", "t1", None, one.data)):
        with pytest.raises(DecryptionFailed):
            ledger.decrypt_stored(forged)


async def test_terms_are_reencrypted_and_searched_for_subjects(
    inner: MemoryTaskLedger, ledger: EncryptedTaskLedger, ring_path: Path
) -> None:
    """Both move to the new key, and a value that appears in an option only is found."""
    await ledger.accept([_task("one", TERMS), _task("two")])
    add_key(ring_path, Purpose.DATA)
    renewing = EncryptedTaskLedger(inner, Cipher(KeyRingFile(ring_path), REALM))
    walk = TaskMaintenance(renewing)
    assert 2 == (await walk.reencrypt(10, None)).reencrypted
    assert {"one": TaskWork(DATA, TERMS), "two": TaskWork(DATA, NO_TERMS)} == await renewing.read_work(["one", "two"])
    assert 1 == (await walk.erase("t1", ["hidden-option"], 10, None)).erased
    assert {"two"} == set(await renewing.read_work(["one", "two"]))


async def test_an_erasure_that_takes_long_goes_on_with_the_next_page(
    ledger: EncryptedTaskLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page whose time is over ends where it is, and the pages together leave out nothing."""
    monkeypatch.setattr("vestibule.database_service.maintenance.task_maintenance.PAGE_S", 0)
    await ledger.accept([_task(f"task-{number}", TERMS) for number in range(3 * AT_ONCE)])
    walk, cursor, pages = TaskMaintenance(ledger), None, []
    while not pages or cursor is not None:
        pages.append(await walk.erase("t1", ["hidden-option"], 1000, cursor))
        cursor = pages[-1].cursor
    assert [(AT_ONCE, AT_ONCE)] * 3 == [(page.examined, page.erased) for page in pages]
