"""What the PostgreSQL store does when the server dies, freezes, refuses, or is shared by several services."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from servers.pgbouncer import pgbouncer_before
from servers.postgresql import PASSWORD, PostgresqlServer, run_sql, running_server, running_standby
from vestibule.contracts.entries import Condition
from vestibule.contracts.errors import PreconditionFailed, Unavailable
from vestibule.database_service.entries.postgresql.schema import script_from
from vestibule.database_service.entries.store import Store, StoreRefused, Write
from vestibule.database_service.entries.stores.postgresql import KEYS
from vestibule.database_service.main import build_store
from vestibule.database_service.settings import DatabaseSettings

PATIENT_S = 60


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    """A server that these tests may hurt."""
    with running_server() as running:
        yield running


@pytest.fixture
def url(server: PostgresqlServer, tmp_path: Path) -> str:
    """An empty database."""
    return server.database_url(str(tmp_path))


@asynccontextmanager
async def opened(url: str, timeout_s: float = PATIENT_S) -> AsyncIterator[Store]:
    async with build_store(DatabaseSettings(database_url=url, database_timeout_s=timeout_s)) as store:
        yield store


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENT_S):
        while not condition():  # noqa: ASYNC110 - it is about what others have counted
            await asyncio.sleep(0.01)


async def write_until_it_works(store: Store, key: str) -> int:
    """Return the version of the first write that is answered; the store has to heal by itself."""
    async with asyncio.timeout(PATIENT_S):
        while True:
            try:
                return await store.write(Write(key, "x"))
            except Unavailable:
                await asyncio.sleep(0.05)


async def test_services_share_a_database(url: str) -> None:
    """Whatever two services write at once, no version is given twice, and of two conditional writers one wins."""
    async with opened(url) as one, opened(url) as other:
        both = [one, other]
        given = await asyncio.gather(*(store.write(Write("a", "x")) for store in both * 100))
        assert list(range(1, 201)) == sorted(given)
        for version in range(200, 210):
            condition = Condition.of_version(version)
            attempts = [store.write(Write("a", "x", condition=condition)) for store in both * 5]
            outcomes = await asyncio.gather(*attempts, return_exceptions=True)
            assert [version + 1] == [outcome for outcome in outcomes if isinstance(outcome, int)]
            assert 9 == sum(isinstance(outcome, PreconditionFailed) for outcome in outcomes)


async def test_batches_of_services_do_not_block_each_other(url: str) -> None:
    """Two services that write the same keys in other orders both get through, and every batch is whole."""
    keys = [f"k{number}" for number in range(50)]

    async def write_batches(store: Store, name: str) -> None:
        for number in range(20):
            order = random.sample(keys, len(keys))
            await store.write_many([Write(key, f"{name}{number}") for key in order])

    async with opened(url) as one, opened(url) as other:
        writing = asyncio.gather(write_batches(one, "one"), write_batches(other, "other"))
        while not writing.done():
            seen = {entry.value for entry in await one.read_many(keys) if entry}
            assert len(seen) <= 1
        await writing
        assert {40} == {entry.version for entry in await other.read_many(keys) if entry}


async def test_services_that_start_at_once_migrate_once(url: str) -> None:
    """Of many that find an empty database, one makes the tables and the others wait for it."""
    async with AsyncExitStack() as stack:
        stores = await asyncio.gather(*(stack.enter_async_context(opened(url)) for _ in range(8)))
        assert list(range(1, 9)) == sorted(await asyncio.gather(*(store.write(Write("a", "x")) for store in stores)))
    assert [[(1,)]] == run_sql(url, "SELECT count(*) FROM vestibule.alembic_version")


async def test_tables_of_the_first_revision_are_migrated(url: str) -> None:
    """What is in them is there afterwards, and lists of keys do not read those that have ended."""
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS vestibule; {script_from(None, 'a1_initial')}")
    await connection.close()
    fill = """
        INSERT INTO vestibule.entries (key, value, version, written_at, change)
            SELECT 'ended' || number, NULL, 1, now(), 1000 + number FROM generate_series(1, 20000) AS number
    """
    stored = "INSERT INTO vestibule.entries (key, value, version, written_at, change) VALUES ('a', 'x', 1, now(), 1)"
    run_sql(url, stored, fill)
    async with opened(url) as store:
        assert ["a"] == (await store.keys("", 10, None)).keys
    run_sql(url, "ANALYZE vestibule.entries")
    asked = KEYS.replace("$1", "''").replace("$2", "'~'").replace("$3", "''").replace("$4", "5")
    (plan,) = run_sql(url, f"EXPLAIN {asked}")
    assert "entries_present" in str(plan)


async def test_a_killed_server_loses_nothing_that_was_acknowledged(url: str, server: PostgresqlServer) -> None:
    """All processes of the server are killed under load, three times; what was answered is there, no batch is half."""
    acknowledged: dict[str, int] = {}

    async def write_on(store: Store, name: str) -> None:
        number = 0
        while not is_over.is_set():
            number += 1
            try:
                acknowledged[name] = await store.write(Write(name, "x"))
                await store.write_many([Write(f"{name} {half}", str(number)) for half in "ab"])
            except Unavailable:
                await asyncio.sleep(0.01)

    async with opened(url) as store:
        for _ in range(3):
            is_over = asyncio.Event()
            writers = [asyncio.create_task(write_on(store, f"w{number}")) for number in range(20)]
            known = sum(acknowledged.values())
            await until(lambda known=known: sum(acknowledged.values()) >= known + 200)
            server.kill()
            is_over.set()
            await asyncio.gather(*writers)
            server.start()
            await write_until_it_works(store, "healed")
            for name, version in acknowledged.items():
                entry = await store.read(name)
                assert entry is not None
                assert entry.version >= version
                one, other = await store.read_many([f"{name} {half}" for half in "ab"])
                assert (one and one.value) == (other and other.value)


async def test_another_server_takes_over() -> None:
    """The primary dies under load and its standby is promoted: with both in the URL, the same store goes on there.

    What was acknowledged is there, and versions go on, since the standby confirms each write before it is answered.
    """
    acknowledged: dict[str, int] = {}

    async def write_on(store: Store, name: str) -> None:
        while not is_over.is_set():
            try:
                acknowledged[name] = await store.write(Write(name, "x"))
            except Unavailable:
                await asyncio.sleep(0.01)

    with running_server() as primary, running_standby(primary) as standby:
        hosts = ",".join(urlsplit(one.url).netloc.rpartition("@")[2] for one in (primary, standby))
        url = f"postgresql://vestibule:{PASSWORD}@{hosts}/postgres?target_session_attrs=read-write"
        is_over = asyncio.Event()
        async with opened(url, timeout_s=2) as store:
            writers = [asyncio.create_task(write_on(store, f"w{number}")) for number in range(20)]
            await until(lambda: sum(acknowledged.values()) >= 200)
            primary.kill()
            known = dict(acknowledged)
            run_sql(standby.url, "SELECT pg_promote()")
            await until(lambda: all(acknowledged[name] > known[name] for name in known))
            is_over.set()
            await asyncio.gather(*writers)
            entries = await store.read_many(list(acknowledged))
        versions = {entry.key: entry.version for entry in entries if entry is not None}
        assert [] == [name for name, version in acknowledged.items() if versions.get(name, 0) < version]


async def test_a_frozen_server_is_said_to_be_away(url: str, server: PostgresqlServer) -> None:
    """Reads and writes end in time, and go on as soon as the server does."""
    async with opened(url, timeout_s=1) as store:
        await write_until_it_works(store, "a")
        with server.frozen():
            async with asyncio.timeout(PATIENT_S):
                for _ in range(2):
                    calls = [store.read("a"), store.write(Write("a", "y")), store.keys("", 10, None)]
                    outcomes = await asyncio.gather(*calls, return_exceptions=True)
                    assert {Unavailable} == {type(outcome) for outcome in outcomes}
        assert await write_until_it_works(store, "a") >= 2


async def test_a_service_starts_before_its_server(url: str, server: PostgresqlServer) -> None:
    """Without a server it answers that the store is away, and makes the tables when there is one."""
    server.kill()
    try:
        async with opened(url, timeout_s=5) as store:
            with pytest.raises(Unavailable, match=r"nothing answers at its address\. Nothing was written"):
                await store.write(Write("a", "x"))
            with pytest.raises(Unavailable):
                await store.read("a")
            server.start()
            assert await write_until_it_works(store, "a") >= 1
    finally:
        if server.process is not None and server.process.poll() is not None:
            server.start()


async def test_a_database_that_is_read_only_is_read(url: str) -> None:
    """Writes are refused as long as that lasts; reads go on."""
    name = url.rpartition("/")[2]
    async with opened(url) as store:
        await store.write(Write("a", "x"))
        run_sql(url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    async with opened(url) as store:
        with pytest.raises(Unavailable, match=r"it is read-only\. Nothing was written"):
            await store.write(Write("a", "y"))
        entry = await store.read("a")
        assert ("x", 1) == (entry and (entry.value, entry.version))
        run_sql(
            url,
            "SET default_transaction_read_only = off",
            f"ALTER DATABASE {name} RESET default_transaction_read_only",
        )
        assert 2 == await write_until_it_works(store, "a")


async def test_a_full_disk_is_said_and_heals(url: str) -> None:
    """What the server says of its disk is passed on; nothing was written, and later writes are."""
    async with opened(url) as store:
        await store.write(Write("a", "x"))
        run_sql(
            url,
            "CREATE FUNCTION vestibule.refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE 'no space left' USING ERRCODE = 'disk_full'; END $$",
            "CREATE TRIGGER refuse BEFORE UPDATE ON vestibule.entries EXECUTE FUNCTION vestibule.refuse()",
        )
        with pytest.raises(Unavailable, match=r"the disk is full\. Nothing was written"):
            await store.write(Write("a", "y"))
        run_sql(url, "DROP TRIGGER refuse ON vestibule.entries")
        assert 2 == await store.write(Write("a", "y"))


async def test_a_lock_of_another_program_is_not_waited_for_without_end(url: str) -> None:
    """While another holds the table, reads and writes end in time, and none of them stays behind in the server."""
    async with opened(url) as store:
        await store.write(Write("a", "x"))
    connection = await asyncpg.connect(url)
    try:
        async with opened(url, timeout_s=1) as store, connection.transaction():
            await connection.execute("LOCK TABLE vestibule.entries")
            outcomes = await asyncio.gather(store.read("a"), store.write(Write("a", "y")), return_exceptions=True)
            assert {Unavailable} == {type(outcome) for outcome in outcomes}
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            async with asyncio.timeout(PATIENT_S):
                while await connection.fetchval(waiting):
                    pass
    finally:
        await connection.close()
    async with opened(url) as store:
        assert 2 == await store.write(Write("a", "y"))


async def test_a_change_at_fault_fails_alone(url: str) -> None:
    """A key that PostgreSQL cannot hold is refused, and what shares its transaction is written."""
    async with opened(url) as store:
        outcomes = await asyncio.gather(
            store.write(Write("a", "x")),
            store.write(Write("nul\0", "x")),
            store.write(Write("b", "x")),
            return_exceptions=True,
        )
    assert [1, 1] == [outcomes[0], outcomes[2]]
    assert isinstance(outcomes[1], Unavailable)


async def test_a_shape_that_is_not_known_is_left_alone(url: str) -> None:
    """An older program does not touch the tables of a newer one, and says so."""
    async with opened(url) as store:
        await store.write(Write("a", "x"))
    run_sql(url, "UPDATE vestibule.alembic_version SET version_num = 'z9_future'")
    with pytest.raises(StoreRefused, match="z9_future"):
        async with opened(url):
            pass


async def test_a_database_of_another_encoding_is_refused(server: PostgresqlServer) -> None:
    """Keys are Unicode, so the database has to keep UTF-8."""
    run_sql(server.url, "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    with pytest.raises(StoreRefused, match="LATIN1"):
        async with opened(server.url.replace("/postgres", "/latin")):
            pass


async def test_a_wrong_password_ends_the_start_and_is_told_to_nobody(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A service that is not let in does not start; neither its message nor its log holds the password."""
    with pytest.raises(StoreRefused, match="does not accept the user") as caught:
        async with opened(url.replace(PASSWORD, "Wr0ngSecret")):
            pass
    shown = capsys.readouterr()
    assert "Wr0ngSecret" not in f"{caught.value!r} {shown.out} {shown.err}"
    assert "Wr0ngSecret" not in repr(DatabaseSettings(database_url=url.replace(PASSWORD, "Wr0ngSecret")))


async def test_it_works_behind_pgbouncer_in_transaction_mode(url: str) -> None:
    """Two services with more connections than PgBouncer has get versions, conditions and batches right."""
    with pgbouncer_before(url) as pooled:
        target = f"{pooled}?statement_cache_size=0"
        async with opened(target) as one, opened(target) as other:
            both = [one, other]
            given = await asyncio.gather(*(store.write(Write("a", "x")) for store in both * 50))
            assert list(range(1, 101)) == sorted(given)
            await one.write_many([Write(f"k{number}", str(number)) for number in range(100)])
            reads = [store.read(f"k{number}") for number in range(100) for store in both]
            assert 200 == sum(entry is not None for entry in await asyncio.gather(*reads))
            refused = [store.write(Write("a", "y", condition=Condition.of_version(100))) for store in both * 10]
            outcomes = await asyncio.gather(*refused, return_exceptions=True)
            assert [101] == [outcome for outcome in outcomes if isinstance(outcome, int)]
            assert await other.delete("a")
            assert await one.read("a") is None
