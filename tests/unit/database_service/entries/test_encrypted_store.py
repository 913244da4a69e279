"""Stored values cannot be read from the files, cannot be moved, and come back unchanged."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servers.stores import with_server
from vestibule.contracts.entries import Entry, ReencryptionPage
from vestibule.contracts.errors import Unavailable
from vestibule.database_service.entries.encrypted_store import REALM, EncryptedStore
from vestibule.database_service.entries.memory import MemoryStore
from vestibule.database_service.entries.store import Store, StoreKind, Write
from vestibule.database_service.main import store_kinds
from vestibule.database_service.maintenance.jobs import EntryReencryption
from vestibule.database_service.settings import DatabaseSettings
from vestibule.encryption import Cipher, KeyRingFile, Purpose, add_key, create_key_ring, retire_key

MARKER = "Zq7MARKERx9 🔑"
KINDS = store_kinds()
every_kind = pytest.mark.parametrize("kind", KINDS, indirect=True)


@pytest.fixture(scope="session")
def kind(request: pytest.FixtureRequest) -> StoreKind:
    """The kind of store that a test is about, on a server where it needs one."""
    return with_server(KINDS[request.param], request)


def _ring(folder: Path) -> KeyRingFile:
    path = folder / "keys" / "keyring.json"
    create_key_ring(path)
    return KeyRingFile(path)


@asynccontextmanager
async def _encrypted(kind: StoreKind, folder: Path) -> AsyncIterator[tuple[EncryptedStore, Store, KeyRingFile]]:
    inner = kind.build(DatabaseSettings(data_dir=folder, database_url=f"{kind.scheme}:"))
    ring = _ring(folder)
    async with inner:
        yield EncryptedStore(inner, Cipher(ring, REALM)), inner, ring


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("vestibule.db*")}


async def _walk(walk: EntryReencryption, step: str, limit: int = 10) -> ReencryptionPage:
    """Return what all pages say together."""
    total, cursor = ReencryptionPage(), None
    while True:
        page: ReencryptionPage = await getattr(walk, step)(limit, cursor)
        for key_id, count in page.by_key.items():
            total.by_key[key_id] = total.by_key.get(key_id, 0) + count
        total.reencrypted += page.reencrypted
        total.not_opened += page.not_opened
        cursor = page.cursor
        if cursor is None:
            return total


any_value = given(key=st.text("aé🔑", min_size=1, max_size=4), value=st.text(st.characters(codec="utf-8")))


@pytest.mark.parametrize("kind", [name for name in KINDS if name != "dynamodb"], indirect=True)
@settings(max_examples=25)
@any_value
async def test_any_value_comes_back(
    kind: StoreKind, key: str, value: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Not a character is changed, the version counts, and the store under it holds something else."""
    await _check_value(kind, tmp_path_factory.mktemp("store"), key, value)


