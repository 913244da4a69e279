"""Watchers of a prefix: they receive changes, resume where they were, and get a reset where that is not possible."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from vestibule.contracts.entries import Pair
from vestibule.contracts.errors import Unavailable
from vestibule.contracts.identity import Principal
from vestibule.database_service.entries import change_stream
from vestibule.database_service.entries.change_stream import ChangeStream
from vestibule.database_service.entries.encrypted_store import REALM, EncryptedStore
from vestibule.database_service.entries.memory import MemoryStore
from vestibule.database_service.entries.tenant_view import TenantView
from vestibule.encryption import Cipher, KeyRingFile, create_key_ring

LONG_TIMEOUT_S = 30


@dataclass(frozen=True)
class Event:
    """An event as a browser would see it; `kind` is empty where it only says where it stands."""

    id: str
    kind: str = ""
    data: Any = None


class Stream:
    """The events of a watcher, one by one. Source: WHATWG, HTML, section 9.2.6."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self._waiting: list[Event] = []

    async def next(self) -> Event:
        """Return the next event."""
        while not self._waiting:
            piece = await asyncio.wait_for(anext(self._pieces), LONG_TIMEOUT_S)
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


async def test_a_watcher_receives_changes(space: TenantView) -> None:
    """Writes, deletes and expiries of the prefix come in order, with key and version, and without a value."""
    stream = await _open(space, "a")
    assert "" == (await stream.next()).kind
    await space.write(Pair(key="a1", value="secret"))
    written = await stream.next()
    assert ("written", {"key": "a1", "version": 1, "kind": "written"}) == (written.kind, written.data)
    await space.write(Pair(key="b1", value="x"))
    await space.delete("a1")
    deleted = await stream.next()
    assert ("deleted", {"key": "a1", "version": 1, "kind": "deleted"}) == (deleted.kind, deleted.data)
    await stream.close()


async def test_a_watcher_resumes_where_it_was(space: TenantView) -> None:
    """With the id of any event or heartbeat, later changes follow, and none twice."""
    stream = await _open(space)
    seen = [await stream.next()]
    for number in range(5):
        await space.write(Pair(key=f"k{number}", value="x"))
        seen.append(await stream.next())
    await stream.close()
    for index, event in enumerate(seen[:-1]):
        again = await _open(space, after=event.id)
        told = [(await again.next()).data["key"] for _ in range(5 - index)]
        assert [f"k{number}" for number in range(index, 5)] == told
        await again.close()


async def test_a_quiet_stream_sends_heartbeats(space: TenantView) -> None:
    """Without changes comments keep the connection open, and the stream ends in time."""
    stream = await _open(space, heartbeat_s=0.02, longest_s=1)
    events = [await stream.next()]
    with suppress(StopAsyncIteration):
        while True:
            events.append(await stream.next())
    assert len(events) > 2
    assert {("", None)} == {(event.kind, event.data) for event in events}


@pytest.mark.parametrize("position", ["", "x", "MTIz", "é", "A" * 512])
async def test_an_invalid_position_is_a_reset(space: TenantView, position: str) -> None:
    """An unknown position gets `reset`, and then changes."""
    stream = await _open(space, after=position)
    assert ("reset", {}) == ((event := await stream.next()).kind, event.data)
    await space.write(Pair(key="a", value="x"))
    assert "written" == (await stream.next()).kind
    await stream.close()


async def test_a_purged_position_is_a_reset(space: TenantView, store: EncryptedStore) -> None:
    """A watcher that was disconnected for too long gets a reset, and so does one whose next change was purged."""
    stream = await _open(space)
    before = (await stream.next()).id
    await space.write(Pair(key="a", value="x"))
    await space.delete("a")
    await space.write(Pair(key="b", value="x"))
    await store.purge("", datetime.now(UTC) + timedelta(days=1), 10)
    again = await _open(space, after=before)
    assert "reset" == (await again.next()).kind
    await again.close()
    await stream.close()


