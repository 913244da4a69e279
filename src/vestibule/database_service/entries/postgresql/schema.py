"""Migrates and checks the tables of the store; of several services one migrates at a time.

Alembic writes the migrations from one schema revision to the next as one SQL script, which runs in one transaction
over the connections of the store: it needs no second driver and works through PgBouncer.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from vestibule.database_service.entries.postgresql.server import FAILURES, PostgresqlAddress, name_of
from vestibule.database_service.entries.store import StoreRefused
from vestibule.database_service.settings import DatabaseSettings

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_TIMEOUT_MS = 30_000
# Any two numbers that no other program takes for an advisory lock in the same database.
LOCK = (0x7665, 0x7374)

HAS_REVISION = "SELECT to_regclass('vestibule.alembic_version') IS NOT NULL"
READ_REVISION = "SELECT version_num FROM vestibule.alembic_version"
FIND_SCHEMA = "SELECT to_regnamespace('vestibule') IS NOT NULL"
ENCODING = "SELECT current_setting('server_encoding')"


# Without these an acknowledged write may not be on disk.
NEEDED_ON = ("fsync", "full_page_writes")
READ_SETTING = "SELECT current_setting($1)"
INVALID_INDEXES = """
    SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    WHERE c.relnamespace = to_regnamespace('vestibule') AND NOT i.indisvalid
"""


def head_revision() -> str:
    """Return the schema revision that this program works with."""
    head = _directory().get_current_head()
    if head is None:
        raise StoreRefused("this program has no migrations")
    return head


async def schema_revision(connection: asyncpg.Connection) -> str | None:
    """Return the schema revision of the database, None where there are no tables."""
    if not await connection.fetchval(HAS_REVISION):
        return None
    revision: str | None = await connection.fetchval(READ_REVISION)
    return revision


async def migrate_over(connection: asyncpg.Connection) -> bool:
    """Migrate the tables to the head revision; False where they have it. Others that migrate at the same time wait.

    Raises:
        StoreRefused: a newer program has migrated them, or the database does not store UTF-8.
    """
    async with connection.transaction():
        revision = await schema_revision(connection)
        if revision == head_revision():
            return False
        await connection.execute(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
        await connection.execute("SELECT pg_advisory_xact_lock($1, $2)", *LOCK)
        revision = await schema_revision(connection)  # another service may have migrated meanwhile
        if revision == head_revision():
            return False
        await _refuse_other_encodings(connection)
        if not await connection.fetchval(FIND_SCHEMA):
            await connection.execute("CREATE SCHEMA vestibule")
        await connection.execute(script_from(revision))
    return True


def script_from(revision: str | None, to: str = "head") -> str:
    """Return the SQL that migrates from `revision` to another, the head revision by default.

    Raises:
        StoreRefused: this program does not know `revision`.
    """
    # Loaded here, since at most starts there is nothing to do.
    from alembic.config import Config  # noqa: PLC0415
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415

    directory = _directory()
    if revision is not None and revision not in {script.revision for script in directory.walk_revisions()}:
        raise StoreRefused(
            f"the tables have the schema revision `{revision}`, which this program does not know: update it"
        )
    script = StringIO()
    context = EnvironmentContext(
        Config(),
        directory,
        fn=lambda current, _: directory._upgrade_revs(to, current),
        as_sql=True,
        starting_rev=revision,
        destination_rev=to,
    )
    with context:
        context.configure(
            dialect_name="postgresql",
            output_buffer=script,
            transactional_ddl=False,  # the caller has a transaction already
            version_table_schema="vestibule",
        )
        context.run_migrations()
    return script.getvalue()


def _directory() -> "ScriptDirectory":
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return ScriptDirectory(str(MIGRATIONS), version_locations=[str(MIGRATIONS)])


async def _refuse_other_encodings(connection: asyncpg.Connection) -> None:
    encoding = await connection.fetchval(ENCODING)
    if encoding != "UTF8":
        raise StoreRefused(f"the database stores text as {encoding}; create one with ENCODING 'UTF8'")


async def migrate(settings: DatabaseSettings) -> bool:
    """Migrate the tables to the head revision; False where they have it."""
    async with _connected(settings) as connection:
        return await migrate_over(connection)


async def check(settings: DatabaseSettings) -> list[str]:
    """Return the faults of the tables and of the server's settings; nothing is changed."""
    async with _connected(settings) as connection:
        faults = [
            f"the server has {name} = off: acknowledged writes can be lost when its machine fails"
            for name in NEEDED_ON
            if await connection.fetchval(READ_SETTING, name) == "off"
        ]
        if await connection.fetchval(READ_SETTING, "transaction_read_only") == "on":
            faults.append("the server is read-only")
        faults += [f"the index {row[0]} is not valid" for row in await connection.fetch(INVALID_INDEXES)]
        revision = await schema_revision(connection)
    if revision is None:
        return [*faults, "the tables do not exist; create them with `vestibule db migrate`"]
    if revision != head_revision():
        faults.append(f"the tables have the schema revision `{revision}`, and this program needs `{head_revision()}`")
    return faults


@asynccontextmanager
async def _connected(settings: DatabaseSettings) -> AsyncIterator[Any]:
    address = PostgresqlAddress.parse(settings.database_url)
    try:
        connection = await asyncpg.connect(
            address.dsn, timeout=settings.database_timeout_s, statement_cache_size=address.statement_cache_size
        )
        try:
            yield connection
        finally:
            await connection.close(timeout=settings.database_timeout_s)
    except FAILURES as error:
        raise StoreRefused(f"{address} cannot be used ({name_of(error)})") from error
