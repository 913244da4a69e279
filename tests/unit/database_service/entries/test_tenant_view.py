"""Tenants of one store: each sees its own entries under its own keys, and nothing of others."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vestibule.contracts.entries import BatchPair, Condition, Pair
from vestibule.contracts.errors import PreconditionFailed
from vestibule.contracts.identity import Principal
from vestibule.database_service.entries.encrypted_store import REALM, EncryptedStore
from vestibule.database_service.entries.memory import MemoryStore
from vestibule.database_service.entries.store import Write
from vestibule.database_service.entries.tenant_view import TenantView
from vestibule.encryption import Cipher, DecryptionFailed, KeyRingFile, create_key_ring

ABSENT = Condition.of_version(0)

# Names that begin alike, and keys that look like the names of spaces.
tenants = st.sampled_from(["a", "a-", "a0", "aa", "b", "~a", "default"])
keys = st.sampled_from(["k", "/", "/k", "a", "a/", "a/k", "../a/k", "aa/k", "~a/k", "%", "\U0001f511", "~"])
changes = st.lists(st.tuples(tenants, st.sampled_from(["write", "delete", "batch"]), keys), max_size=40)


@settings(deadline=None)
@given(some=changes, prefix=keys | st.just(""), cursor=keys | st.none(), limit=st.integers(1, 4))
async def test_every_tenant_has_a_store_of_its_own(
    some: list[tuple[str, str, str]], prefix: str, cursor: str | None, limit: int
) -> None:
    """Whatever tenants do with like keys, prefixes and cursors, each finds what it would find alone."""
    store = MemoryStore()
    alone = {tenant: MemoryStore() for tenant, _, _ in some}
    for number, (tenant, action, key) in enumerate(some):
        shared, own = TenantView(store, Principal(tenant)), alone[tenant]
        match action:
            case "write":
                assert (
                    await own.write(Write(key, str(number)))
                    == (await shared.write(Pair(key=key, value=str(number)))).version
                )
            case "delete":
                assert await own.delete(key) == await shared.delete(key)
            case "batch":
                batch = [Write(key, str(number)), Write(f"{key}2", str(number))]
                pairs = [BatchPair(key=write.key, value=write.value) for write in batch]
                assert await own.write_many(batch) == [one.version for one in await shared.write_all(pairs)]
    for tenant, own in alone.items():
        shared = TenantView(store, Principal(tenant))
        assert await own.keys(prefix, limit, cursor) == await shared.keys(prefix, limit, cursor)
        asked = [key for _, _, key in some]
        assert await own.read_many(asked) == await shared.read_many(asked)


async def test_a_condition_tells_nothing_of_others() -> None:
    """What another tenant has under the same key neither allows nor forbids, and its version is not told."""
    store = MemoryStore()
    await TenantView(store, Principal("a")).write(Pair(key="k", value="x"))
    other = TenantView(store, Principal("b"))
    with pytest.raises(PreconditionFailed) as caught:
        await other.write(Pair(key="k", value="y"), Condition.of_version(1))
    assert {"current_version": None} == caught.value.extra
    with pytest.raises(PreconditionFailed):
        await other.delete("k", condition=Condition.of_version(1))
    assert 1 == (await other.write(Pair(key="k", value="y"), ABSENT)).version


async def test_an_operation_writes_once() -> None:
    """Repeated, it is answered as the first time, whatever was written, deleted or expected since."""
    store = MemoryStore()
    space = TenantView(store, Principal("a"))
    pair = Pair(key="k", value="x", ttl_s=1000)
    first = await space.write(pair, ABSENT, "operation-1")
    assert ("k", 1, True) == (first.key, first.version, first.expires_at is not None)
    await space.write(Pair(key="k", value="y"))
    assert first == await space.write(pair, ABSENT, "operation-1")
    await space.delete("k")
    assert first == await space.write(pair, ABSENT, "operation-1")
    assert await space.read("k") is None
    assert 3 == (await space.write(pair, ABSENT, "operation-2")).version


async def test_an_operation_that_was_refused_is_not_known() -> None:
    """Its condition is told without a word of notes, and it may be written later."""
    space = TenantView(MemoryStore(), Principal("a"))
    await space.write(Pair(key="k", value="x"))
    with pytest.raises(PreconditionFailed) as caught:
        await space.write(Pair(key="k", value="y"), ABSENT, "operation")
    assert {"current_version": 1} == caught.value.extra
    await space.delete("k")
    assert 2 == (await space.write(Pair(key="k", value="y"), ABSENT, "operation")).version


async def test_operations_of_tenants_do_not_meet() -> None:
    """Under one name each tenant has an operation of its own, and what is remembered is in no tenant's space."""
    store = MemoryStore()
    spaces = [TenantView(store, Principal(tenant)) for tenant in ("a", "aa")]
    for space in spaces:
        await space.write(Pair(key="k", value="x"))
        assert 2 == (await space.write(Pair(key="k", value="y"), operation="operation")).version
        assert ["k"] == (await space.keys("", 10, None)).keys


async def test_a_value_can_be_decrypted_in_its_tenant_only(tmp_path: Path) -> None:
    """An encrypted value moved to the same key of another tenant cannot be decrypted."""
    create_key_ring(tmp_path / "ring.json")
    beneath = MemoryStore()
    encrypted = EncryptedStore(beneath, Cipher(KeyRingFile(tmp_path / "ring.json"), REALM))
    places = ["default/a/k", "a/a/k", "a/k", "b/k", "\0a/k"]
    for place in places:
        await encrypted.write(Write(place, "x"))
        kept = await beneath.read(place)
        assert kept is not None
        for other in places:
            await beneath.write(Write(other, kept.value))
            if other == place:
                assert await encrypted.check_encryption(other)
            else:
                with pytest.raises(DecryptionFailed):
                    await encrypted.check_encryption(other)