async def test_another_tenant_receives_nothing(space: TenantView, store: EncryptedStore) -> None:
    """Neither events nor positions tell a tenant what, or how much, happens in another."""
    other = TenantView(store, Principal("north-east"))
    stream = await _open(other, heartbeat_s=0.05)
    first = (await stream.next()).id
    for number in range(20):
        await space.write(Pair(key=f"k{number}", value="x"))
    for _ in range(3):
        event = await stream.next()
        assert ("", len(first)) == (event.kind, len(event.id))
    await other.write(Pair(key="own", value="x"))
    while (event := await stream.next()).kind == "":
        pass
    assert {"key": "own", "version": 1, "kind": "written"} == event.data
    await stream.close()


async def test_the_number_of_watchers_is_limited(space: TenantView) -> None:
    """One watcher too many gets a 503 with a retry; when one leaves, there is room."""
    desk = ChangeStream(max_watchers=1)
    stream = Stream(await desk.watch(space, "", None))
    await stream.next()
    with pytest.raises(Unavailable):
        await desk.watch(space, "", None)
    await stream.close()
    again = Stream(await desk.watch(space, "", None))
    await again.next()
    await again.close()


async def test_a_token_does_not_take_the_place_of_others(
    space: TenantView, store: EncryptedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token has its share of the watchers; another token of its tenant and one of another tenant still watch."""
    monkeypatch.setattr(change_stream, "MAX_PER_TOKEN", 2)
    desk = ChangeStream()
    greedy = [Stream(await desk.watch(space, "", None)) for _ in range(2)]
    for stream in greedy:
        await stream.next()
    with pytest.raises(Unavailable):
        await desk.watch(space, "", None)
    for principal in (Principal("north", "t2"), Principal("south", "t1")):
        stream = Stream(await desk.watch(TenantView(store, principal), "", None))
        await stream.next()
        greedy.append(stream)
    for stream in greedy:
        await stream.close()
    again = Stream(await desk.watch(space, "", None))
    await again.next()
    await again.close()


async def test_watchers_cost_nothing_where_others_change(
    space: TenantView, store: EncryptedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writes of another tenant and under another prefix make no watcher read; the positions move on all the same."""
    reads: list[str] = []
    read = EncryptedStore.changes

    async def counted(self: EncryptedStore, prefix: str, after: str | None, limit: int) -> Any:
        reads.append(prefix)
        return await read(self, prefix, after, limit)

    monkeypatch.setattr(EncryptedStore, "changes", counted)
    desk, other = ChangeStream(heartbeat_s=0.5), TenantView(store, Principal("south"))
    streams = [Stream(await desk.watch(space, "a", None)) for _ in range(5)]
    for stream in streams:
        await stream.next()
        await stream.next()
    reads.clear()
    heartbeats = [asyncio.create_task(stream.next()) for stream in streams]
    for number in range(200):
        await other.write(Pair(key=f"a{number}", value="x"))
        await space.write(Pair(key=f"b{number}", value="x"))
    positions = [(await one).id for one in heartbeats]
    # Each reads once before it waits, and once more if the tail began before it.
    assert reads.count("north/a") <= 3 * len(streams)
    told = [asyncio.create_task(stream.next()) for stream in streams]
    await space.write(Pair(key="a", value="x"))
    for stream, task in zip(streams, told, strict=True):
        event = await task
        while event.kind == "":
            event = await stream.next()
        assert {"key": "a", "version": 1, "kind": "written"} == event.data
        await stream.close()
    again = Stream(await desk.watch(space, "a", positions[0]))
    assert "a" == (await again.next()).data["key"]
    await again.close()


async def test_a_slow_watcher_misses_nothing(space: TenantView) -> None:
    """One that reads nothing for a while blocks no other, and receives the last change of every key."""
    stream = await _open(space)
    await stream.next()
    for number in range(3000):
        await space.write(Pair(key=f"k{number % 1500}", value="x"))
    told = [await stream.next() for _ in range(1500)]
    assert {f"k{number}": 2 for number in range(1500)} == {one.data["key"]: one.data["version"] for one in told}
    await stream.close()
