"""Erasing a subject from every store: exactly, as it was read, and with all that is known of a key."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from servers.stores import with_server
from vestibule.contracts.identity import Principal
from vestibule.contracts.subjects import ErasePage, EraseRequest, SubjectQuery
from vestibule.database_service.entries.encrypted_store import REALM, EncryptedStore
from vestibule.database_service.entries.store import PositionLost, Store, StoreKind, Write
from vestibule.database_service.main import store_kinds
from vestibule.database_service.maintenance import erasure
from vestibule.database_service.maintenance.erasure import EntryErasure, Searches
from vestibule.database_service.settings import DatabaseSettings
from vestibule.encryption import Cipher, KeyRingFile, create_key_ring
from vestibule.subject_search import SubjectSearcher

ADDRESS = "orders@example.org"
OTHERS = ["orders@example.org.uk", "new-orders@example.org", "orders@example.org-partner.com"]
FUTURE = datetime(2101, 1, 1, tzinfo=UTC)
T1, T2 = Principal("t1"), Principal("t2")
QUERY = EraseRequest(value=ADDRESS, tenants=["t1"])
KINDS = store_kinds()
WITHOUT_HISTORY = {"dynamodb"}
every_kind = pytest.mark.parametrize("kind", KINDS, indirect=True)
with_history = pytest.mark.parametrize("kind", [name for name in KINDS if name not in WITHOUT_HISTORY], indirect=True)


@pytest.fixture(scope="session")
def kind(request: pytest.FixtureRequest) -> StoreKind:
    """The kind of store that a test is about, on a server where it needs one."""
    return with_server(KINDS[request.param], request)


@asynccontextmanager
async def _open(kind: StoreKind, folder: Path) -> AsyncIterator[tuple[Store, EncryptedStore, EntryErasure]]:
    ring = folder / "keyring.json"
    create_key_ring(ring)
    keys = KeyRingFile(ring)
    chosen = DatabaseSettings(data_dir=folder, database_url=f"{kind.scheme}:", keep_versions=5)
    async with kind.build(chosen) as plain:
        store = EncryptedStore(plain, Cipher(keys, REALM))
        yield plain, store, EntryErasure(store, Searches(SubjectSearcher(keys)))


async def _erase(job: EntryErasure, request: EraseRequest = QUERY, owner: Principal = T1, limit: int = 2) -> ErasePage:
    """Erase page after page, of entries and then of ended keys, and return the sums."""
    total, query = ErasePage(), SubjectQuery(value=request.value, tenants=request.tenants)
    for step in (job.erase, job.erase_ended):
        cursor: str | None = None
        while True:
            page = await step(request if step == job.erase else query, owner, limit, cursor)  # type: ignore[operator]
            total.examined += page.examined
            total.erased += page.erased
            total.unreadable += page.unreadable
            cursor = page.cursor
            if cursor is None:
                break
    return total


async def _keys(store: Store, prefix: str = "") -> list[str]:
    return (await store.keys(prefix, 100, None)).keys


def _files_with(text: str, folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if text.encode() in path.read_bytes()]


@every_kind
async def test_exactly_the_value_is_erased(kind: StoreKind, tmp_path: Path) -> None:
    """The same value in any writing goes; longer values stay, and so does everything of other tenants."""
    writings = [
        f"to {ADDRESS}",
        "ORDERS@Example.Org",
        "x=orders%40example.org",
        "b3JkZXJzQGV4YW1wbGUub3Jn",
        "orders\\u0040example.org",
    ]
    async with _open(kind, tmp_path) as (_, store, job):
        for number, text in enumerate(writings):
            await store.write(Write(f"t1/held-{number}", text))
        for number, text in enumerate(OTHERS):
            await store.write(Write(f"t1/other-{number}", text))
        await store.write(Write("t2/held", ADDRESS))
        erased = await _erase(job)
        assert (8, 5, 0) == (erased.examined, erased.erased, erased.unreadable)
        assert ["t1/other-0", "t1/other-1", "t1/other-2", "t2/held"] == await _keys(store)


@every_kind
async def test_a_key_that_holds_the_value_is_gone_at_once(kind: StoreKind, tmp_path: Path) -> None:
    """With its value, its history and its name, also where it had been deleted before; versions begin at 1 again."""
    async with _open(kind, tmp_path) as (plain, store, job):
        for key in (f"t1/{ADDRESS}", f"t1/deleted/{ADDRESS}", f"t1/{OTHERS[0]}", f"t2/{ADDRESS}"):
            await store.write(Write(key, "x"))
            await store.write(Write(key, "y"))
        await store.delete(f"t1/deleted/{ADDRESS}")
        await store.delete(f"t1/{OTHERS[0]}")
        await store.delete(f"t2/{ADDRESS}")
        assert 2 == (await _erase(job, limit=1)).erased
        for key in (f"t1/{ADDRESS}", f"t1/deleted/{ADDRESS}"):
            assert [] == await plain.history(key)
        assert [f"t1/{OTHERS[0]}"] == (await plain.ended("t1/", 100, None)).keys
        assert [f"t2/{ADDRESS}"] == (await plain.ended("t2/", 100, None)).keys
        assert 1 == await store.write(Write(f"t1/{ADDRESS}", "x"))
        assert 3 == await store.write(Write(f"t1/{OTHERS[0]}", "x"))
        assert not await store.erase("t1/never")


@every_kind
async def test_an_expired_key_is_gone_before_the_next_sweep(kind: StoreKind, tmp_path: Path) -> None:
    """A key that holds the value and has expired is neither live nor swept yet; its name goes all the same."""
    async with _open(kind, tmp_path) as (plain, store, job):
        for key in (f"t1/{ADDRESS}", f"t1/{OTHERS[0]}"):
            await store.write(Write(key, "x", datetime(2020, 1, 1, tzinfo=UTC)))
        assert 1 == (await _erase(job, limit=1)).erased
        assert [] == await plain.history(f"t1/{ADDRESS}")
        assert [f"t1/{OTHERS[0]}"] == (await plain.ended("t1/", 100, None)).keys


@every_kind
async def test_a_search_finds_what_would_be_erased_and_changes_nothing(kind: StoreKind, tmp_path: Path) -> None:
    """Each place with its form; times and tokens where the store has a history; the counts are those of the erasure."""
    async with _open(kind, tmp_path) as (plain, store, job):
        await store.write(Write("t1/a", f"to {ADDRESS}", author="first"))
        await store.write(Write("t1/a", "orders%40example.org", author="second"))
        await store.write(Write(f"t1/{ADDRESS}", ADDRESS, author="first"))
        await store.write(Write(f"t1/gone/{ADDRESS}", "x"))
        await store.delete(f"t1/gone/{ADDRESS}")
        await store.write(Write("t1/other", OTHERS[0]))
        await plain.write(Write("t1/broken", "bm90IGVuY3J5cHRlZA=="))
        has_history = bool(await plain.history("t1/a"))
        before = [await plain.history(key) for key in await _keys(plain)]
        find = QUERY.model_copy(update={"find_only": True})
        page = await job.erase(find, T1, 100, None)
        query = SubjectQuery(value=ADDRESS, tenants=["t1"], find_only=True)
        ended = await job.erase_ended(query, T1, 100, None)
        assert before == [await plain.history(key) for key in await _keys(plain)]
        assert (0, 0, 1, 0) == (page.erased, ended.erased, page.unreadable, ended.unreadable)
        found = [(one.kind, one.key, one.version, one.form, one.encoding, one.is_part, one.by) for one in page.found]
        first, second = ("first", "second") if has_history else (None, None)
        expected = [
            ("entry", "a", 2, "encoded", "url", False, second),
            ("version", "a", 1, "plain", None, True, first),
            ("key", ADDRESS, 1, "plain", None, False, first),
            ("entry", ADDRESS, 1, "plain", None, False, first),
        ]
        assert found == [one for one in expected if has_history or one[0] != "version"]
        assert all((one.at is not None) is has_history for one in page.found)
        assert [("ended_key", f"gone/{ADDRESS}")] == [(one.kind, one.key) for one in ended.found]
        erased = await job.erase(QUERY, T1, 100, None)
        assert (page.counts, []) == (erased.counts, erased.found)
        assert ["t1/broken", "t1/other"] == await _keys(plain)


@every_kind
async def test_a_newer_write_survives(kind: StoreKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written between reading and deleting stays; the version that was read goes."""
    async with _open(kind, tmp_path) as (_, store, job):
        await store.write(Write("t1/a", ADDRESS))
        read_versions, writes = store.read_versions, ["clean"]

        async def read_and_write(key: str) -> dict[int, str | None]:
            versions = await read_versions(key)
            if writes:
                await store.write(Write(key, writes.pop(0)))
            return versions

        monkeypatch.setattr(store, "read_versions", read_and_write)
        await _erase(job)
        monkeypatch.undo()
        entry = await store.read("t1/a")
        assert entry is not None
        assert ("clean", 2) == (entry.value, entry.version)
        assert {2: "clean"} == await store.read_versions("t1/a")


