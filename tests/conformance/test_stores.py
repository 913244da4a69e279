"""The contract of every store, checked against a model: `store.Store`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servers.stores import EXAMPLES, SLOW_EXAMPLES, bounds_of, encrypted, with_server
from vestibule.contracts.entries import ALWAYS, Condition, Entry, KeyPage
from vestibule.contracts.errors import PreconditionFailed, TooLarge
from vestibule.database_service.entries.store import MAX_READ_CHARS, OperationNote, Store, StoreKind, Write
from vestibule.database_service.main import store_kinds
from vestibule.database_service.maintenance.jobs import Sweeper
from vestibule.database_service.settings import DatabaseSettings

KINDS = store_kinds()


# What sealing adds is the same over each; the DynamoDB of the tests is slow.
ENCRYPTED = [f"encrypted_{name}" for name in KINDS if name != "dynamodb"]
every_kind = pytest.mark.parametrize("kind", [*KINDS, *ENCRYPTED], indirect=True)
PAST = datetime(2001, 1, 1, tzinfo=UTC)
FUTURE = datetime(2101, 1, 1, tzinfo=UTC)
ABSENT = Condition.of_version(0)
PRESENT = Condition.parse("*", None)


@pytest.fixture(scope="session")
def kind(request: pytest.FixtureRequest) -> StoreKind:
    """The kind of store that a test is about, on a server where it needs one."""
    reachable = with_server(KINDS[request.param.removeprefix("encrypted_")], request)
    return encrypted(reachable) if request.param.startswith("encrypted_") else reachable


# Few letters, so that keys meet and begin alike; with wildcards, and characters outside the first plane.
keys = st.text("aAbé_%*'\"\\ z\uffee\U0001f511", min_size=1, max_size=4)
values = st.text(st.characters(codec="utf-8"), max_size=8)
versions = st.integers(1, 4)
conditions = st.sampled_from([ALWAYS, ABSENT, PRESENT]) | st.builds(
    lambda some, is_match: Condition(**{"match" if is_match else "none_match": frozenset(f'"{one}"' for one in some)}),
    st.sets(versions, max_size=3),
    st.booleans(),
)
writes = st.builds(Write, keys, values, st.sampled_from([None, None, FUTURE, PAST]), conditions)
Step = tuple[str, Write] | tuple[str, list[Write]]
steps = st.lists(
    st.tuples(st.sampled_from(["write", "write", "delete", "read"]), writes)
    | st.tuples(st.just("batch"), st.lists(writes, min_size=1, max_size=4, unique_by=lambda write: write.key))
    | st.tuples(st.just("sweep"), writes),
    max_size=30,
)


@asynccontextmanager
async def _open(kind: StoreKind, folder: Path) -> AsyncIterator[Store]:
    async with kind.build(DatabaseSettings(data_dir=folder, database_url=f"{kind.scheme}:", keep_versions=0)) as store:
        yield store


async def _all_keys(store: Store, prefix: str, limit: int) -> list[str]:
    """Return what the pages give together; each but the last is full."""
    found: list[str] = []
    after = None
    while True:
        page = await store.keys(prefix, limit, after)
        found += page.keys
        if page.cursor is None:
            return found
        assert (limit, page.keys[-1]) == (len(page.keys), page.cursor)
        assert after is None or page.cursor > after
        after = page.cursor


class _Model:
    """What a store is, in a few lines."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[str, datetime | None]] = {}
        self.versions: dict[str, int] = {}
        self.expired: set[str] = set()

    def apply(self, action: str, what: Write | list[Write]) -> object:
        """Do one step and return what a store has to answer."""
        if isinstance(what, list):
            for index, write in enumerate(what):
                if not self._allows(write):
                    return ("refused", self._version(write.key), index)
            return [self._write(write) for write in what]
        if action == "sweep":
            count, self.expired = len(self.expired), set()
            return count
        if action == "read":
            return self.read(what.key)
        if not self._allows(what):
            return ("refused", self._version(what.key), None)
        return self._write(what) if action == "write" else self.values.pop(what.key, None) is not None

    def read(self, key: str) -> Entry | None:
        """Return the entry under `key`."""
        if key not in self.values:
            return None
        value, expires_at = self.values[key]
        return Entry(key=key, value=value, version=self.versions[key], expires_at=expires_at)

    def _allows(self, write: Write) -> bool:
        return write.condition.allows(self._version(write.key))

    def _version(self, key: str) -> int | None:
        return self.versions[key] if key in self.values else None

    def _write(self, write: Write) -> int:
        self.values.pop(write.key, None)
        self.expired.discard(write.key)
        if write.expires_at == PAST:
            self.expired.add(write.key)
        else:
            self.values[write.key] = (write.value, write.expires_at)
        self.versions[write.key] = self.versions.get(write.key, 0) + 1
        return self.versions[write.key]


