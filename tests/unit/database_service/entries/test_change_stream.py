"""Watchers of a prefix: they learn what happens, go on where they were, and are told where that cannot be."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from vestibule.contracts.errors import Unavailable
from vestibule.contracts.identity import Principal
from vestibule.database_service.entries.change_stream import ChangeStream
from vestibule.database_service.entries.encrypted_store import REALM, EncryptedStore
from vestibule.database_service.entries.stores.memory import MemoryStore
from vestibule.database_service.entries.tenant_view import TenantView
from vestibule.database_service.maintenance.erase_entries import EntryErasure
from vestibule.encryption import Cipher, KeyRingFile, create_key_ring

PATIENT_S = 30


@dataclass(frozen=True)
class Event:
    """An event as a browser would see it; `kind` is empty where it only says where it stands."""

    id: str
    kind: str = ""
    data: Any = None


class Stream:
    """What a watcher gets, event by event. Source: WHATWG, HTML, section 9.2.6."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self._waiting: list[Event] = []

    async def next(self) -> Event:
        """Return the next event."""
        while not self._waiting:
            piece = await asyncio.wait_for(anext(self._pieces), PATIENT_S)
            assert piece.endswith(b"\n\n")
            self._waiting = [_parse(block) for block in piece.decode().split("\n\n")[:-1]]
        return self._waiting.pop(0)

    async def close(self) -> None:
        """Go away."""
        await self._pieces.aclose()  # type: ignore[attr-defined]


def _parse(block: str) -> Event:
    fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
    data = json.loads(fields["data"]) if "data" in fields else None
    return Event(fields["id"], fields.get("event", ""), data)


@pytest.fixture
def store(tmp_path: Path) -> EncryptedStore:
    """A store as the service uses it."""
    create_key_ring(tmp_path / "keyring.json")
    return EncryptedStore(MemoryStore(3), Cipher(KeyRingFile(tmp_path / "keyring.json"), REALM))


@pytest.fixture
def space(store: EncryptedStore) -> TenantView:
    """What the first tenant sees of it."""
    return TenantView(store, Principal("north", "t1"))


async def _open(space: TenantView, prefix: str = "", after: str | None = None, **options: Any) -> Stream:
    return Stream(await ChangeStream(**options).watch(space, prefix, after))


async def test_a_watcher_learns_what_happens(space: TenantView) -> None:
    """Writes, deletes and expiries of the prefix come in order, with key and version, and without a value."""
    stream = await _open(space, "a")
    assert "" == (await stream.next()).kind
    await space.write("a1", "secret")
    written = await stream.next()
    assert ("written", {"key": "a1", "version": 1, "kind": "written"}) == (written.kind, written.data)
    await space.write("b1", "x")
    await space.delete("a1")
    deleted = await stream.next()
    assert ("deleted", {"key": "a1", "version": 1, "kind": "deleted"}) == (deleted.kind, deleted.data)
    await stream.close()


async def test_a_watcher_goes_on_where_it_was(space: TenantView) -> None:
    """With the id of any event, or of a sign of life, what happened since is told, and nothing twice."""
    stream = await _open(space)
    seen = [await stream.next()]
    for number in range(5):
        await space.write(f"k{number}", "x")
        seen.append(await stream.next())
    await stream.close()
    for index, event in enumerate(seen[:-1]):
        again = await _open(space, after=event.id)
        told = [(await again.next()).data["key"] for _ in range(5 - index)]
        assert [f"k{number}" for number in range(index, 5)] == told
        await again.close()


async def test_a_quiet_stream_gives_signs_of_life(space: TenantView) -> None:
    """Where nothing happens the connection is kept by comments, and the stream ends in time."""
    stream = await _open(space, heartbeat_s=0.02, longest_s=1)
    events = [await stream.next()]
    with suppress(StopAsyncIteration):
        while True:
            events.append(await stream.next())
    assert len(events) > 2
    assert {("", None)} == {(event.kind, event.data) for event in events}


@pytest.mark.parametrize("position", ["", "x", "MTIz", "é", "A" * 512])
async def test_a_position_that_is_none_begins_anew(space: TenantView, position: str) -> None:
    """What nobody gave out is answered by `reset`, and then by what happens."""
    stream = await _open(space, after=position)
    assert ("reset", {}) == ((event := await stream.next()).kind, event.data)
    await space.write("a", "x")
    assert "written" == (await stream.next()).kind
    await stream.close()


async def test_a_past_that_is_gone_begins_anew(space: TenantView, store: EncryptedStore) -> None:
    """A watcher that was away for too long is told so, and so is one from whom a purge took what came next."""
    stream = await _open(space)
    before = (await stream.next()).id
    await space.write("a", "x")
    await space.delete("a")
    await space.write("b", "x")
    await store.purge("", datetime.now(UTC) + timedelta(days=1), 10)
    again = await _open(space, after=before)
    assert "reset" == (await again.next()).kind
    await again.close()
    await stream.close()


async def test_another_tenant_learns_nothing(space: TenantView, store: EncryptedStore) -> None:
    """Neither events nor positions tell a tenant what, or how much, happens in the space of another."""
    other = TenantView(store, Principal("north-east"))
    stream = await _open(other, heartbeat_s=0.05)
    first = (await stream.next()).id
    for number in range(20):
        await space.write(f"k{number}", "x")
    for _ in range(3):
        event = await stream.next()
        assert ("", len(first)) == (event.kind, len(event.id))
    await other.write("own", "x")
    while (event := await stream.next()).kind == "":
        pass
    assert {"key": "own", "version": 1, "kind": "written"} == event.data
    await stream.close()


async def test_there_is_an_end_to_watchers(space: TenantView) -> None:
    """One more than may watch is told to come later; when one goes, there is room."""
    desk = ChangeStream(max_watchers=1)
    stream = Stream(await desk.watch(space, "", None))
    await stream.next()
    with pytest.raises(Unavailable):
        await desk.watch(space, "", None)
    await stream.close()
    again = Stream(await desk.watch(space, "", None))
    await again.next()
    await again.close()


async def test_a_slow_watcher_misses_nothing(space: TenantView) -> None:
    """One that takes nothing for a while holds nobody up, and learns the last of every key."""
    stream = await _open(space)
    await stream.next()
    for number in range(3000):
        await space.write(f"k{number % 1500}", "x")
    told = [await stream.next() for _ in range(1500)]
    assert {f"k{number}": 2 for number in range(1500)} == {one.data["key"]: one.data["version"] for one in told}
    await stream.close()


async def test_a_subject_is_erased_from_the_past(space: TenantView) -> None:
    """An earlier version that holds the subject goes; the entry stays where it does not hold it any more."""
    await space.write("a", "write to jane@example.org")
    await space.write("a", "write to nobody")
    page = await EntryErasure(space).erase(["jane@example.org"], 10, None)
    assert (1, 1) == (page.examined, page.erased)
    assert ["write to nobody"] == [revision.value for revision in await space.history("a")]
