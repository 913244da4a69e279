"""The history and the change log of every store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servers.stores import EXAMPLES, SLOW_EXAMPLES, encrypted, with_server
from vestibule.contracts.entries import ChangeKind, Condition, Revision
from vestibule.contracts.errors import PreconditionFailed
from vestibule.database_service.entries.store import KeyChange, PositionLost, Store, StoreKind, Write
from vestibule.database_service.main import store_kinds
from vestibule.database_service.settings import DatabaseSettings

KEPT = 3
# Stores without a history, which inherit `NoHistoryMixin`.
WITHOUT_HISTORY = {"dynamodb"}
KINDS = {name: kind for name, kind in store_kinds().items() if name not in WITHOUT_HISTORY}


ENCRYPTED = [f"encrypted_{name}" for name in KINDS]
QUICK = ["memory", "sqlite"]
every_kind = pytest.mark.parametrize("kind", [*KINDS, *ENCRYPTED], indirect=True)


@pytest.fixture(scope="session")
def kind(request: pytest.FixtureRequest) -> StoreKind:
    """The kind of store that a test is about, on a server where it needs one."""
    reachable = with_server(KINDS[request.param.removeprefix("encrypted_")], request)
    return encrypted(reachable) if request.param.startswith("encrypted_") else reachable


PAST = datetime(2001, 1, 1, tzinfo=UTC)
FUTURE = datetime(2101, 1, 1, tzinfo=UTC)

keys = st.sampled_from(["a", "ab", "b", "é", "b/\U0001f511"])
authors = st.sampled_from([None, "t1", "t2"])
lifetimes = st.sampled_from([None, None, FUTURE, PAST])
writes = st.builds(Write, keys, st.text("xyz", max_size=3), lifetimes, author=authors)
steps = st.lists(
    st.tuples(st.sampled_from(["write", "write", "delete", "forget", "replace"]), writes)
    | st.tuples(st.just("batch"), st.lists(writes, min_size=1, max_size=4, unique_by=lambda write: write.key))
    | st.tuples(st.just("sweep"), writes),
    max_size=30,
)


@asynccontextmanager
async def _open(kind: StoreKind, folder: Path, keep_versions: int = KEPT) -> AsyncIterator[Store]:
    chosen = DatabaseSettings(data_dir=folder, database_url=f"{kind.scheme}:", keep_versions=keep_versions)
    async with kind.build(chosen) as store:
        yield store


@dataclass
class _Model:
    """The expected histories, without the times."""

    revisions: dict[str, list[Revision]] = field(default_factory=dict)

    def write(self, write: Write) -> None:
        """Take a write."""
        before = self.shown(write.key)
        version = before[0].version + 1 if before else 1
        kept = before if before and before[0].kind is ChangeKind.WRITTEN else []
        now = _revision(version, ChangeKind.WRITTEN, write.author, write.value, write.expires_at)
        self.revisions[write.key] = [now, *[one for one in kept if one.version > version - KEPT]]

    def delete(self, write: Write) -> None:
        """Take a delete."""
        before = self.shown(write.key)
        if before and before[0].kind is ChangeKind.WRITTEN:
            self.revisions[write.key] = [_revision(before[0].version, ChangeKind.DELETED, write.author)]

    def forget(self, key: str, version: int) -> None:
        """Take away an earlier version."""
        now, *before = self.shown(key) or [None]
        if now is not None:
            self.revisions[key] = [now, *[one for one in before if one and one.version != version]]

    def replace(self, key: str, version: int, value: str) -> None:
        """Take another form of a value."""
        for one in self.shown(key):
            if one.version == version and one.value is not None:
                one.value = value

    def shown(self, key: str) -> list[Revision]:
        """Return the history of a key."""
        now, *before = self.revisions.get(key) or [None]
        if now is None:
            return []
        if now.expires_at == PAST and now.value is not None:
            return [_revision(now.version, ChangeKind.EXPIRED)]
        return [now, *[one for one in before if one]]


def _revision(
    version: int,
    kind: ChangeKind,
    by: str | None = None,
    value: str | None = None,
    expires_at: datetime | None = None,
) -> Revision:
    return Revision(version=version, kind=kind, at=PAST, by=by, value=value, expires_at=expires_at)


async def _history(store: Store, key: str) -> list[Revision]:
    """Return the history of a key without its times, which vary."""
    revisions = await store.history(key)
    assert all(PAST <= one.at <= datetime.now(UTC) + timedelta(seconds=1) for one in revisions)
    return [one.model_copy(update={"at": PAST}) for one in revisions]


async def _apply(store: Store, model: _Model, action: str, what: Write | list[Write]) -> None:
    if isinstance(what, list):
        await store.write_many(what)
        for write in what:
            model.write(write)
        return
    # A version that may be there, by the length of the value.
    version = len(what.value) + 1
    match action:
        case "write":
            await store.write(what)
            model.write(what)
        case "delete":
            await store.delete(what.key, author=what.author)
            model.delete(what)
        case "sweep":
            await store.sweep(1000)
        case "forget":
            await store.forget(what.key, version)
            model.forget(what.key, version)
        case "replace":
            await store.replace(what.key, "replaced", version)
            model.replace(what.key, version, "replaced")


async def _follow(store: Store, position: str, prefix: str = "", limit: int = 100) -> tuple[list[KeyChange], str]:
    """Return all changes after a position, and the last position."""
    found: list[KeyChange] = []
    while True:
        page = await store.changes(prefix, position, limit)
        found += page.changes
        if page.position == position:
            return found, position
        position = page.position


async def _now(store: Store) -> str:
    return (await store.changes("", None, 1)).position


some_calls = given(some=steps, prefix=st.sampled_from(["", "a", "b"]), limit=st.integers(1, 5))


@pytest.mark.parametrize("kind", QUICK, indirect=True)
@settings(deadline=None, max_examples=EXAMPLES)
@some_calls
async def test_histories_match_the_model(
    kind: StoreKind, some: list[tuple[str, Write]], prefix: str, limit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """After any steps each history is the model's; changes from any position lead to the final entries."""
    await _check_against_model(kind, tmp_path_factory.mktemp("store"), some, prefix, limit)


