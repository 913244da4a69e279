"""Every store is verified at the start: it is the one of before, and the key ring is its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from servers.stores import with_server
from vestibule.contracts.errors import Unavailable
from vestibule.database_service.entries.encrypted_store import REALM, EncryptedStore
from vestibule.database_service.entries.ledger_claim import LedgerClaim
from vestibule.database_service.entries.store import Store, Write
from vestibule.database_service.entries.store_identity import IDENTITY_KEY, StoreVerification
from vestibule.database_service.main import store_kinds
from vestibule.database_service.settings import DatabaseSettings
from vestibule.encryption import Cipher, KeyRingFile, Purpose, add_key, create_key_ring, retire_key
from vestibule.runtime.starts import DatabaseMark, StartRefused

KINDS = [name for name in store_kinds() if name != "memory"]

Open = Callable[[str], AbstractAsyncContextManager[EncryptedStore]]


class World:
    """A place for stores of one kind, and one key ring."""

    def __init__(self, scheme: str, request: pytest.FixtureRequest, folder: Path) -> None:
        self._kind = with_server(store_kinds()[scheme], request)
        self._folder = folder
        self.ring = folder / "keyring.json"
        self.mark = DatabaseMark(folder / "mark")
        create_key_ring(self.ring)

    @asynccontextmanager
    async def opened(self, name: str = "first") -> AsyncIterator[Store]:
        """Open the store of that name."""
        settings = DatabaseSettings(data_dir=self._folder / name, database_url=f"{self._kind.scheme}:")
        async with self._kind.build(settings) as store:
            yield store

    async def start(self, store: Store, ring: Path | None = None, claim: LedgerClaim | None = None) -> EncryptedStore:
        """Verify the store as a start does."""
        keys = KeyRingFile(ring or self.ring)
        encrypted = EncryptedStore(store, Cipher(keys, REALM))
        verification = StoreVerification(encrypted, keys, self.mark, claim)
        assert (False, True, True) == (
            verification.is_verified,
            await verification.verify(),
            verification.is_verified,
        )
        return encrypted


@pytest.fixture(params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    """A new one for each kind of store."""
    return World(request.param, request, tmp_path)


async def test_a_store_is_itself_at_the_next_start(world: World) -> None:
    """Also after a rotation, and without its mark, as in a container without a volume."""
    async with world.opened() as store:
        await (await world.start(store)).write(Write("a", "x"))
        add_key(world.ring, Purpose.DATA)
        await world.start(store)
        world.mark.remove()
        await world.start(store)
        assert world.mark.read() is not None


async def test_a_ledger_from_before_it_had_an_identity_takes_its_store(world: World, tmp_path: Path) -> None:
    """Both the identity of the store and the mark of the ledger are of an older version; then others are refused."""
    claim = LedgerClaim(tmp_path / "tasks.db")
    (tmp_path / ".tasks.db.created").write_text("tasks\n")
    async with world.opened() as store:
        await world.start(store)
        await world.start(store, claim=claim)
        await world.start(store, claim=claim)
        with pytest.raises(StartRefused, match="another database service"):
            await world.start(store, claim=LedgerClaim(tmp_path / "another.db"))


async def test_another_ring_is_refused(world: World, tmp_path: Path) -> None:
    """Nothing is written with it."""
    async with world.opened() as store:
        await world.start(store)
        before = await store.read(IDENTITY_KEY)
        create_key_ring(tmp_path / "another.json")
        with pytest.raises(StartRefused, match=r"does not decrypt what is stored.*restore the key ring"):
            await world.start(store, tmp_path / "another.json")
        assert before == await store.read(IDENTITY_KEY)


async def test_a_ring_from_before_a_rotation_is_refused(world: World, tmp_path: Path) -> None:
    """It opens the identity, but not what was written since; tokens and fingerprints have keys too."""
    old = tmp_path / "old.json"
    for purpose in Purpose:
        old.write_bytes(world.ring.read_bytes())
        key = add_key(world.ring, purpose)
        async with world.opened() as store:
            await world.start(store)
            with pytest.raises(StartRefused, match=f"lacks the key {key.id}|no data key {key.id}"):
                await world.start(store, old)


async def test_an_empty_store_is_refused_where_one_had_data(world: World) -> None:
    """It is taken when the mark is gone, which is what `vestibule db adopt` does."""
    async with world.opened() as store:
        await world.start(store)
    async with world.opened("empty") as store:
        with pytest.raises(StartRefused, match=r"the database is empty.*vestibule db adopt"):
            await world.start(store)
        world.mark.remove()
        await world.start(store)
    async with world.opened() as store:
        with pytest.raises(StartRefused, match="another one than before"):
            await world.start(store)


async def test_imported_entries_are_checked_before_the_first_start(world: World, tmp_path: Path) -> None:
    """They are encrypted with the ring that they were exported with."""
    create_key_ring(tmp_path / "another.json")
    async with world.opened() as store:
        foreign = EncryptedStore(store, Cipher(KeyRingFile(tmp_path / "another.json"), REALM))
        await foreign.write(Write("a", "x"))
        with pytest.raises(StartRefused, match="does not decrypt"):
            await world.start(store)
        assert await store.read(IDENTITY_KEY) is None


async def test_a_key_that_was_retired_by_force_leaves_a_store_that_starts(world: World) -> None:
    """What it encrypted is lost on purpose, and the store stays the same."""
    async with world.opened() as store:
        await world.start(store)
        known = world.mark.read()
        first = KeyRingFile(world.ring).current().active(Purpose.DATA)
        add_key(world.ring, Purpose.DATA)
        retire_key(world.ring, first.id)
        await world.start(store)
        assert known == world.mark.read()


async def test_a_store_that_does_not_answer_is_verified_later(world: World) -> None:
    """Until then the service is not ready."""

    class Away(EncryptedStore):
        async def check_encryption(self, key: str) -> list[str]:
            raise Unavailable("database", "The store is unavailable: nothing answers at its address.")

    keys = KeyRingFile(world.ring)
    async with world.opened() as store:
        verification = StoreVerification(Away(store, Cipher(keys, REALM)), keys, world.mark)
        assert (False, False) == (await verification.verify(), verification.is_verified)