# Each example opens a store anew, which takes seconds there on a busy machine.
@pytest.mark.parametrize("kind", ["dynamodb"], indirect=True)
@settings(max_examples=4)
@any_value
async def test_any_value_comes_back_from_a_slow_store(
    kind: StoreKind, key: str, value: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The same, with a few examples."""
    await _check_value(kind, tmp_path_factory.mktemp("store"), key, value)


async def _check_value(kind: StoreKind, folder: Path, key: str, value: str) -> None:
    async with _encrypted(kind, folder) as (store, inner, _):
        assert [1, 2] == [await store.write(Write(key, "before")), await store.write(Write(key, value))]
        assert Entry(key=key, value=value, version=2) == await store.read(key)
        kept = await inner.read(key)
        assert kept is not None
        assert value != kept.value
        assert kept.value.isascii()
        assert await store.delete(key)
        assert await store.read(key) is None


async def test_no_file_of_the_database_holds_a_value(tmp_path: Path) -> None:
    """Neither the file nor its write-ahead log, while it is open and after, holds a value that was ever written."""
    async with _encrypted(KINDS["sqlite"], tmp_path) as (store, _, _):
        for number in range(50):
            await store.write(Write("key", f"{MARKER} {number}" * 20))
        await store.write(Write("other", MARKER))
        await store.delete("other")
        while_open = _files(tmp_path)
    after = _files(tmp_path)
    assert {"vestibule.db", "vestibule.db-wal", "vestibule.db-shm"} == while_open.keys()
    for content in (*while_open.values(), *after.values()):
        assert b"MARKER" not in content
        assert MARKER.encode() not in content
    assert b"key" in after["vestibule.db"]


async def test_values_swapped_in_the_file_cannot_be_decrypted(tmp_path: Path) -> None:
    """Who can write the file cannot give one key the value of another; the refusal says nothing of either."""
    async with _encrypted(KINDS["sqlite"], tmp_path) as (store, _, _):
        await store.write(Write("alice", "one"))
        await store.write(Write("bob", "two"))
        other = sqlite3.connect(tmp_path / "vestibule.db", isolation_level=None)
        other.execute("UPDATE entries SET value = (SELECT value FROM entries WHERE key = 'bob') WHERE key = 'alice'")
        other.close()
        with pytest.raises(Unavailable) as caught:
            await store.read("alice")
        assert "The value of that key cannot be decrypted." == caught.value.detail
        assert Entry(key="bob", value="two", version=1) == await store.read("bob")


@pytest.mark.parametrize("kept", ["plain text", "", "AAAA", "é", "QUFB" * 40])
async def test_a_value_without_encryption_is_not_returned(tmp_path: Path, kept: str) -> None:
    """A plain value that was put into the file by hand is refused."""
    inner = MemoryStore()
    store = EncryptedStore(inner, Cipher(_ring(tmp_path), REALM))
    await inner.write(Write("key", kept))
    with pytest.raises(Unavailable):
        await store.read("key")
    assert 1 == len((await _walk(EntryReencryption(store), "check")).not_opened)


@every_kind
async def test_reencryption_leaves_every_value_and_version(kind: StoreKind, tmp_path: Path) -> None:
    """After a rotation old values can be read; after re-encryption the old key may be retired."""
    async with _encrypted(kind, tmp_path) as (store, _, ring):
        before = ring.current().active(Purpose.DATA).id
        for number in range(95):
            await store.write(Write(f"k{number}", str(number)))
        await store.write(Write("k0", "second"))
        key = add_key(tmp_path / "keys" / "keyring.json", Purpose.DATA)
        ring.reload()
        await store.write(Write("k1", "after"))
        walk = EntryReencryption(store)
        # Two of the 95 were written twice; what they were before is kept as well, where a store has a history.
        earlier = len((await store.history("k0"))[1:] + (await store.history("k1"))[1:])
        assert {before: 94 + earlier, key.id: 1} == (await _walk(walk, "check")).by_key
        assert 94 + earlier == (await _walk(walk, "reencrypt")).reencrypted
        assert 0 == (await _walk(walk, "reencrypt")).reencrypted
        assert ReencryptionPage(by_key={key.id: 95 + earlier}) == await _walk(walk, "check")
        retire_key(tmp_path / "keys" / "keyring.json", before)
        ring.reload()
        assert Entry(key="k0", value="second", version=2) == await store.read("k0")
        assert Entry(key="k94", value="94", version=1) == await store.read("k94")
        if earlier:
            assert ["after", "1"] == [revision.value for revision in await store.history("k1")]


@every_kind
async def test_reencryption_loses_no_write(kind: StoreKind, tmp_path: Path) -> None:
    """A value that is written during its re-encryption stays, and so does its version."""
    async with _encrypted(kind, tmp_path) as (store, _, ring):
        for number in range(50):
            await store.write(Write(f"k{number}", "before"))
        add_key(tmp_path / "keys" / "keyring.json", Purpose.DATA)
        ring.reload()
        walk = EntryReencryption(store)
        await asyncio.gather(
            _walk(walk, "reencrypt", limit=50), *(store.write(Write(f"k{number}", "after")) for number in range(50))
        )
        entries = [await store.read(f"k{number}") for number in range(50)]
        assert {("after", 2)} == {(entry.value, entry.version) for entry in entries if entry}


async def test_a_value_without_its_key_is_reported(tmp_path: Path) -> None:
    """With another ring nothing can be decrypted, and the check reports why, without ending."""
    inner = MemoryStore()
    await EncryptedStore(inner, Cipher(_ring(tmp_path / "one"), REALM)).write(Write("a", MARKER))
    other = EncryptedStore(inner, Cipher(_ring(tmp_path / "two"), REALM))
    await other.write(Write("b", MARKER))
    page = await _walk(EntryReencryption(other), "check")
    assert [1] == list(page.by_key.values())
    assert 1 == len(page.not_opened)
    assert page.not_opened[0].startswith("the ring has no data key")
    assert page.not_opened == (await _walk(EntryReencryption(other), "reencrypt")).not_opened