@with_history
async def test_earlier_versions_are_erased(kind: StoreKind, tmp_path: Path) -> None:
    """Those that hold the value go; the entry and its other versions stay."""
    async with _open(kind, tmp_path) as (_, store, job):
        for text in ("first", ADDRESS, OTHERS[1], f"to {ADDRESS}", "last"):
            await store.write(Write("t1/a", text))
        assert (1, 2) == ((erased := await _erase(job)).examined, erased.erased)
        assert ["last", OTHERS[1], "first"] == [revision.value for revision in await store.history("t1/a")]


@every_kind
async def test_what_cannot_be_read_is_counted(kind: StoreKind, tmp_path: Path) -> None:
    """A value whose key is lost, and one that hides a bomb, stop nothing: the others are erased."""
    async with _open(kind, tmp_path) as (plain, store, job):
        await plain.write(Write("t1/a", "bm90IGVuY3J5cHRlZA=="))
        await store.write(Write("t1/b", ADDRESS))
        for _ in range(2):
            erased = await _erase(job)
            assert 1 == erased.unreadable
        assert ["t1/a"] == await _keys(plain)


@every_kind
async def test_records_of_services_are_erased_for_one_tenant(kind: StoreKind, tmp_path: Path) -> None:
    """Those that are of the tenant: deleted, or replaced where the service needs to know that there was one."""
    records = Principal("~records")
    async with _open(kind, tmp_path) as (_, store, job):
        for name, tenant, text in (("a", "t1", ADDRESS), ("b", "t1", OTHERS[0]), ("c", "t2", ADDRESS)):
            await store.write(Write(f"~records/{name}", json.dumps({"tenant": tenant, "body": text})))
        await store.write(Write("~records/d", "no record"))
        instead = QUERY.model_copy(update={"owner": "t1", "instead": "{}"})
        assert (2, 1) == ((erased := await _erase(job, instead, records)).examined, erased.erased)
        entry = await store.read("~records/a")
        assert entry is not None
        assert ("{}", 1) == (entry.value, entry.version)
        assert (1, 0) == ((erased := await _erase(job, instead, records)).examined, erased.erased)
        assert 1 == (await _erase(job, QUERY.model_copy(update={"owner": "t2"}), records)).erased
        assert ["~records/a", "~records/b", "~records/d"] == await _keys(store, "~records/")