async def _apply(store: Store, action: str, what: Write | list[Write]) -> object:
    try:
        if isinstance(what, list):
            return await store.write_many(what)
        match action:
            case "sweep":
                return await store.sweep(1000)
            case "read":
                return await store.read(what.key)
            case "delete":
                return await store.delete(what.key, condition=what.condition)
        return await store.write(what)
    except PreconditionFailed as refusal:
        return ("refused", refusal.extra["current_version"], refusal.extra.get("index"))


async def _check_against_model(kind: StoreKind, folder: Path, some: list[Step], prefix: str, limit: int) -> None:
    model = _Model()
    async with _open(kind, folder) as store:
        for step in some:
            assert model.apply(*step) == await _apply(store, *step)
        for key in model.versions:
            assert model.read(key) == await store.read(key)
        asked = [*model.versions, "nobody's", *model.versions]
        assert [model.read(key) for key in asked] == await store.read_many(asked)
        for start in ("", prefix):
            expected = sorted(key for key in model.values if key.startswith(start))
            assert expected == await _all_keys(store, start, limit)


some_calls = given(some=steps, prefix=st.text("aAbé_%*\0\U0001f511", max_size=2), limit=st.integers(1, 5))


@pytest.mark.parametrize("kind", [name for name in KINDS if name != "dynamodb"], indirect=True)
@settings(deadline=None, max_examples=EXAMPLES)
@some_calls
async def test_a_store_does_what_the_model_does(
    kind: StoreKind, some: list[Step], prefix: str, limit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """After any steps, every answer, every entry and every page of keys is what a plain dictionary would give."""
    await _check_against_model(kind, tmp_path_factory.mktemp("store"), some, prefix, limit)


@pytest.mark.parametrize("kind", ["dynamodb", *ENCRYPTED], indirect=True)
@settings(deadline=None, max_examples=SLOW_EXAMPLES)
@some_calls
async def test_a_slow_store_does_what_the_model_does(
    kind: StoreKind, some: list[Step], prefix: str, limit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The same, with a few examples, or as many as the environment says."""
    await _check_against_model(kind, tmp_path_factory.mktemp("store"), some, prefix, limit)


@every_kind
async def test_nothing_is_found_in_an_empty_store(kind: StoreKind, tmp_path: Path) -> None:
    """Reading and deleting what is not there are no errors."""
    async with _open(kind, tmp_path) as store:
        assert (None, False) == (await store.read("a"), await store.delete("a"))
        assert KeyPage(keys=[], cursor=None) == await store.keys("", 10, None)


@every_kind
async def test_versions_go_on_after_a_delete(kind: StoreKind, tmp_path: Path) -> None:
    """No version of a key is given twice, so an `ETag` never stands for two values."""
    async with _open(kind, tmp_path) as store:
        assert [1, 2] == [await store.write(Write("a", "x")), await store.write(Write("a", "x"))]
        assert [True, False] == [await store.delete("a"), await store.delete("a")]
        assert await store.read("a") is None
        assert 3 == await store.write(Write("a", "y"))
        assert Entry(key="a", value="y", version=3) == await store.read("a")


@every_kind
async def test_writes_at_once_have_versions_of_their_own(kind: StoreKind, tmp_path: Path) -> None:
    """However many callers write one key at the same time, each gets the next version and none is lost."""
    callers = bounds_of(kind).callers
    async with _open(kind, tmp_path) as store:
        given_versions = await asyncio.gather(*(store.write(Write("a", str(number))) for number in range(callers)))
        last = await store.read("a")
    assert list(range(1, callers + 1)) == sorted(given_versions)
    assert last is not None
    assert callers == last.version
    assert given_versions.index(callers) == int(last.value)


@every_kind
async def test_writes_deletes_and_reads_at_once_agree(kind: StoreKind, tmp_path: Path) -> None:
    """Of ten keys that are written and deleted at the same time, those that answer are those that are listed."""
    async with _open(kind, tmp_path) as store:
        changes = [store.write(Write(f"k{number % 10}", "v")) for number in range(bounds_of(kind).callers)]
        deletes = [store.delete(f"k{number % 10}") for number in range(50)]
        await asyncio.gather(*changes, *deletes)
        present = [key for key in sorted(f"k{n}" for n in range(10)) if await store.read(key) is not None]
        assert present == await _all_keys(store, "", 3)


@every_kind
async def test_what_was_written_is_read_at_once(kind: StoreKind, tmp_path: Path) -> None:
    """A caller who was answered reads its own write, also while others write."""

    async def write_and_read(store: Store, number: int) -> bool:
        await store.write(Write(f"k{number}", str(number)))
        entry = await store.read(f"k{number}")
        return entry is not None and entry.value == str(number)

    async with _open(kind, tmp_path) as store:
        assert all(await asyncio.gather(*(write_and_read(store, number) for number in range(bounds_of(kind).callers))))


@every_kind
async def test_any_text_comes_back_as_it_was(kind: StoreKind, tmp_path: Path) -> None:
    """Not a character of a value is changed."""
    longest = "x" * bounds_of(kind).value_bytes
    async with _open(kind, tmp_path) as store:
        for value in ("", "\0", "a\0b", "\n\r\t", longest, "🔑" * 1000, "'; DROP TABLE entries; --", "e\u0301"):
            version = await store.write(Write("a", value))
            assert Entry(key="a", value=value, version=version) == await store.read("a")


@every_kind
async def test_keys_that_look_alike_are_different(kind: StoreKind, tmp_path: Path) -> None:
    """Case, composition and spaces all count."""
    alike = ["a", "A", "a ", " a", "é", "e\u0301", "ａ"]
    async with _open(kind, tmp_path) as store:
        for key in alike:
            await store.write(Write(key, key))
        assert alike == [entry.value for key in alike if (entry := await store.read(key))]
        assert sorted(alike) == await _all_keys(store, "", 2)


@every_kind
async def test_a_caller_that_goes_away_disturbs_nobody(kind: StoreKind, tmp_path: Path) -> None:
    """A write whose caller was cancelled may stand or not; the writes beside it are answered."""
    async with _open(kind, tmp_path) as store:
        tasks = [asyncio.create_task(store.write(Write(f"k{number}", "v"))) for number in range(50)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert [1] * 25 == [task.result() for task in tasks[1::2]]
        assert 2 == await store.write(Write("k1", "w"))


@every_kind
def test_a_store_describes_itself(kind: StoreKind) -> None:
    """Its scheme can stand in a URL, and people read its sentence."""
    assert kind.scheme.isalpha()
    assert kind.scheme.islower()
    assert kind.description.endswith(".")


@every_kind
async def test_replacing_gives_no_version(kind: StoreKind, tmp_path: Path) -> None:
    """Another form of a value takes its place only while it is that version, and never where it was deleted."""
    async with _open(kind, tmp_path) as store:
        assert not await store.replace("a", "x", 1)
        await store.write(Write("a", "one"))
        await store.write(Write("a", "two"))
        assert [False, True, False] == [await store.replace("a", "form", version) for version in (1, 2, 3)]
        assert Entry(key="a", value="form", version=2) == await store.read("a")
        await store.delete("a")
        assert not await store.replace("a", "x", 2)
        assert await store.read("a") is None


@every_kind
async def test_of_two_writers_one_wins(kind: StoreKind, tmp_path: Path) -> None:
    """Of many that expect the same version at once, one writes; the others are told what it is by now."""
    callers = min(50, bounds_of(kind).callers)
    async with _open(kind, tmp_path) as store:
        for condition, version in ((ABSENT, 1), (Condition.of_version(1), 2), (Condition.of_version(2), 3)):
            attempts = [store.write(Write("a", str(number), condition=condition)) for number in range(callers)]
            outcomes = await asyncio.gather(*attempts, return_exceptions=True)
            refusals = [outcome for outcome in outcomes if isinstance(outcome, PreconditionFailed)]
            assert [version] == [outcome for outcome in outcomes if isinstance(outcome, int)]
            assert [version] * (callers - 1) == [refusal.extra["current_version"] for refusal in refusals]
            entry = await store.read("a")
            assert entry is not None
            assert (outcomes.index(version), version) == (int(entry.value), entry.version)


@every_kind
async def test_a_writer_and_a_deleter_do_not_both_win(kind: StoreKind, tmp_path: Path) -> None:
    """Where one writes and one deletes the same version, one of them is refused."""
    async with _open(kind, tmp_path) as store:
        for number in range(20):
            condition = Condition.of_version(await store.write(Write("a", "x")))
            changes = [store.write(Write("a", "y", condition=condition)), store.delete("a", condition=condition)]
            outcomes = await asyncio.gather(*(changes if number % 2 else changes[::-1]), return_exceptions=True)
            assert 1 == sum(isinstance(outcome, PreconditionFailed) for outcome in outcomes)


@every_kind
async def test_a_refusal_disturbs_no_other_write(kind: StoreKind, tmp_path: Path) -> None:
    """What waits for the same commit as a refused write or batch is kept, and nothing of the refused."""
    async with _open(kind, tmp_path) as store:
        refused = [Write("b0", "x"), Write("b1", "x", condition=PRESENT)]
        changes = [
            store.write(Write(f"k{number}", "v", condition=PRESENT if number % 3 else ALWAYS)) for number in range(60)
        ]
        outcomes = await asyncio.gather(*changes, store.write_many(refused), return_exceptions=True)
        assert 41 == sum(isinstance(outcome, PreconditionFailed) for outcome in outcomes)
        assert sorted(f"k{number}" for number in range(0, 60, 3)) == await _all_keys(store, "", 7)


def _note(key: str = "~note") -> OperationNote:
    return OperationNote(key, lambda versions: f"versions {list(versions)}", FUTURE)


@every_kind
async def test_a_note_tells_the_versions_that_it_is_kept_with(kind: StoreKind, tmp_path: Path) -> None:
    """Of new keys, of such that go on and of such that were deleted or have expired; it is an entry like any other."""
    async with _open(kind, tmp_path) as store:
        for _ in range(2):
            for key in ("goes on", "deleted", "expired"):
                await store.write(Write(key, "x"))
        await store.delete("deleted")
        await store.write(Write("expired", "x", expires_at=PAST))
        some = [Write("goes on", "y", condition=Condition.of_version(2)), *map(_plain, ("deleted", "expired", "new"))]
        assert [3, 3, 4, 1] == await store.write_many(some, _note())
        kept = await store.read("~note")
        assert Entry(key="~note", value="versions [3, 3, 4, 1]", version=1, expires_at=FUTURE) == kept


@every_kind
async def test_a_note_is_kept_once_and_with_all_or_nothing(kind: StoreKind, tmp_path: Path) -> None:
    """Where it is there already nothing is written, and where a write is refused it is not there."""
    async with _open(kind, tmp_path) as store:
        assert [1] == await store.write_many([_plain("a")], _note())
        for _ in range(2):
            with pytest.raises(PreconditionFailed) as caught:
                await store.write_many([_plain("a"), _plain("b")], _note())
            assert {"current_version": 1, "index": 2} == caught.value.extra
        with pytest.raises(PreconditionFailed) as caught:
            await store.write_many([_plain("b"), replace(_plain("a"), condition=ABSENT)], _note("~other"))
        assert {"current_version": 1, "index": 1} == caught.value.extra
        kept = Entry(key="a", value="y", version=1)
        assert [kept, None, None] == await store.read_many(["a", "b", "~other"])


@every_kind
async def test_notes_are_right_however_many_write_at_once(kind: StoreKind, tmp_path: Path) -> None:
    """Of equal notes one is kept, and each tells the version that its own write got, whatever others do meanwhile."""
    count = 4 if kind.scheme == "dynamodb" else 20
    async with _open(kind, tmp_path) as store:
        noted = [store.write_many([_plain("k")], _note(f"~{number // 2}")) for number in range(2 * count)]
        others = [store.delete("k") if number % 2 else store.write(Write("k", "z")) for number in range(count)]
        outcomes = await asyncio.gather(*noted, *others, return_exceptions=True)
        won = [[one for one in outcomes[2 * n : 2 * n + 2] if isinstance(one, list)] for n in range(count)]
        assert [1] * count == [len(pair) for pair in won]
        notes = await store.read_many([f"~{number}" for number in range(count)])
        assert [f"versions {versions}" for (versions,) in won] == [note.value for note in notes if note]


def _plain(key: str) -> Write:
    return Write(key, "y")


@every_kind
async def test_a_thousand_are_written_and_read_together(kind: StoreKind, tmp_path: Path) -> None:
    """A whole batch is kept, read back in any order, and refused whole for one of its conditions."""
    count = bounds_of(kind).together
    batch = [Write(f"k{number:03}", str(number)) for number in range(count)]
    async with _open(kind, tmp_path) as store:
        assert [1] * count == await store.write_many(batch)
        read = await store.read_many([write.key for write in reversed(batch)])
        assert [write.value for write in reversed(batch)] == [entry.value for entry in read if entry]
        again = [*(replace(write, value="new") for write in batch[:-1]), replace(batch[-1], condition=ABSENT)]
        with pytest.raises(PreconditionFailed) as caught:
            await store.write_many(again)
        assert {"current_version": 1, "index": count - 1} == caught.value.extra
        assert [1] * count == [entry.version for entry in await store.read_many([w.key for w in batch]) if entry]


@every_kind
async def test_independent_writes_have_outcomes_of_their_own(kind: StoreKind, tmp_path: Path) -> None:
    """One whose condition does not hold is refused alone, and the others are written."""
    async with _open(kind, tmp_path) as store:
        await store.write(Write("a", "x"))
        writes = [Write("a", "y"), Write("b", "x", condition=PRESENT), Write("c", "x", FUTURE, ABSENT)]
        first, refused, last = await store.write_each(writes)
        assert (2, 1, True) == (first, last, isinstance(refused, PreconditionFailed))
        assert ["y", None, "x"] == [entry and entry.value for entry in await store.read_many(["a", "b", "c"])]


@every_kind
async def test_independent_writes_of_one_key_keep_their_order(kind: StoreKind, tmp_path: Path) -> None:
    """Each has the version after that of the one before it, and the last one is the value."""
    async with _open(kind, tmp_path) as store:
        refused = Write("b", "x", condition=PRESENT)
        writes = [*(Write("a", str(number)) for number in range(5)), refused, Write("b", "y"), Write("a", "last")]
        outcomes = await store.write_each(writes)
        assert [1, 2, 3, 4, 5, 1, 6] == [one for one in outcomes if isinstance(one, int)]
        assert ["last", "y"] == [entry and entry.value for entry in await store.read_many(["a", "b"])]


@every_kind
async def test_a_batch_that_is_too_large_is_not_read(kind: StoreKind, tmp_path: Path) -> None:
    """Many large values are refused before they fill the memory."""
    size = bounds_of(kind).value_bytes
    count = MAX_READ_CHARS // size + 1
    if count > bounds_of(kind).together:
        pytest.skip("this store does not read so many together")
    async with _open(kind, tmp_path) as store:
        for number in range(count):
            await store.write(Write(f"k{number}", "x" * size))
        with pytest.raises(TooLarge):
            await store.read_many([f"k{number}" for number in range(count)])
        assert 1 == len(await store.read_many(["k0"]))


@every_kind
async def test_an_entry_expires_when_its_time_has_come(kind: StoreKind, tmp_path: Path) -> None:
    """It is there before, and not after, without a sweep; its version goes on, and a later write stays."""
    async with _open(kind, tmp_path) as store:
        until = datetime.now(UTC) + timedelta(seconds=0.3)
        await store.write(Write("a", "x", expires_at=until))
        while (entry := await store.read("a")) is not None:
            assert Entry(key="a", value="x", version=1, expires_at=until) == entry
            await asyncio.sleep(0.01)
        assert datetime.now(UTC) >= until
        assert [[], [None], False] == [
            await _all_keys(store, "", 5),
            await store.read_many(["a"]),
            await store.delete("a"),
        ]
        assert 2 == await store.write(Write("a", "y", condition=ABSENT))
        assert Entry(key="a", value="y", version=2) == await store.read("a")


@every_kind
async def test_what_has_expired_is_swept(kind: StoreKind, tmp_path: Path) -> None:
    """A sweep removes what has expired in small batches and leaves the rest, also what was written anew."""
    async with _open(kind, tmp_path) as store:
        many = bounds_of(kind).many
        expiring = [Write(f"k{number}", "x", PAST) for number in range(many)]
        together = bounds_of(kind).together
        for start in range(0, len(expiring), together):
            await store.write_many(expiring[start : start + together])
        await store.write_many([Write("later", "x", FUTURE), Write("stays", "x"), Write("k0", "anew")])
        assert 10 == await store.sweep(10)
        assert [many - 11, 0] == [await Sweeper([store], 60).sweep(), await Sweeper([store], 60).sweep()]
        assert ["k0", "later", "stays"] == await _all_keys(store, "", 5)