@pytest.mark.parametrize("kind", [name for name in [*KINDS, *ENCRYPTED] if name not in QUICK], indirect=True)
@settings(deadline=None, max_examples=SLOW_EXAMPLES)
@some_calls
async def test_histories_of_slow_stores_match_the_model(
    kind: StoreKind, some: list[tuple[str, Write]], prefix: str, limit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The same, with a few examples, or as many as the environment says."""
    await _check_against_model(kind, tmp_path_factory.mktemp("store"), some, prefix, limit)


async def _check_against_model(
    kind: StoreKind, folder: Path, some: list[tuple[str, Write]], prefix: str, limit: int
) -> None:
    model = _Model()
    async with _open(kind, folder) as store:
        states = [(await _now(store), {})]
        for step in some:
            await _apply(store, model, *step)
            states.append((await _now(store), {key: model.shown(key)[0].version for key in model.revisions}))
        await store.sweep(1000)
        for key in model.revisions:
            assert model.shown(key) == await _history(store, key)
        for position, known in states:
            told, end = await _follow(store, position, prefix, limit)
            assert [] == (await _follow(store, end, prefix, limit))[0]
            learnt = {key: version for key, version in known.items() if key.startswith(prefix)}
            learnt |= {change.key: change.version for change in told}
            expected = {key: model.shown(key)[0] for key in model.revisions if key.startswith(prefix)}
            assert {key: now.version for key, now in expected.items()} == learnt
            assert all(expected[change.key].kind is change.kind for change in told)


@every_kind
async def test_changes_resume_from_every_position(kind: StoreKind, tmp_path: Path) -> None:
    """The position of each change leads to the next one, also when writes come together."""
    async with _open(kind, tmp_path) as store:
        start = await _now(store)
        await asyncio.gather(*(store.write(Write(f"k{number:02}", "x")) for number in range(40)))
        told, _ = await _follow(store, start)
        assert 40 == len({change.position for change in told})
        for index, change in enumerate(told):
            following, _ = await _follow(store, change.position, limit=7)
            assert [one.key for one in told[index + 1 :]] == [one.key for one in following]


@every_kind
@pytest.mark.parametrize("keep_versions", [0, 1])
async def test_history_can_be_off(kind: StoreKind, tmp_path: Path, keep_versions: int) -> None:
    """Without earlier versions the history has the current one, with its author."""
    async with _open(kind, tmp_path, keep_versions) as store:
        await store.write(Write("a", "x", author="t1"))
        await store.write(Write("a", "y", author="t2"))
        assert [_revision(2, ChangeKind.WRITTEN, "t2", "y")] == await _history(store, "a")
        assert not await store.replace("a", "z", 1)


@every_kind
async def test_reserved_keys_have_no_history(kind: StoreKind, tmp_path: Path) -> None:
    """A reserved key has its current version only, however often it is written."""
    async with _open(kind, tmp_path) as store:
        for value in ("x", "y"):
            await store.write(Write("~scheduler/a", value))
        assert [_revision(2, ChangeKind.WRITTEN, None, "y")] == await _history(store, "~scheduler/a")


@every_kind
async def test_a_refused_change_leaves_no_trace(kind: StoreKind, tmp_path: Path) -> None:
    """A change whose condition fails and the deletion of a missing entry leave no history and no change."""
    async with _open(kind, tmp_path) as store:
        await store.write(Write("a", "x"))
        position = await _now(store)
        for refused in (
            store.write(Write("a", "y", condition=Condition.of_version(0))),
            store.delete("b", condition=Condition.of_version(1)),
        ):
            with pytest.raises(PreconditionFailed):
                await refused
        assert not await store.delete("b")
        assert [] == (await _follow(store, position))[0]
        assert [1] == [revision.version for revision in await store.history("a")]


@every_kind
async def test_a_purge_removes_tombstones(kind: StoreKind, tmp_path: Path) -> None:
    """Tombstones with the prefix go in small batches; versions begin at 1 again, and entries stay."""
    later = datetime.now(UTC) + timedelta(minutes=1)
    async with _open(kind, tmp_path) as store:
        for number in range(25):
            await store.write(Write(f"~a{number}", "x"))
            await store.delete(f"~a{number}")
        await store.write(Write("b", "x"))
        await store.delete("b")
        await store.write(Write("~there", "x"))
        assert 0 == await store.purge("~", datetime.now(UTC) - timedelta(minutes=1), 100)
        assert [10, 10, 5, 0] == [await store.purge("~", later, 10) for _ in range(4)]
        assert [] == await store.history("~a1")
        assert [1, 2, 2] == [await store.write(Write(key, "y")) for key in ("~a1", "~there", "b")]


@every_kind
async def test_a_position_before_a_purge_is_lost(kind: StoreKind, tmp_path: Path) -> None:
    """A watcher of the purged prefix loses its position; others keep theirs."""
    later = datetime.now(UTC) + timedelta(minutes=1)
    async with _open(kind, tmp_path) as store:
        await store.write(Write("~a", "x"))
        before = await _now(store)
        await store.delete("~a")
        await store.write(Write("b", "x"))
        await store.purge("~", later, 100)
        for prefix in ("~", "", "~a"):
            with pytest.raises(PositionLost):
                await store.changes(prefix, before, 10)
        assert ["b"] == [change.key for change in (await _follow(store, before, "b"))[0]]
        assert [] == (await _follow(store, await _now(store)))[0]


@every_kind
@pytest.mark.parametrize("position", ["", "0", "-1", "x", "999999", "٣", "1" * 400, "00000000-0", "a-b-c"])
async def test_an_invalid_position_is_lost(kind: StoreKind, tmp_path: Path, position: str) -> None:
    """A position of another store, or none at all, is answered as one that is too old."""
    async with _open(kind, tmp_path) as store:
        if position == "0" and (await _now(store)) == "0":
            pytest.skip("it is one of this store")
        with pytest.raises(PositionLost):
            await store.changes("", position, 10)


@every_kind
async def test_waiting_ends_with_a_change(kind: StoreKind, tmp_path: Path) -> None:
    """A write, a delete and a sweep end the wait; after a change that was not read yet there is no wait."""
    async with _open(kind, tmp_path) as store:
        for change in (
            store.write(Write("a", "x")),
            store.delete("a"),
            store.write_many([Write("b", "x", PAST)]),
            store.sweep(10),
        ):
            position = await _now(store)
            waiting = asyncio.create_task(store.wait(position, 60))
            await asyncio.sleep(0)
            assert not waiting.done()
            await change
            await asyncio.wait_for(waiting, 10)
            await asyncio.wait_for(store.wait(position, 60), 10)
        await store.wait(await _now(store), 0.01)


@every_kind
async def test_earlier_versions_are_replaced_and_removed(kind: StoreKind, tmp_path: Path) -> None:
    """The value of each version can be replaced, and each earlier version can be removed; the current one cannot."""
    async with _open(kind, tmp_path) as store:
        for value in ("one", "two", "three"):
            await store.write(Write("a", value))
        position = await _now(store)
        assert [True, True, False] == [await store.replace("a", "form", version) for version in (1, 3, 4)]
        assert [False, True, False] == [await store.forget("a", version) for version in (3, 2, 2)]
        assert [(3, "form"), (1, "form")] == [(one.version, one.value) for one in await store.history("a")]
        assert [] == (await _follow(store, position))[0]
        await store.delete("a")
        assert not await store.replace("a", "x", 1)