@pytest.mark.parametrize("kind", ["memory"], indirect=True)
async def test_a_field_of_a_record_is_replaced(kind: StoreKind, tmp_path: Path) -> None:
    """The reason of a window of the tenant: the window stays, with all else and its time to live."""
    async with _open(kind, tmp_path) as (_, store, job):
        for name, reason in (("a", f"for {ADDRESS}"), ("b", OTHERS[0])):
            await store.write(
                Write(f"~records/{name}", json.dumps({"tenant": "t1", "author": ADDRESS, "reason": reason}), FUTURE)
            )
        await store.write(Write("~records/c", "no record"))
        other = QUERY.model_copy(update={"owner": "t2", "field": "reason"})
        assert 0 == (await _erase(job, other, Principal("~records"))).erased
        request = QUERY.model_copy(update={"owner": "t1", "field": "reason"})
        assert 1 == (await _erase(job, request, Principal("~records"))).erased
        entry = await store.read("~records/a")
        assert entry is not None
        assert ({"tenant": "t1", "author": ADDRESS, "reason": "(erased)"}, FUTURE) == (
            json.loads(entry.value),
            entry.expires_at,
        )


@with_history
async def test_watchers_of_the_tenant_begin_again(kind: StoreKind, tmp_path: Path) -> None:
    """The change that is gone was the last; no later one has its number, and nobody misses it unknowingly."""
    async with _open(kind, tmp_path) as (plain, store, job):
        await store.write(Write("t2/a", "x"))
        await store.write(Write(f"t1/{ADDRESS}", "x"))
        position = (await plain.changes("", None, 10)).position
        await _erase(job)
        with pytest.raises(PositionLost):
            await plain.changes("t1/", position, 10)
        assert [] == [change.key for change in (await plain.changes("t2/", position, 10)).changes]
        now = (await plain.changes("t1/", None, 10)).position
        await store.write(Write("t1/b", "x"))
        assert ["t1/b"] == [change.key for change in (await plain.changes("t1/", now, 10)).changes]


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
async def test_no_file_holds_the_key(kind: StoreKind, tmp_path: Path) -> None:
    """Neither the database nor its log has a byte of the name while the store is open."""
    async with _open(kind, tmp_path) as (_, store, job):
        for number in range(200):
            await store.write(Write(f"t1/key-{number}", "x" * 400))
            await store.write(Write(f"t1/{number}/{ADDRESS}", "x" * 400))
        await store.delete(f"t1/7/{ADDRESS}")
        assert _files_with(ADDRESS, tmp_path)
        assert 200 == (await _erase(job, limit=1000)).erased
        assert [] == _files_with(ADDRESS, tmp_path)
        assert 200 == len((await store.keys("t1/", 1000, None)).keys)


@pytest.mark.parametrize("kind", ["memory"], indirect=True)
async def test_a_page_that_takes_long_ends(kind: StoreKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on with the next page, and the pages together leave out nothing."""
    monkeypatch.setattr(erasure, "PAGE_S", 0)
    async with _open(kind, tmp_path) as (_, store, job):
        for number in range(3):
            await store.write(Write(f"t1/k{number}", ADDRESS))
        cursor, pages = None, []
        while not pages or cursor is not None:
            pages.append(await job.erase(QUERY, T1, 100, cursor))
            cursor = pages[-1].cursor
        assert [(1, 1)] * 3 == [(page.examined, page.erased) for page in pages]
